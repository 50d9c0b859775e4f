# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Tunnels in TLS made by the programs of zz_more_tls.py, with browsers, HTTP libraries and ssh at work inside."""
import json
import uuid

from labkit import traffic as T
from labkit.registry import SCENARIOS, V, scenario
from labkit.tls_clients import BROWSERS, WEB, speak, steps, trust
from labkit.tls_ends import code_of, into_tls, tls_label
from labkit.tls_servers import PACKAGE, certificate, front, origin

INSIDE = WEB + ["up+up", "page+page", "api+posts", "poll+api"]


def ssh_session(lab, port, host, opts):
    """A shell, a command, or a copy either way."""
    r, what = lab.rng, lab.rng.choice(["shell", "shell", "command", "up", "down"])
    if what == "shell":
        T.ssh_interactive(lab, lab.c, T.ssh_cmd(lab, port, host, opts=opts), lines=r.randint(2, 5), seconds=12)
    elif what == "command":
        c = T.ssh_cmd(lab, port, host, opts=opts) + [
            r.choice(["ls -la /usr/bin | head -%d", "ps aux; df; head -%d /etc/services"]) % r.randint(5, 300)
        ]
        lab.c.run(c, check=False)
    else:
        f = lab.c.write("copy.bin", r.randbytes(r.randint(2000, 60000)))
        remote = "alice@%s:/tmp/copy" % host
        scp = T.ssh_cmd(lab, port, host, opts=opts, prog="scp")
        lab.c.run(scp + [f, remote], check=False)
        if what == "down":
            lab.c.run(scp + [remote, "/tmp/back"], check=False)


def inside(lab, v, proxy, n=4):
    """Several sessions of the programs v.who through a proxy (None: the way is routed)."""
    r = lab.rng
    trust(lab)
    for kinds in r.sample(INSIDE, n):
        who = r.choice(v.who.split("+"))
        base = r.choice(["https://", "https://", "https://", "http://"]) + lab.domain
        if who in BROWSERS:
            kinds += r.choice(["", "", "+ws-chat", "+ws-feed"])
        if who == "ssh":
            if not getattr(lab, "inner_sshd", None):
                lab.inner_sshd = T.sshd(lab.s, lab, 22, lab.origin2, name="inner-sshd")
            opts = []
            if proxy:
                by = "proxytunnel -q -E -z -p %s -d %%h:%%p" if proxy.startswith("https") else "nc -X 5 -x %s %%h %%p"
                opts = ["-o", "ProxyCommand=" + by % proxy.split("://")[1]]
            ssh_session(lab, 22, lab.origin2, opts)
        else:
            speak(lab, who, base, steps(lab, kinds), proxy, lab.app)
        lab.sleep(0.1, 1.5)


@scenario(
    "tls-proxy",
    "tunnel",
    ["squid", "tinyproxy", "apache2", "hitch"],
    dev=[
        V(name="squid-curl", front="squid", who="curl", port=443),
        V(name="apache-chromium", front="apache", who="chromium", port=443),
        V(name="hitch-firefox", front="hitch", proxy="squid", who="firefox", port=8443),
        V(name="nginx-requests", front="nginx", proxy="tinyproxy", who="requests", port=443),
        V(name="nghttpx-chromium-h2", front="nghttpx", proxy="squid", who="chromium", port=443),
        V(name="socat-php", front="socat", proxy="tinyproxy", who="php", port=4443),
        V(name="haproxy-chromium-tls12", front="haproxy", proxy="squid", who="chromium", port=443, tls12=1),
        V(name="squid-rclone-curl-tls12", front="squid", who="rclone+curl", port=3129, tls12=1),
        V(name="apache-apt-ssh", front="apache", who="apt+ssh", port=443, tls12=1),
        V(name="stunnel-hey-curl", front="stunnel", proxy="tinyproxy", who="hey+curl", port=8443),
        V(name="apache-requests-firefox", front="apache", who="requests+firefox", port=443, notickets=1),
        V(name="hitch-requests-tls12", front="hitch", proxy="tinyproxy", who="requests+ssh", port=443, tls12=1),
        V(name="squid-chromium", front="squid", who="chromium", port=443),
        V(name="hitch-curl", front="hitch", proxy="tinyproxy", who="curl", port=443),
        V(name="nghttpx-curl-requests", front="nghttpx", proxy="squid", who="curl+requests", port=8443),
        V(name="nginx-curl-tls12", front="nginx", proxy="squid", who="curl+php", port=443, tls12=1, notickets=1),
        V(name="node-requests-ssh", front="node", proxy="tinyproxy", who="requests+ssh", port=443),
        V(name="haproxy-php-hey", front="haproxy", proxy="tinyproxy", who="php+hey", port=8080),
    ],
    limit=450_000,
)
def tls_proxy(lab, v):
    """An HTTP proxy inside TLS, as administrators set it up, used by browsers and other programs."""
    lab.standard()
    T.cert = certificate
    origin(lab)
    if v.get("proxy"):
        address, lab.s.ip = lab.s.ip, "127.0.0.1"
        try:
            T.http_proxy(lab, v.proxy, 3128)
        finally:
            lab.s.ip = address
    dom = front(lab, v, 3128)
    tls_label(lab, v, "https-proxy", "tunnel", PACKAGE.get(v.front, v.front), "web by " + v.who)
    lab.capture()
    inside(lab, v, "https://%s:%d" % (dom, v.port))


