# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""More variants of the traffic laboratory's scenarios, for training data that generalises.

A file of the laboratory's scenarios/ folder: it replaces the variants of the scenarios that it names, so that the
captures made with it come on top of those of the laboratory's own variants. The name sorts last on purpose: the
other files must have been loaded. Programs and options are those that the laboratory's development variants use,
in other combinations, with OpenSSL's system-wide settings for the rest.

Two keys work in every variant: `wire` is the MTU of the wire; `tls_s` and `tls_c` are lines of OpenSSL's
system_default section on the server and on the client (protocol, ciphers, groups). Not every program heeds them:
trojan, stunnel, nginx and Apache have settings of their own, and curl ignores the protocol but not the ciphers.
"""
from labkit.registry import SCENARIOS, V

TLS12 = "MaxProtocol = TLSv1.2\n"
CHACHA = "Ciphersuites = TLS_CHACHA20_POLY1305_SHA256\n"
AES128 = "Ciphersuites = TLS_AES_128_GCM_SHA256\n"
P384 = "Groups = P-384\n"
TLS12_CBC = TLS12 + "CipherString = ECDHE+AES256:!AESGCM:!AESCCM:!ARIA:!CAMELLIA:@SECLEVEL=1\n"
# stunnel has settings of its own for these
STUNNEL_CHACHA = "ciphersuites = TLS_CHACHA20_POLY1305_SHA256"
STUNNEL_AES128_P384 = "ciphersuites = TLS_AES_128_GCM_SHA256\ncurves = secp384r1"


def with_wire(func):
    """The scenario with the keys that work everywhere."""

    def run(lab, v):
        standard = lab.standard

        def patched(**kw):
            if v.get("wire"):
                kw["mtu"] = v["wire"]
            nodes = standard(**kw)
            for node, key in ((lab.s, "tls_s"), (lab.c, "tls_c")):
                if v.get(key):
                    node.put(
                        "/etc/ssl/openssl.cnf",
                        "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = d\n[d]\n" + v[key],
                    )
            return nodes

        lab.standard = patched
        func(lab, v)

    run.scenario = func
    return run


def more(name, *variants):
    s = SCENARIOS[name]
    s.more = len([x for x in SCENARIOS.values() if hasattr(x, "more")]) + 1
    s.variants["dev"] = list(variants)
    s.func = with_wire(s.func)


# what goes on inside the tunnels, on top of the laboratory's mixtures
for _scenario, _list, _items in (
    (
        "wireguard",
        None,
        ["https+idle+page", "upload+upload+api", "video+video+idle", "ping+idle+ssh", "page+https+upload"],
    ),
    ("n2n", "FAST", ["upload+api+idle", "video+page+ping", "ping+idle+page", "page+upload+bulk"]),
):
    _globals = SCENARIOS[_scenario].func.__globals__
    (_globals[_list] if _list else _globals["T"].INNERS).extend(_items)

# --- proxies -------------------------------------------------------------------------------
more(
    "trojan",
    V(name="443-b", port=443),
    V(name="2083-tls12", port=2083, tls_s=TLS12),
    V(name="8443-tls13-aes128-p384", port=8443, tls_s=AES128 + P384),
    V(name="443-tls12-mtu1400", port=443, tls_s=TLS12, wire=1400),
)
more(
    "shadowsocks",
    V(name="chacha-8388", port=8388, cipher="chacha20-ietf-poly1305"),
    V(name="aes256gcm-443-mtu1400", port=443, cipher="aes-256-gcm", wire=1400),
    V(name="aes128cfb-1984", port=1984, cipher="aes-128-cfb"),
    V(name="aes128gcm-8080", port=8080, cipher="aes-128-gcm"),
)
more(
    "shadowsocks-udp",
    V(name="aes128gcm-8389", port=8389, cipher="aes-128-gcm"),
    V(name="aes256cfb-8388", port=8388, cipher="aes-256-cfb"),
    V(name="chacha-53", port=53, cipher="chacha20-ietf-poly1305"),
)
more(
    "shadowsocks-obfs",
    V(name="tls-8443", port=8443, cipher="aes-128-gcm", obfs="tls"),
    V(name="http-8080", port=8080, cipher="chacha20-ietf-poly1305", obfs="http"),
    V(name="tls-443-mtu1400", port=443, cipher="aes-256-gcm", obfs="tls", wire=1400),
    V(name="http-80-cfb", port=80, cipher="aes-256-cfb", obfs="http"),
)
more(
    "shadowsocks-v2ray",
    V(name="wss-8443", port=8443, cipher="aes-128-gcm", tls=1),
    V(name="ws-8080", port=8080, cipher="aes-256-cfb"),
    V(name="wss-443-aes256gcm", port=443, cipher="aes-256-gcm", tls=1),
    V(name="ws-80-chacha", port=80, cipher="chacha20-ietf-poly1305"),
)
more(
    "v2ray",
    V(name="vmess-wss-8443", port=8443, proto="vmess", net="ws", tls=1),
    V(name="vless-tls-8443", port=8443, proto="vless", net="tcp", tls=1),
    V(name="vmess-tcp-443", port=443, proto="vmess", net="tcp"),
    V(name="vmess-kcp-utp-20000", port=20000, proto="vmess", net="kcp", header="utp"),
    V(name="vmess-wss-443-mtu1400", port=443, proto="vmess", net="ws", tls=1, wire=1400),
    V(name="vmess-kcp-dtls-4433", port=4433, proto="vmess", net="kcp", header="dtls"),
    V(name="vless-tls-443-mtu1400", port=443, proto="vless", net="tcp", tls=1, wire=1400),
    V(name="vmess-tcp-8080-mtu1400", port=8080, proto="vmess", net="tcp", wire=1400),
    V(name="vmess-kcp-none-8000", port=8000, proto="vmess", net="kcp", header="none"),
    V(name="vmess-http-8080", port=8080, proto="vmess", net="tcp", header="http"),
)
more(
    "obfs4",
    V(name="obfs4-8443", port=8443, pt="obfs4", iat=0),
    V(name="obfs2-9002", port=9002, pt="obfs2"),
    V(name="obfs3-443", port=443, pt="obfs3"),
    V(name="obfs4-80-mtu1400", port=80, pt="obfs4", iat=0, wire=1400),
    V(name="obfs4-iat1-443", port=443, pt="obfs4", iat=1),
)
more(
    "socks5",
    V(name="dante-1085", port=1085, server="dante"),
    V(name="microsocks-1080", port=1080, server="microsocks"),
    V(name="microsocks-auth-443", port=443, server="microsocks", auth=1),
)
more(
    "http-connect",
    V(name="squid-8080", port=8080, proxy="squid"),
    V(name="tinyproxy-3128", port=3128, proxy="tinyproxy"),
    V(name="squid-8000", port=8000, proxy="squid"),
)
more(
    "https-proxy",
    V(name="8443-tls12", port=8443, tls12=1),
    V(name="443-b", port=443),
    V(name="3129", port=3129),
    V(name="443-chacha", port=443, tls_c=CHACHA),
    V(name="4443-aes128-p384", port=4443, tls_c=AES128 + P384),
)
more(
    "tor",
    V(name="orport-9030", port=9030),
    V(name="orport-443-mtu1400", port=443, wire=1400),
)

# --- VPNs ----------------------------------------------------------------------------------
more(
    "openvpn-udp",
    V(name="tlscrypt-1194-aes128", port=1194, wrap="tls-crypt", cipher="AES-128-GCM"),
    V(name="tls-443-mtu1400", port=443, wire=1400),
    V(name="tlsauth-1196-sha512", port=1196, wrap="tls-auth", auth="SHA512"),
    V(name="cbc128-2000", port=2000, cipher="AES-128-CBC", auth="SHA1"),
    V(name="tls-8080-tunmtu1300", port=8080, cipher="CHACHA20-POLY1305", tun_mtu=1300),
)
more(
    "openvpn-tcp",
    V(name="tlscrypt-443", port=443, wrap="tls-crypt"),
    V(name="tls-1194-aes128", port=1194, cipher="AES-128-GCM"),
    V(name="tlsauth-8080-sha512", port=8080, wrap="tls-auth", auth="SHA512"),
    V(name="chacha-80-mtu1400", port=80, cipher="CHACHA20-POLY1305", wire=1400),
)
more(
    "openvpn-static",
    V(name="tcp-1194-aes256", port=1194, proto="tcp", cipher="AES-256-CBC", auth="SHA256"),
    V(name="udp-443-aes128", port=443, proto="udp", cipher="AES-128-CBC", auth="SHA256"),
    V(name="tcp-8080-aes192", port=8080, proto="tcp", cipher="AES-192-CBC", auth="SHA512"),
    V(name="udp-2000-aes128-sha1", port=2000, proto="udp", cipher="AES-128-CBC", auth="SHA1"),
)
more(
    "openvpn-stunnel",
    V(name="993", port=993),
    V(name="443-chacha", port=443, opt=STUNNEL_CHACHA),
    V(name="443-tls12", port=443, opt="sslVersionMax = TLSv1.2"),
    V(name="8443-aes128-p384", port=8443, opt=STUNNEL_AES128_P384, wrap="tls-auth"),
    V(name="443-mtu1400-tlscrypt", port=443, wire=1400, wrap="tls-crypt"),
)
more(
    "wireguard",
    V(name="1194-keep25", port=1194, keep=25),
    V(name="51821-keep5-mtu1380", port=51821, keep=5, wgmtu=1380),
    V(name="500", port=500),
    V(name="8080-psk-mtu1200", port=8080, psk=1, wgmtu=1200, keep=4),
)
more(
    "ipsec-ikev2",
    V(name="curve25519-chacha", ike="aes256-sha256-curve25519", esp="chacha20poly1305"),
    V(name="modp3072-aes128cbc", ike="aes256-sha384-modp3072", esp="aes128-sha256"),
    V(name="aesgcm-cert-mtu1400", ike="aes128-sha256-ecp256", esp="aes128gcm16", cert=1, wire=1400),
    V(name="modp4096-aes256gcm", ike="aes256-sha512-modp4096", esp="aes256gcm16"),
)
more(
    "openconnect",
    V(name="dtls-4443", port=4443),
    V(name="tls-only-8443", port=8443, args=["--no-dtls"]),
    V(name="dtls-443-win-mtu1400", port=443, os="win", wire=1400),
    V(name="tls12-only-443", port=443, args=["--no-dtls", "--gnutls-priority=NORMAL:-VERS-TLS1.3"]),
    V(name="dtls-tls12-8444", port=8444, args=["--gnutls-priority=NORMAL:-VERS-TLS1.3"]),
)
more(
    "softether",
    V(name="992-conns4", port=992, conns=4),
    V(name="443-oneconn", port=443, conns=1),
    V(name="8888-conns2", port=8888, conns=2),
    V(name="over-dns-992", port=992, over="dns", conns=1),
)
more(
    "n2n",
    V(name="10090-mtu1290", port=10090, mtu=1290),
    V(name="5645", port=5645),
    V(name="53-mtu1000", port=53, mtu=1000),
)
more(
    "tinc",
    V(name="tcponly-655", port=655, extra="TCPOnly = yes\n"),
    V(name="udp-443", port=443),
    V(name="udp-1655-aes128", port=1655, extra="Cipher = aes-128-cbc\nDigest = sha1\n"),
    V(name="udp-655-zip", port=655, extra="Compression = 9\n"),
)
more(
    "fastd",
    V(name="salsa20-1194", port=1194, method="salsa20+umac"),
    V(name="salsa2012-655-mtu1350", port=655, method="salsa2012+umac", mtu=1350),
    V(name="salsa20-5353", port=5353, method="salsa20+umac", mtu=1200),
)
more(
    "nebula",
    V(name="4243-aes-mtu1200", port=4243, cipher="aes", mtu=1200),
    V(name="53-aes", port=53, cipher="aes", mtu=1250),
    V(name="1194-aes-mtu1350", port=1194, cipher="aes", mtu=1350),
)
more(
    "vtun",
    V(name="udp-5002-aes256", port=5002, proto="udp", enc="aes256cbc"),
    V(name="tcp-443-aes256", port=443, proto="tcp", enc="aes256ecb"),
    V(name="tcp-8080-aes128cbc", port=8080, proto="tcp", enc="aes128cbc"),
    V(name="udp-5001-aes128ecb", port=5001, proto="udp", enc="aes128ecb"),
)
more(
    "gvpe",
    V(name="udp-655", port=655, proto="udp"),
    V(name="tcp-443", port=443, proto="tcp"),
    V(name="udp-4000-mtu1400", port=4000, proto="udp", wire=1400),
)
more(
    "quicktun",
    V(name="nacl0-2998", port=2998, proto="nacl0"),
    V(name="nacltai-53", port=53, proto="nacltai"),
    V(name="nacltai-1194-mtu1280", port=1194, proto="nacltai", mtu=1280),
)
more(
    "yggdrasil",
    V(name="tls-8443", port=8443, scheme="tls"),
    V(name="tcp-443", port=443, scheme="tcp"),
    V(name="tls-12345-mtu1400", port=12345, scheme="tls", wire=1400),
    V(name="tcp-9001", port=9001, scheme="tcp"),
)

# --- DNS, ICMP, HTTP -----------------------------------------------------------------------
more(
    "iodine",
    V(name="private", type="PRIVATE"),
    V(name="resolver-null", type="NULL", resolver="unbound"),
    V(name="resolver-cname", type="CNAME", resolver="unbound"),
)
more("dns2tcp", V(name="txt-ssh-mtu1400", type="TXT", wire=1400), V(name="key-ssh-mtu1280", type="KEY", wire=1280))
for _n in ("icmp-ptunnel", "icmp-ptunnel-ng"):
    more(_n, V(name="ssh-mtu1280", wire=1280), V(name="web-mtu1400", web=1, wire=1400))
more("httptunnel", V(name="8080-ssh", port=8080), V(name="3128-ssh", port=3128))

# --- SSH -----------------------------------------------------------------------------------
SSH = [
    V(name="22-compressed", port=22, copt=["-C"]),
    V(
        name="2022-aes128gcm",
        port=2022,
        copt=["-c", "aes128-gcm@openssh.com", "-oKexAlgorithms=curve25519-sha256"],
        hostkey="rsa2048",
    ),
    V(
        name="8022-dh16",
        port=8022,
        copt=[
            "-oKexAlgorithms=diffie-hellman-group16-sha512",
            "-c",
            "aes128-ctr",
            "-oMACs=hmac-sha2-512-etm@openssh.com",
        ],
    ),
]
for _n in ("ssh-interactive", "ssh-transfer", "ssh-socks", "ssh-forward"):
    more(_n, *SSH)
more("ssh-tun", *SSH[1:])
more(
    "sshuttle",
    V(name="22-aes128gcm", port=22, copt=["-c", "aes128-gcm@openssh.com"]),
    V(name="22-compressed", port=22, copt=["-C"]),
)
more(
    "ssh-in-tls",
    V(name="8443", port=8443),
    V(name="443-tls13-chacha", port=443, opt=STUNNEL_CHACHA),
    V(name="443-tls12", port=443, opt="sslVersionMax = TLSv1.2"),
    V(name="993-aes128-p384", port=993, opt=STUNNEL_AES128_P384),
    V(name="443-mtu1400", port=443, wire=1400),
)
more(
    "ssh-http-connect",
    V(name="tinyproxy-proxytunnel", proxy="tinyproxy", port=8080, tool="proxytunnel"),
    V(name="squid-corkscrew", proxy="squid", port=8000, tool="corkscrew"),
)

# --- benign look-alikes --------------------------------------------------------------------
more(
    "https",
    V(name="apache-python", srv="apache", port=443, client="python"),
    V(name="apache-tls12-python", srv="apache", port=443, client="python", max="1.2"),
    V(name="lighttpd-curl-chacha", srv="lighttpd", port=443, client="curl", tls_s=CHACHA),
    V(name="haproxy-tls13-wget", srv="haproxy", port=8443, client="wget"),
    V(name="nginx-tls12-openssl", srv="nginx", port=443, client="openssl", max="1.2"),
    V(name="nginx-curl-p384-mtu1400", srv="nginx", port=443, client="curl", tls_c=P384 + AES128, wire=1400),
    V(name="apache-openssl", srv="apache", port=443, client="openssl"),
    V(name="lighttpd-tls12-curl", srv="lighttpd", port=4443, client="curl", max="1.2"),
    V(name="caddy-python", srv="caddy", port=443, client="python"),
    V(name="nginx-tls12cbc-curl", srv="nginx", port=443, client="curl", max="1.2", tls_c=TLS12_CBC),
    V(name="apache-wget-8443", srv="apache", port=8443, client="wget", key="rsa4096"),
)
more(
    "https-h2",
    V(name="caddy-nghttp", srv="caddy", port=443, client="nghttp"),
    V(name="nginx-nghttp-tls12", srv="nginx", port=8443, client="nghttp", max="1.2"),
    V(name="haproxy-curl", srv="haproxy", port=443, client="curl"),
    V(name="apache-curl-tls12", srv="apache", port=443, client="curl", max="1.2"),
)
more(
    "wss",
    V(name="443-tls12", port=443, max="1.2"),
    V(name="9443-chacha", port=9443, tls_s=CHACHA),
    V(name="443-mtu1400-p384", port=443, wire=1400, tls_s=AES128 + P384),
)
more(
    "ftps",
    V(name="explicit-tls12", srv="vsftpd", port=21, tls_s=TLS12),
    V(name="implicit-9900-chacha", srv="vsftpd", port=9900, implicit=1, tls_s=CHACHA),
    V(name="explicit-2121-mtu1400", srv="vsftpd", port=2121, wire=1400),
    V(name="explicit-21-tls12cbc", srv="vsftpd", port=21, tls_c=TLS12_CBC),
)
more(
    "dot",
    V(name="unbound-kdig-8853", srv="unbound", client="kdig", port=8853),
    V(name="unbound-stubby-tls12", srv="unbound", client="stubby", port=853, tls_s=TLS12),
    V(name="unbound-kdig-chacha", srv="unbound", client="kdig", port=853, tls_s=CHACHA),
)
more(
    "doh",
    V(name="dnsdist-kdig-8443", srv="dnsdist", client="kdig", port=8443),
    V(name="dnsdist-curl-mtu1400", srv="dnsdist", client="curl", port=443, wire=1400),
    V(name="dnsdist-curl-tls12", srv="dnsdist", client="curl", port=443, tls_s=TLS12),
)
more(
    "mqtt-tls",
    V(name="8883-tls12", port=8883, tls_c=TLS12),
    V(name="8884-chacha", port=8884, tls_s=CHACHA, tls_c=CHACHA),
    V(name="8883-p384-mtu1400", port=8883, tls_c=P384, wire=1400),
)
more("redis-tls", V(name="6379-tls12", port=6379, tls_s=TLS12), V(name="6380-chacha", port=6380, tls_s=CHACHA))
more(
    "smtp-tls",
    V(name="postfix-smtps-b", srv="postfix", client="curl", port=465, wrapped=1),
    V(name="postfix-smtps-chacha", srv="postfix", client="curl", port=465, wrapped=1, tls_c=CHACHA),
)
more(
    "imap-tls",
    V(name="imaps-993-b", port=993, wrapped=1),
    V(name="imaps-993-tls12", port=993, wrapped=1, tls_s=TLS12),
    V(name="imaps-9993-chacha", port=9993, wrapped=1, tls_c=CHACHA),
    V(name="starttls-1143", port=1143),
)
more(
    "pop3-tls",
    V(name="pop3s-995-b", port=995, wrapped=1),
    V(name="pop3s-995-tls12", port=995, wrapped=1, tls_s=TLS12),
    V(name="pop3s-9995-aes128", port=9995, wrapped=1, tls_c=AES128),
)
more("rtmp", V(name="1936", port=1936), V(name="443", port=443), V(name="1935-mtu1400", port=1935, wire=1400))
more(
    "iperf3",
    V(name="tcp-5202-mtu1400", port=5202, wire=1400),
    V(name="tcp-443", port=443),
    V(name="udp-9000", port=9000, udp=1),
)
more("radius", V(name="pap-mtu1400", kind="pap", wire=1400))
more("nats", V(name="4223", port=4223), V(name="443", port=443))
more(
    "bittorrent-mse",
    V(name="lt-tcp-mtu1400", seed="lt", leech="lt", utp=0, enc=1, wire=1400),
    V(name="lt-aria2-mtu1400", seed="lt", leech="aria2", utp=0, enc=1, wire=1400),
)
