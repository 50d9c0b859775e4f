# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""TLS clients of many programs for zz_more_tls*.py: browsers, command-line programs and HTTP libraries (`who`) that
do a list of steps on the application of tools/webapp.py, directly or through a proxy.
"""
import json
import urllib.parse

from labkit import traffic as T
from labkit.core import LABDIR, LabError

PYTHON = "/usr/bin/python3"
TOOLS = LABDIR + "/tools"
BROWSERS = ("chromium", "firefox")
# what a session is made of; see steps()
WEB = ["page+api", "page+poll", "api", "page+up", "down", "video", "page+events", "posts", "drip+page", "page+page+api"]


def trust(lab, java=False):
    """Make every program of the client node trust the laboratory's authority."""
    ca, c = T.ca(lab), lab.c
    if c.ok(["id", "-u", "web"]):
        return
    c.run(
        "cat %s >> /etc/ssl/certs/ca-certificates.crt; cp %s /etc/ssl/certs/$(openssl x509 -hash -noout -in %s).0"
        % (ca, ca, ca)
    )
    if java:
        c.run("keytool -importcert -noprompt -cacerts -storepass changeit -alias lab -file " + ca)
    T.user(c, "web")
    for d in ("/home/web/.pki/nssdb", "/home/web/firefox"):
        c.run(
            "mkdir -p %s; certutil -N -d sql:%s --empty-password; certutil -A -d sql:%s -n lab -t C,, -i %s"
            % (d, d, d, ca)
        )
    c.run("chown -R web /home/web")


def steps(lab, kinds, get_only=False):
    """[method, path, bytes, milliseconds] for kinds joined by +: page, api, poll, events, drip, up, posts, down, video,
    ws-SHAPE.
    """
    r, site, out = lab.rng, lab.site, []
    for kind in kinds.split("+"):
        if kind == "page":
            name, objects = r.choice(site.pages)
            out += [["GET", "/" + x, 0, 0] for x in [name] + objects]
            out[-1][3] = r.randint(200, 2500)
        elif kind == "api":
            for _ in range(r.randint(5, 14)):
                size = r.choice([0, 0, r.randint(30, 200), r.randint(200, 2500)])
                out.append(
                    [
                        "POST" if size else "GET",
                        "/api/%s?n=%d"
                        % (r.choice(["items", "v1/users", "search", "me"]), int(min(6000, r.lognormvariate(5.7, 1.1)))),
                        size,
                        r.choice([0, 20, 100, r.randint(50, 900)]),
                    ]
                )
        elif kind == "poll":
            size, wait = r.randint(50, 600), r.randint(200, 1300)
            out += [["GET", "/api/poll?n=%d" % size, 0, wait] for _ in range(r.randint(5, 9))]
        elif kind in ("events", "drip"):
            out.append(
                [
                    ["EVENTS", "GET"][kind == "drip"],
                    "/events?%sn=%d&ms=%d"
                    % ("slow=1&" if kind == "drip" else "", r.randint(6, 14), r.choice([60, 250, 500])),
                    0,
                    100,
                ]
            )
        elif kind == "up":
            out += [
                ["POST", "/upload", int(min(50000, r.lognormvariate(9, 1.2))), r.randint(50, 900)]
                for _ in range(r.randint(1, 3))
            ]
        elif kind == "posts":
            out += [["POST", "/api/log", r.randint(100, 3000), r.randint(0, 400)] for _ in range(r.randint(5, 12))]
        elif kind == "down":
            out.append(["GET", "/" + site.bulk, 0, 300])
        elif kind == "video":
            k = r.randint(0, len(site.segs) - 5)
            out += [["GET", "/" + x, 0, r.randint(300, 1100)] for x in site.segs[k : k + r.randint(2, 4)]]
        else:
            out.append(["WS", "/ws?shape=" + kind[3:], r.randint(4, 14), r.choice([100, 400, 900])])
    return [x for x in out if x[0] == "GET"] if get_only else out