def programs(name, base, *variants):
    """A scenario of the laboratory, with other certificates and with programs at work inside."""

    def run(lab, v):
        T.cert, T.origin = certificate, origin
        code_of(base)["through"] = lambda lab, args, *_, **__: inside(lab, v, "socks5h://" + args[1])
        SCENARIOS[base].func(lab, v)

    run.__doc__ = SCENARIOS[base].doc
    scenario(name, "tunnel", SCENARIOS[base].tools, dev=list(variants), limit=450_000)(run)


programs(
    "tls-trojan",
    "trojan",
    V(name="chromium-443", who="chromium", port=443),
    V(name="requests-ssh-443", who="requests+ssh", port=443, alpn=["http/1.1"]),
    V(name="firefox-8443", who="firefox", port=8443),
    V(name="hey-php-tls12-443", who="hey+php", port=443, tls12=1),
    V(name="chromium-curl-tls12-2096", who="chromium+curl", port=2096, tls12=1, alpn=["http/1.1"]),
    V(name="rclone-requests-443", who="rclone+requests", port=443, wire=1420),
)
programs(
    "tls-v2ray",
    "v2ray",
    V(name="vmess-wss-chromium", who="chromium", port=443, proto="vmess", net="ws", tls=1),
    V(name="vless-tls-requests-ssh", who="requests+ssh", port=443, proto="vless", net="tcp", tls=1),
    V(name="vless-wss-php", who="php+curl", port=8443, proto="vless", net="ws", tls=1),
    V(name="vmess-h2-firefox", who="firefox", port=443, proto="vmess", net="http", tls=1),
    V(name="vless-tls-chromium", who="chromium+hey", port=2053, proto="vless", net="tcp", tls=1, wire=1420),
)
programs(
    "tls-obfs",
    "shadowsocks-obfs",
    V(name="requests-443", who="requests+curl", port=443, cipher="chacha20-ietf-poly1305", obfs="tls"),
    V(name="chromium-443", who="chromium", port=443, cipher="aes-256-gcm", obfs="tls"),
    V(name="ssh-php-8443", who="ssh+php", port=8443, cipher="aes-128-gcm", obfs="tls"),
)


@scenario(
    "tls-v2ray-site",
    "tunnel",
    ["v2ray", "nginx", "caddy", "haproxy"],
    dev=[
        V(name="nginx-chromium", front="nginx", who="chromium", port=443, proto="vmess"),
        V(name="caddy-requests", front="caddy", who="requests+ssh", port=443, proto="vless"),
        V(name="apache-php-tls12", front="apache", who="php+hey", port=443, proto="vmess", tls12=1),
        V(name="haproxy-firefox", front="haproxy", who="firefox", port=443, proto="vless"),
        V(name="nginx-curl-tls12", front="nginx", who="curl+requests", port=8443, proto="vless", tls12=1, notickets=1),
    ],
    limit=450_000,
)
def tls_v2ray_site(lab, v):
    """v2ray by WebSocket through a web server, which ends TLS."""
    c, _, s = lab.standard()
    v.update(web=1)
    T.cert = certificate
    origin(lab)
    user = {"id": str(uuid.UUID(int=lab.rng.getrandbits(128), version=4))}
    extra = {"decryption": "none"} if v.proto == "vless" else {}
    ws = {"network": "ws", "wsSettings": {"path": "/ws"}}
    conf = s.write(
        "v2.json",
        json.dumps(
            {
                "inbounds": [
                    {
                        "port": 10000,
                        "listen": "127.0.0.1",
                        "protocol": v.proto,
                        "streamSettings": ws,
                        "settings": {"clients": [user], **extra},
                    }
                ],
                "outbounds": [{"protocol": "freedom", "settings": {}}],
            }
        ),
    )
    p = s.spawn(["v2ray", "-config", conf])
    s.wait_tcp(10000, 8, p)
    dom = front(lab, v, 10000)
    user.update({"encryption": "none"} if extra else {"security": "auto"})
    ws = dict(ws, security="tls", tlsSettings={"serverName": dom, "allowInsecure": True})
    conf = c.write(
        "v2.json",
        json.dumps(
            {
                "inbounds": [{"port": 1080, "listen": "127.0.0.1", "protocol": "socks", "settings": {}}],
                "outbounds": [
                    {
                        "protocol": v.proto,
                        "settings": {"vnext": [{"address": dom, "port": v.port, "users": [user]}]},
                        "streamSettings": ws,
                        "mux": {"enabled": lab.rng.random() < 0.2},
                    }
                ],
            }
        ),
    )
    tls_label(lab, v, "v2ray-%s-ws-tls" % v.proto, "tunnel", "v2ray", "web by " + v.who)
    lab.capture()
    p = c.spawn(["v2ray", "-config", conf])
    c.wait_tcp(1080, 8, p)
    inside(lab, v, "socks5h://127.0.0.1:1080")


