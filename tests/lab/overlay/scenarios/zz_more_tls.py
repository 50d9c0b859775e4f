# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Benign TLS by many programs that people use, servers and clients: a model that knows few programs takes the TLS of
the others for whatever resembles it. zz_more_tls_tunnels.py has the same programs with a tunnel inside.
"""
from labkit import tls_ends
from labkit import traffic as T
from labkit.core import LABDIR
from labkit.registry import SCENARIOS, V, scenario
from labkit.tls_clients import BROWSERS, WEB, speak, steps, trust
from labkit.tls_ends import code_of, tls_label
from labkit.tls_servers import PACKAGE, certificate, front, webapp

ENC = "encrypted-benign"


def url(dom, port):
    return "https://" + dom + ("" if port == 443 else ":%d" % port)


@scenario(
    "tls-web",
    ENC,
    ["nginx", "apache2", "chromium", "firefox-esr"],
    dev=[
        V(name="nginx-firefox-h2", front="nginx", who="firefox", port=443, h2=1),
        V(name="caddy-hey", front="caddy", who="hey", port=443, h2=1),
        V(name="apache-perl", front="apache", who="perl", port=443),
        V(name="nginx-requests-notickets", front="nginx", who="requests", port=443, notickets=1),
        V(name="caddy-chromium-h2", front="caddy", who="chromium", port=443, h2=1),
        V(name="lighttpd-ruby-tls12", front="lighttpd", who="ruby", port=8443, tls12=1),
        V(
            name="nginx-php-tls12rsa",
            front="nginx",
            who="php",
            port=443,
            tls12=1,
            key="rsa2048",
            ciphers="AES256-GCM-SHA384:AES128-GCM-SHA256",
        ),
        V(name="python-aiohttp", front="python", who="aiohttp", port=8443),
        V(name="apache-java-h2", front="apache", who="java", port=443, h2=1),
        V(name="haproxy-chromium", front="haproxy", who="chromium", port=443),
        V(name="apache-firefox-tls12", front="apache", who="firefox", port=443, tls12=1),
        V(name="nginx-node", front="nginx", who="node", port=443),
        V(name="nghttpx-httpx-h2", front="nghttpx", who="httpx", port=443),
        V(name="apache-w3m", front="apache", who="w3m", port=443),
        V(name="caddy-rclone", front="caddy", who="rclone", port=443),
        V(name="nginx-apt", front="nginx", who="apt", port=443),
        V(name="h2o-wget", front="h2o", who="wget", port=443),
        V(
            name="nginx-chromium-tls12rsa4096",
            front="nginx",
            who="chromium",
            port=443,
            tls12=1,
            key="rsa4096",
            notickets=1,
        ),
        V(name="hitch-requests", front="hitch", who="requests", port=443),
        V(name="nginx-lynx-h2", front="nginx", who="lynx", port=443, h2=1),
        V(name="socat-curl", front="socat", who="curl", port=4443),
        V(name="stunnel-firefox", front="stunnel", who="firefox", port=8443),
        V(name="lighttpd-php-streams", front="lighttpd", who="php-streams", port=443),
        V(name="node-java", front="node", who="java", port=8443),
        V(name="caddy-curl-tls12", front="caddy", who="curl", port=443, tls12=1),
        V(name="socat-chromium-tls12", front="socat", who="chromium", port=443, tls12=1),
        V(name="haproxy-perl-tls12", front="haproxy", who="perl", port=443, tls12=1),
        V(name="hitch-wget2", front="hitch", who="wget2", port=8443),
    ],
    limit=450_000,
)
def tls_web(lab, v):
    """HTTPS of many clients with many servers: pages, small calls, polling, events, uploads, downloads, segments."""
    lab.standard()
    v.update(web=1)
    T.cert = certificate
    if v.front == "python":
        lab.site, dom = T.Site(lab), T.domain(lab)
        _, key, chain = certificate(lab, dom)
        lab.hosts(lab.s.ip, dom)
        app = webapp(lab, lab.s.ip, v.port, chain, key, tls_ends.versions(v))
    else:
        app = webapp(lab, "127.0.0.1", 8000)
        dom = front(lab, v, 8000)
    trust(lab, v.who == "java")
    tls_label(
        lab, v, "https", ENC, PACKAGE.get(v.front, v.front), ("h2 by " if v.get("h2") else "http/1.1 by ") + v.who
    )
    lab.capture()
    for kinds in lab.rng.sample(WEB, 3 if v.who in BROWSERS or v.who == "java" else lab.rng.randint(4, 6)):
        speak(lab, v.who, url(dom, v.port), steps(lab, kinds), app=app)
        lab.sleep(0.1, 1)


@scenario(
    "tls-sockets",
    ENC,
    ["nginx", "haproxy", "chromium", "nodejs"],
    dev=[
        V(name="nginx-chromium", front="nginx", who="chromium", port=443),
        V(name="apache-node", front="apache", who="node", port=443),
        V(name="caddy-aiohttp", front="caddy", who="aiohttp", port=443),
        V(name="haproxy-firefox", front="haproxy", who="firefox", port=8443),
        V(name="hitch-node-tls12", front="hitch", who="node", port=443, tls12=1),
        V(name="nginx-aiohttp-tls12", front="nginx", who="aiohttp", port=9443, tls12=1),
        V(name="lighttpd-chromium", front="lighttpd", who="chromium", port=443),
    ],
    limit=450_000,
)
def tls_sockets(lab, v):
    """WebSocket over TLS: chats, feeds, remote calls, binary blocks, by browsers and programs."""
    lab.standard()
    v.update(web=1)
    T.cert = certificate
    webapp(lab, "127.0.0.1", 8000)
    dom = front(lab, v, 8000)
    trust(lab)
    tls_label(lab, v, "wss", ENC, PACKAGE.get(v.front, v.front), "websocket by " + v.who)
    lab.capture()
    shapes = lab.rng.sample(["ws-chat", "ws-feed", "ws-rpc", "ws-bin"], 4)
    for kinds in [shapes[0] + "+" + shapes[1], shapes[2], shapes[3], shapes[0]][: 3 if v.who in BROWSERS else 4]:
        speak(lab, v.who, url(dom, v.port), steps(lab, kinds))
        lab.sleep(0.1, 1)


@scenario(
    "tls-mail",
    ENC,
    ["dovecot-imapd", "isync", "msmtp", "swaks"],
    dev=[
        V(name="hitch-mbsync", front="hitch", who="mbsync", proto="imap", port=993),
        V(name="haproxy-mbsync-tls12", front="haproxy", who="mbsync", proto="imap", port=993, tls12=1),
        V(name="nginx-python-pop3", front="nginx", who="python", proto="pop3", port=995),
        V(name="stunnel-msmtp", front="stunnel", who="msmtp", proto="smtp", port=465),
        V(name="nginx-swaks-tls12", front="nginx", who="swaks", proto="smtp", port=465, tls12=1),
    ],
)
def tls_mail(lab, v):
    """IMAPS, POP3S and SMTPS that a front end ends, by programs that fetch and send mail."""
    c, _, s = lab.standard()
    T.cert = certificate
    mail, r = code_of("imap-tls"), lab.rng
    messages = [mail["message"](lab) for _ in range(r.randint(3, 6))]
    to = 2500
    if v.proto == "smtp":
        p = s.spawn(["/usr/bin/python3", LABDIR + "/tools/smtpd.py", "127.0.0.1", "2500"], name="smtpd")
    else:
        T.user(s, "bob")
        for i, m in enumerate(messages):
            s.put("/home/bob/Maildir/new/17%08d.M%dP1.lab" % (i, i), m)
        s.run("mkdir -p /home/bob/Maildir/cur /home/bob/Maildir/tmp; chown -R bob /home/bob/Maildir")
        s.put(
            "/etc/dovecot/dovecot.conf",
            "protocols = imap pop3\nlisten = 127.0.0.1\nbase_dir = /run/dovecot\nlog_path = /tmp/dovecot.log\n"
            "ssl = no\ndisable_plaintext_auth = no\nmail_location = maildir:~/Maildir\n"
            "passdb {\n driver = static\n args = password=secret\n}\nuserdb {\n driver = passwd\n}\n",
        )
        p, to = s.spawn(["dovecot", "-F"], name="dovecot"), {"imap": 143, "pop3": 110}[v.proto]
    s.wait_tcp(to, 10, p)
    dom = front(lab, v, to)
    trust(lab)
    tls_label(lab, v, v.proto + "s", ENC, PACKAGE.get(v.front, v.front), "by " + v.who)
    lab.capture()
    conf = c.write(
        "mbsyncrc",
        "IMAPAccount a\nHost %s\nPort %d\nUser bob\nPass secret\nSSLType IMAPS\n\nIMAPStore far\nAccount a\n\n"
        "MaildirStore near\nPath ~/m/\nInbox ~/m/INBOX\nSubFolders Verbatim\n\nChannel a\nFar :far:\nNear :near:\n"
        "Patterns *\nCreate Both\nSyncState *\n" % (dom, v.port),
        0o600,
    )
    ca, ends = lab.work + "/pki/ca.crt", ["--host=" + dom, "--port=%d" % v.port]
    for i in range(r.randint(3, 5)):
        if v.who == "mbsync":
            c.run("mkdir -p ~/m; mbsync -c %s -a" % conf, check=False)
        elif v.who == "python":
            tool = LABDIR + "/tools/mailclient.py"
            c.run(["/usr/bin/python3", tool, v.proto, dom, str(v.port), ca, "wrapped", str(lab.seed + i)], check=False)
        elif v.who == "msmtp":
            args = ["--tls=on", "--tls-starttls=off", "--from=alice@acme.test", "bob@acme.test"]
            c.run(["msmtp", *ends, *args], input=r.choice(messages), check=False)
        else:
            args = ["--from", "alice@acme.test", "--to", "bob@acme.test", "--hide-all", "-tlsc"]
            c.run(
                ["swaks", "--server", dom, "--port", str(v.port), *args, "--data", "-"],
                input=r.choice(messages),
                check=False,
            )
        lab.sleep(0.2, 2)


# runners take the scenarios in this order
for _n in ("tls-web", "tls-sockets", "tls-mail"):
    SCENARIOS[_n].more = 0.001 * (1 + sum(0 < getattr(x, "more", 0) < 1 for x in SCENARIOS.values()))