def speak(lab, who, base, todo, proxy=None, app=None):
    """Do the steps with one program, in a process of its own; `proxy` is a URL (https:// or socks5h://)."""
    c, r = lab.c, lab.rng
    if who in BROWSERS:
        return browse(lab, who, base, todo, proxy, app)
    env = (
        dict.fromkeys(
            ("https_proxy", "HTTPS_PROXY", "http_proxy"),
            proxy.replace("socks5h", "socks5") if who in ("rclone", "hey") else proxy,
        )
        if proxy
        else {}
    )
    env["NODE_PATH"] = "/usr/share/nodejs"
    env["NODE_EXTRA_CA_CERTS"] = "/etc/ssl/certs/ca-certificates.crt"
    text = "".join("%s %s %d %d\n" % (("GET" if m == "EVENTS" else m), *rest) for m, *rest in todo)
    urls = [base + x[1] for x in todo if x[0] == "GET"][:12]
    get = [u for u in urls if "?" not in u] or [base + "/" + lab.site.pages[0][0]]
    if who in ("requests", "aiohttp", "httpx"):
        cmd = [PYTHON, TOOLS + "/plan.py", who, base]
    elif who in ("php", "php-streams"):
        cmd = ["php", TOOLS + "/plan.php", "streams" if who != "php" else "curl", base, *([proxy] if proxy else [])]
    elif who in ("perl", "ruby"):
        cmd = [who, TOOLS + "/plan." + {"perl": "pl", "ruby": "rb"}[who], base]
    elif who == "java":
        cmd = ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", TOOLS + "/Plan.java", base]
    elif who == "node":
        cmd = ["node", TOOLS + "/live.js", base, json.dumps(todo)]
    elif who == "hey":
        size = r.choice([0, 200, 3000])
        cmd = [
            "hey",
            "-n",
            str(r.randint(6, 24)),
            "-c",
            str(r.randint(1, 3)),
            *r.choice([[], ["-q", "4"]]),
            *r.choice([[], ["-h2"]]),
            *(["-m", "POST", "-d", "x" * size] if size else []),
            *(["-x", env["https_proxy"]] if proxy else []),
            r.choice(urls or get),
        ]
    elif who == "rclone":
        cmd = [
            "rclone",
            "--config",
            "/dev/null",
            "--transfers",
            str(r.randint(1, 3)),
            "--no-check-certificate",
            "--http-url",
            base + "/",
            "copy",
            ":http:",
            "/tmp/rclone%d" % r.getrandbits(20),
            "--include",
            r.choice(["*.ts", "page*", "img*"]),
        ]
    elif who == "apt":
        cmd = [
            "/usr/lib/apt/apt-helper",
            "-o",
            "Acquire::https::CAInfo=/etc/ssl/certs/ca-certificates.crt",
            *(["-o", "Acquire::https::Proxy=" + proxy, "-o", "Acquire::http::Proxy=" + proxy] if proxy else []),
            "download-file",
        ]
        cmd += sum(([u, "/tmp/apt%d" % i] for i, u in enumerate(get)), [])
    elif who == "curl":
        args = ["-sk", "-o", "/dev/null", "--max-time", "15"]
        cmd = ["curl"]
        for i, (m, path, n, _) in enumerate(todo):
            body = ["--data-binary", "@" + c.write("b%d" % i, r.randbytes(n))] if n else []
            cmd += (
                (["--next"] if i else [])
                + args
                + (["-x", proxy, "--proxy-insecure"] if proxy else [])
                + body
                + [base + path]
            )
    else:
        cmd = {
            "w3m": ["w3m", "-dump", get[0]],
            "lynx": ["lynx", "-dump", get[0]],
            "links": ["links", "-dump", get[0]],
            "wget": ["wget", "-q", "-O", "/dev/null", *urls],
            "wget2": ["wget2", "-q", "-O", "/dev/null", *get],
        }[who]
    c.run(cmd, input=text, env=env, timeout=40, check=False)


def pac(proxy):
    """A proxy configuration for the laboratory's names: what a browser has to tell its maker finds no way out."""
    kind, host = proxy.split("://")
    kind = "HTTPS" if kind == "https" else "SOCKS5"
    return "data:application/x-ns-proxy-autoconfig," + urllib.parse.quote(
        'function FindProxyForURL(u, h) { return shExpMatch(h, "*.test") ? "%s %s" : "DIRECT"; }' % (kind, host)
    )


def browse(lab, who, base, todo, proxy, app):
    """A page whose script does the steps; without `app` (WebSocket only) it is a local file and has some seconds."""
    c, r = lab.c, lab.rng
    n = lab.browsed = getattr(lab, "browsed", 0) + 1
    if app:
        url = "%s/run?o=%s&p=%s" % (
            base,
            urllib.parse.quote(" ".join(r.choice(lab.site.pages)[1])),
            urllib.parse.quote(json.dumps(todo + [["GET", "/done", 0, 0]])),
        )
        before = app.text().count("done")
    else:
        path = "/home/web/page%d.html" % n
        c.put(
            path,
            "<!doctype html><script>%s\nrun(%s, '%s');</script>"
            % (open(TOOLS + "/live.js").read(), json.dumps(todo), base),
        )
        url = "file://" + path
    if who == "chromium":
        cmd = [
            "chromium",
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-component-update",
            "--disable-background-networking",
            "--disable-sync",
            "--disable-default-apps",
            "--disable-dev-shm-usage",
            "--ignore-certificate-errors",
            "--disable-quic",
            "--user-data-dir=/tmp/chromium%d" % (n % 2),
            "--remote-debugging-port=0",
            *(["--proxy-pac-url=" + pac(proxy)] if proxy else []),
            url,
        ]
    else:
        prefs = {
            "network.captive-portal-service.enabled": False,
            "network.connectivity-service.enabled": False,
            "network.trr.mode": 5,
            "app.normandy.enabled": False,
            "datareporting.policy.dataSubmissionEnabled": False,
            "extensions.update.enabled": False,
            "browser.shell.checkDefaultBrowser": False,
            "services.settings.server": "http://127.0.0.1:1/",
            "browser.safebrowsing.malware.enabled": False,
            "browser.safebrowsing.phishing.enabled": False,
        }
        if proxy:
            prefs.update(
                {
                    "network.proxy.type": 2,
                    "network.proxy.autoconfig_url": pac(proxy),
                    "network.proxy.socks_remote_dns": True,
                }
            )
        c.put(
            "/home/web/firefox/user.js",
            "".join('user_pref("%s", %s);\n' % (k, json.dumps(x)) for k, x in prefs.items()),
        )
        cmd = ["firefox-esr", "--headless", "--no-remote", "--profile", "/home/web/firefox", url]
    p = c.spawn(cmd, name=who, user="web", env={"HOME": "/home/web"}, cwd="/home/web")
    if app:
        try:
            c.wait("browser", lambda: app.text().count("done") > before, 35, p, 0.3)
        except LabError:
            # what was recorded so far stays; the first visit proves that the path works
            if n == 1:
                raise
    else:
        lab.sleep(8, 13)
    lab.sleep(0.2, 1.5)
    p.stop()