@scenario(
    "tls-ssh",
    "tunnel",
    ["socat", "hitch", "ncat", "gnutls-bin"],
    dev=[
        V(name="socat-socat", front="socat", into="socat - openssl:%(dom)s:%(port)d", port=443),
        V(name="hitch-gnutls", front="hitch", into="gnutls-cli --logfile=/dev/null -p %(port)d %(dom)s", port=443),
        V(name="ncat-ncat", front="ncat", into="ncat --ssl %(dom)s %(port)d", port=8443),
        V(
            name="nginx-sclient",
            front="nginx",
            into="openssl s_client -quiet -servername %(dom)s -connect %(dom)s:%(port)d",
            port=443,
        ),
        V(name="haproxy-ncat-tls12", front="haproxy", into="ncat --ssl %(dom)s %(port)d", port=443, tls12=1),
        V(
            name="nginx-gnutls-tls12",
            front="nginx",
            into="gnutls-cli --logfile=/dev/null -p %(port)d %(dom)s",
            port=993,
            tls12=1,
        ),
        V(name="stunnel-socat", front="stunnel", into="socat - openssl:%(dom)s:%(port)d", port=2222),
    ],
    limit=450_000,
)
def tls_ssh(lab, v):
    """SSH inside TLS by ProxyCommand: shells, commands, copies, SOCKS with a web program behind it."""
    lab.standard()
    T.cert = certificate
    origin(lab)
    T.sshd(lab.s, lab, 22, "127.0.0.1")
    dom = front(lab, v, 22)
    trust(lab)
    tls_label(lab, v, "ssh-in-tls", "tunnel", PACKAGE.get(v.front, v.front), "ssh")
    lab.capture()
    opts = ["-o", "ProxyCommand=" + v.into % {"dom": dom, "port": v.port}]
    for _ in range(lab.rng.randint(3, 5)):
        ssh_session(lab, 22, "server", opts)
        lab.sleep(0.2, 1)
    p = lab.c.spawn(T.ssh_cmd(lab, 22, "server", opts=opts + ["-N", "-D", "127.0.0.1:1080"]), name="ssh-D")
    lab.c.wait_tcp(1080, 15, p)
    for kinds in lab.rng.sample(INSIDE, 2):
        speak(lab, "requests", "https://" + lab.domain, steps(lab, kinds), "socks5h://127.0.0.1:1080")
    p.stop()


@scenario(
    "tls-openvpn",
    "tunnel",
    ["socat", "hitch", "openvpn"],
    dev=[
        V(name="socat-socat", front="socat", into="socat", who="requests+curl", port=443),
        V(name="hitch-stunnel", front="hitch", into="stunnel", who="chromium", port=443, wrap="tls-crypt"),
        V(name="nginx-socat-tls12", front="nginx", into="socat", who="php+ssh", port=443, tls12=1),
        V(name="ncat-socat", front="ncat", into="socat", who="perl+ssh", port=1194, cipher="CHACHA20-POLY1305"),
        V(name="haproxy-socat", front="haproxy", into="socat", who="chromium+wget", port=8443, wrap="tls-auth"),
    ],
    limit=450_000,
)
def tls_openvpn(lab, v):
    """OpenVPN over TCP inside TLS, twice, with programs inside."""
    ovpn = code_of("openvpn-tcp")
    lab.standard()
    T.cert = certificate
    origin(lab)
    cconf, _ = ovpn["start"](lab, v, "tcp", "127.0.0.1", 11940, remote="127.0.0.1 11940")
    dom = front(lab, v, 11940)
    trust(lab)
    if v.into == "socat":
        p = lab.c.spawn(["socat", "tcp-listen:11940,bind=127.0.0.1,fork,reuseaddr", "openssl:%s:%d" % (dom, v.port)])
        lab.c.wait_tcp(11940, 8, p)
    else:
        into_tls(lab, v, dom, 11940)
    tls_label(lab, v, "openvpn-in-tls", "tunnel", PACKAGE.get(v.front, v.front), "web by " + v.who)
    lab.capture()
    for _ in range(2):
        p = ovpn["connect"](lab, cconf)
        inside(lab, v, None, 2)
        T.inner_mix(lab, inner=lab.rng.choice(["idle", "ping+idle", "ping", "api"]))
        ovpn["finish"](lab, p)


# runners take the scenarios in this order
for _n in ("tls-proxy", "tls-trojan", "tls-v2ray", "tls-v2ray-site", "tls-ssh", "tls-openvpn", "tls-obfs"):
    SCENARIOS[_n].more = 0.001 * (1 + sum(0 < getattr(x, "more", 0) < 1 for x in SCENARIOS.values()))
