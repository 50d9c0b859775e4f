# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""TLS servers of many programs for zz_more_tls*.py: certificates with chains of several lengths, the application of
tools/webapp.py, and front ends (`v.front`) before a plain port.
"""
import os

from labkit import tls_ends
from labkit import traffic as T
from labkit.core import LABDIR


def certificate(lab, cn, usage="serverAuth", kind=None, alt=(), plain=T.cert):
    """Like traffic.cert, with up to two certificates between and some with many names, as content networks have."""
    if usage != "serverAuth" or cn.startswith("vpn"):
        return plain(lab, cn, usage, kind, alt)
    r, d = lab.rng, lab.work + "/pki"
    T.ca(lab)
    up, chain = d + "/ca", ""
    for i in range(r.choice([0, 1, 1, 1, 2])):
        name = "%s/between-%s-%d" % (d, cn, i)
        sign(
            lab,
            r.choice(["rsa2048", "ec", "ec384", "rsa4096"]),
            "/C=US/O=Example Trust Services/CN=Issuing CA R%d" % i,
            name,
            up,
            "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
            "authorityInfoAccess=OCSP;URI:http://ocsp."
            "example.test\ncertificatePolicies=2.23.140.1.2.1\n",
        )
        up, chain = name, open(name + ".crt").read() + chain
    names = [cn, *alt] + ["www%d.%s" % (i, cn) for i in range(r.choice([0, 1, 1, 3, 30]))]
    b = "%s/%s" % (d, cn)
    sign(
        lab,
        kind or r.choice(["ec", "rsa2048", "rsa2048", "ec384", "rsa4096"]),
        "/CN=" + cn,
        b,
        up,
        "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n"
        "keyUsage=digitalSignature,keyEncipherment\nsubjectAltName="
        + ",".join(("IP:" if n.replace(".", "").isdigit() else "DNS:") + n for n in names)
        + "\n",
    )
    with open(b + ".chain", "w") as f:
        f.write(open(b + ".crt").read() + chain)
    with open(b + ".pem", "w") as f:
        f.write(open(b + ".key").read() + open(b + ".chain").read())
    return b + ".crt", b + ".key", b + ".chain"


def sign(lab, kind, subject, name, up, extensions):
    key = {
        "ec": ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
        "ec384": ["ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"],
    }
    with open(name + ".ext", "w") as f:
        f.write(extensions)
    T._run(
        lab,
        [
            "openssl",
            "req",
            "-new",
            "-newkey",
            *key.get(kind, ["rsa:" + kind[3:]]),
            "-nodes",
            "-keyout",
            name + ".key",
            "-out",
            name + ".csr",
            "-subj",
            subject,
        ],
    )
    T._run(
        lab,
        [
            "openssl",
            "x509",
            "-req",
            "-in",
            name + ".csr",
            "-CA",
            up + ".crt",
            "-CAkey",
            up + ".key",
            "-set_serial",
            str(lab.rng.getrandbits(120)),
            "-days",
            "90",
            "-out",
            name + ".crt",
            "-extfile",
            name + ".ext",
        ],
    )
    for end in (".key", ".crt"):
        os.chmod(name + end, 0o644)


def webapp(lab, host, port, *tls):
    if not getattr(lab, "site", None):
        lab.site = T.Site(lab, lab.rng.choice([0.4, 0.8, 1.3]))
    p = lab.s.spawn(
        ["/usr/bin/python3", LABDIR + "/tools/webapp.py", host, str(port), lab.site.dir, str(lab.seed), *tls],
        name="webapp",
    )
    lab.s.wait("web application", lambda: "%s:%d " % (host, port) in lab.s.run(["ss", "-Hntl"]), 10, p)
    return p


PROXY = (
    "location / { proxy_pass http://127.0.0.1:%d; proxy_http_version 1.1; proxy_buffering off; "
    "client_max_body_size 9m; proxy_set_header Host $host; proxy_set_header Upgrade $http_upgrade; "
    "proxy_set_header Connection $connection_upgrade; }"
)
UPGRADE = "map $http_upgrade $connection_upgrade { default upgrade; '' ''; }"


def origin(lab, tls=True):
    """The web site behind a tunnel, as traffic.origin makes it, with the application behind it."""
    lab.app = webapp(lab, "127.0.0.1", 8001)
    lab.domain = T.domain(lab)
    _, key, chain = certificate(lab, lab.domain)
    lab.hosts(lab.origin, lab.domain)
    old = lab.rng.random() < 0.3
    T.nginx(
        lab.s,
        lab,
        ["%s:80" % lab.origin, "%s:80" % lab.origin2, "%s:443 ssl%s" % (lab.origin, lab.rng.choice(["", " http2"]))],
        lab.site,
        name="origin",
        server_extra=PROXY % 8001,
        extra=UPGRADE,
        tls=(chain, key, "ssl_protocols TLSv1.2%s;" % ("" if old else " TLSv1.3")),
    )
    return lab.site


def front(lab, v, to):
    """TLS by the program v.front at the server's address and v.port, before the plain port `to`; returns the domain.

    Keys of v: tls12; h2; web (the program may take part in HTTP instead of relaying bytes); notickets; ciphers.
    """
    if v.front in ("haproxy", "node", "stunnel"):
        return tls_ends.front(lab, v, to)
    s, dom = lab.s, T.domain(lab)
    _, key, chain = certificate(lab, dom, kind=v.get("key"), alt=[s.ip])
    lab.hosts(s.ip, dom)
    pem = s.write("front.pem", open(key).read() + open(chain).read())
    at, old = (s.ip, v.port), v.get("tls12")
    protocols = "TLSv1.2" + ("" if old else " TLSv1.3")
    ssl = "ssl_protocols %s; ssl_session_tickets %s; ssl_session_cache shared:x:1m; %s" % (
        protocols,
        "off" if v.get("notickets") else "on",
        "ssl_ciphers %s;" % v.ciphers if v.get("ciphers") else "",
    )
    if v.front == "nginx" and v.get("web"):
        T.nginx(
            s,
            lab,
            ["%s:%d ssl%s" % (*at, " http2" if v.get("h2") else "")],
            lab.site,
            tls=(chain, key, ssl),
            server_extra=PROXY % to,
            extra=UPGRADE,
        )
        return dom
    if v.front == "nginx":
        conf = s.write(
            "front.conf",
            "load_module modules/ngx_stream_module.so;\ndaemon off; worker_processes 1; user root; "
            "pid /tmp/front.pid; error_log /tmp/front.err;\nevents {}\nstream { server { listen %s:%d ssl; "
            "ssl_certificate %s; ssl_certificate_key %s; %s proxy_pass 127.0.0.1:%d; } }\n"
            % (*at, chain, key, ssl, to),
        )
        cmd = ["nginx", "-c", conf]
    elif v.front == "apache":
        # with `web` a reverse proxy, without it a forward proxy of its own
        mods = [
            "mpm_event",
            "authz_core",
            "authz_host",
            "ssl",
            "socache_shmcb",
            "proxy",
            "proxy_http",
            "proxy_connect",
            "proxy_wstunnel",
            "http2",
        ]
        conf = s.write(
            "front.conf",
            "ServerRoot /tmp\nPidFile /tmp/front.pid\nServerName %s\nListen %s:%d\n" % (dom, *at)
            + "".join("LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n" % (m, m) for m in mods)
            + "ErrorLog /tmp/front.err\nUser www-data\nGroup www-data\nSSLEngine on\nSSLCertificateFile %s\n"
            "SSLCertificateKeyFile %s\nSSLProtocol %s\nProtocols %s\n"
            % (chain, key, "TLSv1.2" if old else "TLSv1.2 +TLSv1.3", "h2 http/1.1" if v.get("h2") else "http/1.1")
            + (
                "ProxyPass /ws ws://127.0.0.1:%d/ws\nProxyPass / http://127.0.0.1:%d/\n" % (to, to)
                if v.get("web")
                else "ProxyRequests On\nAllowCONNECT 443 22\n<Proxy *>\nRequire all granted\n</Proxy>\n"
            ),
        )
        cmd = ["apache2", "-DFOREGROUND", "-f", conf]
    elif v.front == "lighttpd":
        conf = s.write(
            "front.conf",
            'server.modules = ("mod_openssl", "mod_proxy")\nserver.document-root = "/tmp"\n'
            'server.bind = "%s"\nserver.port = %d\nssl.engine = "enable"\nssl.pemfile = "%s"\nssl.privkey = "%s"\n'
            'ssl.openssl.ssl-conf-cmd = ("MinProtocol" => "TLSv1.2", "MaxProtocol" => "TLSv%s")\n'
            'server.feature-flags = ("server.h2proto" => "%s")\nproxy.server = ("" => (("host" => "127.0.0.1", '
            '"port" => %d)))\nproxy.header = ("upgrade" => "enable")\nserver.stream-response-body = 1\n'
            % (*at, chain, key, "1.2" if old else "1.3", "enable" if v.get("h2") else "disable", to),
        )
        cmd = ["lighttpd", "-D", "-f", conf]
    elif v.front == "caddy":
        conf = s.write(
            "Caddyfile",
            "{\n admin off\n auto_https off\n servers {\n  protocols h1%s\n }\n}\nhttps://%s:%d {\n bind %s\n"
            " tls %s %s%s\n reverse_proxy 127.0.0.1:%d {\n  flush_interval -1\n }\n}\n"
            % (
                " h2" if v.get("h2") else "",
                dom,
                v.port,
                s.ip,
                chain,
                key,
                " {\n  protocols tls1.2 tls1.2\n }" if old else "",
                to,
            ),
        )
        cmd = ["caddy", "run", "--config", conf, "--adapter", "caddyfile"]
    elif v.front == "h2o":
        conf = s.write(
            "front.conf",
            "user: root\nlisten:\n  host: %s\n  port: %d\n  ssl:\n    certificate-file: %s\n    key-file: %s\n"
            "hosts:\n  default:\n    paths:\n      /:\n        proxy.reverse.url: http://127.0.0.1:%d/\n"
            "        proxy.websocket: ON\npid-file: /tmp/h2o.pid\nerror-log: /tmp/h2o.err\n" % (*at, chain, key, to),
        )
        cmd = ["h2o", "-c", conf]
    elif v.front == "nghttpx":
        cmd = [
            "nghttpx",
            "--conf=/dev/null",
            "--no-ocsp",
            "--workers=1",
            "--frontend=%s,%d" % at,
            "--backend=127.0.0.1,%d" % to,
            "--errorlog-file=/tmp/nghttpx.err",
            *([] if v.get("web") else ["--http2-proxy"]),
            key,
            chain,
        ]
    elif v.front == "hitch":
        cmd = [
            "hitch",
            "--frontend=[%s]:%d" % at,
            "--backend=[127.0.0.1]:%d" % to,
            "--user=nobody",
            "--tls-protos=" + protocols,
            pem,
        ]
    elif v.front == "socat":
        cmd = [
            "socat",
            "openssl-listen:%d,bind=%s,reuseaddr,fork,cert=%s,verify=0%s"
            % (v.port, s.ip, pem, ",openssl-max-proto-version=TLS1.2" if old else ""),
            "tcp:127.0.0.1:%d" % to,
        ]
    elif v.front == "ncat":
        cmd = [
            "ncat",
            "-l",
            s.ip,
            str(v.port),
            "-k",
            "--ssl",
            "--ssl-cert",
            chain,
            "--ssl-key",
            key,
            "--sh-exec",
            "ncat 127.0.0.1 %d" % to,
        ]
    elif v.front == "squid":
        conf = s.write(
            "front.conf",
            "https_port %s:%d tls-cert=%s tls-key=%s%s\nhttp_access allow all\ncache deny all\n"
            "cache_log /tmp/squid.log\naccess_log none\npid_filename /tmp/front.pid\ncoredump_dir /tmp\n"
            "cache_effective_user proxy\nshutdown_lifetime 1 seconds\npinger_enable off\n"
            % (*at, chain, key, " tls-options=NORMAL:-VERS-TLS1.3" if old else ""),
        )
        cmd = ["squid", "-N", "-f", conf]
    else:
        raise ValueError(v.front)
    p = s.spawn(cmd, name=v.front, env={"XDG_DATA_HOME": s.path("x"), "XDG_CONFIG_HOME": s.path("x")})
    # the web site behind the tunnel may listen on the same port of another address
    s.wait("front end", lambda: "%s:%d " % at in s.run(["ss", "-Hntl"]), 15, p)
    return dom


PACKAGE = {
    "node": "nodejs",
    "stunnel": "stunnel4",
    "apache": "apache2",
    "nghttpx": "nghttp2-proxy",
    "python": "python3-aiohttp",
}
