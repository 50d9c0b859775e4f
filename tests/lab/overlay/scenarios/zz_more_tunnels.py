# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Tunnels with other programs at their ends: TLS that HAProxy, Node.js or OpenSSL's client makes, Apache's CONNECT."""
from labkit import traffic as T
from labkit.registry import SCENARIOS, V, scenario
from labkit.tls_ends import TOOL, code_of, front, into_tls, tls_label


@scenario(
    "https-proxy-fronts",
    "tunnel",
    ["squid", "haproxy", "nodejs", "stunnel4"],
    dev=[
        V(name="haproxy-tinyproxy-443", front="haproxy", proxy="tinyproxy", port=443),
        V(name="node-squid-8443", front="node", proxy="squid", port=8443),
        V(name="stunnel-both-tls12", front="stunnel", into="stunnel", proxy="tinyproxy", port=443, tls12=1),
        V(name="haproxy-node-6443", front="haproxy", into="node", proxy="squid", port=6443),
        V(name="node-tinyproxy-tls12", front="node", proxy="tinyproxy", port=443, tls12=1),
    ],
)
def https_proxy_fronts(lab, v):
    """An HTTP proxy inside TLS that other programs end; the browser's side is curl or a local relay."""
    lab.standard()
    T.origin(lab)
    address, lab.s.ip = lab.s.ip, "127.0.0.1"
    try:
        T.http_proxy(lab, v.proxy, 3128)
    finally:
        lab.s.ip = address
    dom = front(lab, v, 3128)
    tls_label(lab, v, "https-proxy", "tunnel", TOOL[v.front], "connect(https)+http")
    lab.capture()
    if v.get("into"):
        into_tls(lab, v, dom, 3128)
        args = ["-x", "http://127.0.0.1:3128"]
    else:
        args = ["-x", "https://%s:%d" % (dom, v.port), "--proxy-cacert", lab.work + "/pki/ca.crt"]
    code_of("https-proxy")["through"](lab, args, 4)


@scenario(
    "ssh-in-tls-fronts",
    "tunnel",
    ["haproxy", "nodejs", "openssl", "stunnel4"],
    dev=[
        V(name="haproxy-sclient-443", front="haproxy", into="openssl", port=443),
        V(name="node-both-8443", front="node", into="node", port=8443),
        V(name="haproxy-stunnel-tls12", front="haproxy", into="stunnel", port=443, tls12=1),
        V(name="stunnel-sclient-992", front="stunnel", into="openssl", port=992),
    ],
)
def ssh_in_tls_fronts(lab, v):
    """SSH inside TLS: a shell, a copy, then SOCKS."""
    lab.standard()
    T.origin(lab)
    T.sshd(lab.s, lab, 22, "127.0.0.1")
    dom = front(lab, v, 22)
    tls_label(lab, v, "ssh-in-tls", "tunnel", TOOL[v.front], "ssh")
    opts = []
    if v.into == "openssl":
        opts = [
            "-o",
            "ProxyCommand=openssl s_client -quiet -CAfile %s/pki/ca.crt -servername %s -connect %s:%d"
            % (lab.work, dom, dom, v.port),
        ]
    else:
        into_tls(lab, v, dom, 2200)
    lab.capture()
    T.ssh_interactive(lab, lab.c, T.ssh_cmd(lab, 2200, "127.0.0.1", opts=opts), lines=4, seconds=12)
    f = lab.c.write("copy.bin", lab.rng.randbytes(lab.rng.randint(5000, 40000)))
    lab.c.run(T.ssh_cmd(lab, 2200, "127.0.0.1", opts=opts, prog="scp") + [f, "alice@127.0.0.1:/tmp/copy"], check=False)
    p = lab.c.spawn(T.ssh_cmd(lab, 2200, "127.0.0.1", opts=opts + ["-N", "-D", "127.0.0.1:1080"]), name="ssh-D")
    lab.c.wait_tcp(1080, 15, p)
    T.Web(lab, lab.c, "http://" + lab.origin, lab.site, ["--socks5-hostname", "127.0.0.1:1080"]).mix(2)
    p.stop()


@scenario(
    "openvpn-in-tls-fronts",
    "tunnel",
    ["haproxy", "nodejs", "stunnel4", "openvpn"],
    dev=[
        V(name="haproxy-stunnel-443", front="haproxy", into="stunnel", port=443),
        V(name="node-both-1443", front="node", into="node", port=1443),
        V(name="haproxy-node-tls12", front="haproxy", into="node", port=443, tls12=1, wrap="tls-crypt"),
        V(name="stunnel-node-8443", front="stunnel", into="node", port=8443, cipher="AES-128-GCM"),
    ],
)
def openvpn_in_tls_fronts(lab, v):
    """OpenVPN over TCP inside TLS."""
    ovpn = code_of("openvpn-tcp")
    lab.standard()
    T.origin(lab)
    cconf, _ = ovpn["start"](lab, v, "tcp", "127.0.0.1", 11940, remote="127.0.0.1 11940")
    dom = front(lab, v, 11940)
    into_tls(lab, v, dom, 11940)
    inner = lab.rng.choice(T.INNERS)
    tls_label(lab, v, "openvpn-in-tls", "tunnel", TOOL[v.front], inner)
    lab.capture()
    p = ovpn["connect"](lab, cconf)
    T.inner_mix(lab, inner=inner)
    ovpn["finish"](lab, p)


@scenario(
    "connect-proxies",
    "tunnel",
    ["apache2", "curl"],
    dev=[V(name="apache-8080", port=8080), V(name="apache-443", port=443)],
)
def connect_proxies(lab, v):
    """HTTPS through Apache's CONNECT."""
    c, _, s = lab.standard()
    T.origin(lab)
    mods = ["mpm_event", "authz_core", "authz_host", "proxy", "proxy_http", "proxy_connect"]
    conf = s.write(
        "proxy.conf",
        "ServerRoot /tmp\nPidFile /tmp/apache.pid\nServerName proxy\nListen %s:%d\n" % (s.ip, v.port)
        + "".join("LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n" % (m, m) for m in mods)
        + "ErrorLog /tmp/apache.err\nProxyRequests On\nAllowCONNECT 443 22\n<Proxy *>\nRequire all granted\n</Proxy>\n"
        + "User www-data\nGroup www-data\n",
    )
    p = s.spawn(["apache2", "-DFOREGROUND", "-f", conf])
    s.wait_tcp(v.port, 10, p)
    lab.label(
        "http-connect",
        "tunnel",
        "tcp",
        v.port,
        flt='http.request.method=="CONNECT"',
        decode="tcp.port==%d,http" % v.port,
        tool="apache2",
        inner="https",
    )
    lab.capture()
    T.Web(lab, c, "https://" + lab.domain, lab.site, ["-x", "http://%s:%d" % (s.ip, v.port)]).mix(4)


# runners take the scenarios in this order
for _n in ("https-proxy-fronts", "ssh-in-tls-fronts", "openvpn-in-tls-fronts", "connect-proxies"):
    SCENARIOS[_n].more = 0.001 * (1 + sum(0 < getattr(x, "more", 0) < 1 for x in SCENARIOS.values()))
