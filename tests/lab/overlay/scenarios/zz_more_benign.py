# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Benign traffic that is easily taken for a tunnel: uploads and kept connections in HTTPS, compressed files over FTP,
DNS and WebSocket over TLS with other ends, bulk measurements, RADIUS with many attributes.
"""
import gzip
import io
import lzma
import zipfile

from labkit import traffic as T
from labkit.core import LABDIR
from labkit.registry import SCENARIOS, V, scenario
from labkit.tls_ends import RELAY, TOOL, code_of, front, tls_label, versions

PLAIN, ENC = "plain", "encrypted-benign"
CLIENTS = ["/usr/bin/python3", LABDIR + "/tools/more_clients.py"]


@scenario(
    "https-programs",
    ENC,
    ["nodejs", "apache2", "nginx", "curl"],
    dev=[
        V(name="node-node", srv="node", client="node", port=443),
        V(name="apache-node-upload", srv="apache", client="node", port=443, upload=1),
        V(name="node-curl-tls12", srv="node", client="curl", port=8443, tls12=1),
        V(name="nginx-aria2", srv="nginx", client="aria2", port=443),
        V(name="sserver-curl", srv="openssl", client="curl-get", port=4433),
        V(name="nginx-git", srv="nginx", client="git", port=443),
        V(name="apache-python-upload", srv="apache", client="python", port=443, tls12=1),
        V(name="haproxy-node-upload-tls12", srv="haproxy", client="node", port=443, tls12=1, upload=1),
        V(name="nginx-ffmpeg-hls", srv="nginx", client="hls", port=443),
        V(name="lighttpd-node", srv="lighttpd", client="node", port=443),
    ],
)
def https_programs(lab, v):
    """HTTPS by other programs: kept connections, uploads, parallel downloads, a clone, segments at a steady pace."""
    c, _, s = lab.standard()
    r, ca = lab.rng, lab.work + "/pki/ca.crt"
    if v.srv in ("node", "openssl"):
        site, dom = T.Site(lab), T.domain(lab)
        _, key, chain = T.cert(lab, dom, alt=[s.ip])
        lab.hosts(s.ip, dom)
        if v.srv == "node":
            p = s.spawn(RELAY + ["https", s.ip, str(v.port), site.dir, chain, key, versions(v)], name="node")
        else:
            p = s.spawn(
                [
                    "openssl",
                    "s_server",
                    "-quiet",
                    "-WWW",
                    "-accept",
                    "%s:%d" % (s.ip, v.port),
                    "-cert",
                    chain,
                    "-key",
                    key,
                ],
                cwd=site.dir,
            )
        s.wait_tcp(v.port, 8, p)
        tool = {"node": "nodejs", "openssl": "openssl"}[v.srv]
    else:
        dom, site, tool = code_of("https")["tls_server"](
            lab, v.srv, v.port, {"max": "1.2" if v.get("tls12") else "1.3"}
        )
    if v.client == "git":
        s.run(
            "cd /tmp; git -c init.defaultBranch=main init -q w; cd w; "
            "cp -r /usr/share/common-licenses/GPL-* %s/img* .; "
            "git add .; git -c user.name=a -c user.email=a@b commit -qm x; "
            "git clone -q --bare . %s/r.git; cd %s/r.git; git update-server-info; chmod -R a+rX ."
            % (site.dir, site.dir, site.dir),
            check=False,
        )
    tls_label(lab, v, "https", ENC, tool, "http/1.1 by " + v.client)
    lab.capture()
    base = "https://%s%s" % (dom, "" if v.port == 443 else ":%d" % v.port)
    for i in range(r.randint(2, 4)):
        page, objs = r.choice(site.pages)
        urls = ["%s/%s" % (base, x) for x in [page] + objs]
        if v.client == "node":
            c.run(
                RELAY
                + [
                    "visit",
                    ca,
                    versions(v),
                    str(lab.seed + i),
                    str(r.randint(2000, 39000) if v.get("upload") else 0),
                    *urls,
                ],
                timeout=30,
            )
        elif v.client == "curl":
            T.Web(lab, c, base, site, ["--cacert", ca]).mix(2)
        elif v.client == "curl-get":
            T.Web(lab, c, base, site, ["--cacert", ca, "--http1.0"]).get([page] + objs, check=False)
        elif v.client == "aria2":
            c.run(
                [
                    "aria2c",
                    "--no-conf",
                    "-q",
                    "--ca-certificate=" + ca,
                    "-x",
                    "3",
                    "-s",
                    "3",
                    "-k",
                    "1M",
                    "--allow-overwrite=true",
                    "-d",
                    "/tmp/a%d" % i,
                    "-Z",
                    *urls,
                    "%s/%s" % (base, site.bulk),
                ],
                check=False,
            )
        elif v.client == "git":
            c.run(
                ["git", "-c", "http.sslCAInfo=" + ca, "clone", "-q", base + "/r.git", "/tmp/clone%d" % i], check=False
            )
        elif v.client == "hls":
            k = r.randint(0, 5)
            for seg in site.segs[k : k + 4]:
                c.run(
                    [
                        "ffmpeg",
                        "-hide_banner",
                        "-loglevel",
                        "quiet",
                        "-ca_file",
                        ca,
                        "-f",
                        "data",
                        "-i",
                        "%s/%s" % (base, seg),
                        "-map",
                        "0",
                        "-f",
                        "data",
                        "-y",
                        "/dev/null",
                    ],
                    check=False,
                    timeout=10,
                )
                lab.sleep(0.3, 0.6)
        else:
            c.run(
                [
                    *CLIENTS,
                    "upload",
                    ca,
                    dom,
                    str(v.port),
                    *(str(r.randint(300, 30000)) for _ in range(r.randint(2, 5))),
                ],
                check=False,
            )
        lab.sleep(0.2, 1.2)


def compressed_files(r):
    """Files as people keep them: archives and compressed data of several kinds, (name, bytes)."""
    text = open(T.GPL, "rb").read()
    cuts = [text[k : k + r.randint(3000, 60000)] for k in (r.randint(0, 20000) for _ in range(6))]
    z = io.BytesIO()
    with zipfile.ZipFile(z, "w", zipfile.ZIP_DEFLATED) as f:
        for i, cut in enumerate(cuts[:3]):
            f.writestr("doc%d.txt" % i, cut)
    files = [
        ("a.gz", gzip.compress(cuts[0])),
        ("b.xz", lzma.compress(cuts[1])),
        ("c.zip", z.getvalue()),
        ("d.txt", cuts[2][:20000]),
        ("e.bin", r.randbytes(r.randint(2000, 50000))),
        (
            "f.jpg",
            b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xdb\0\x43\0"
            + r.randbytes(r.randint(3000, 30000)),
        ),
        ("g.mp3", b"\xff\xfb\x90\x44" + r.randbytes(r.randint(3000, 30000))),
        ("h.gpg", b"\x85\x01\x0c\x03" + r.randbytes(r.randint(1000, 20000))),
    ]
    r.shuffle(files)
    return files


@scenario(
    "ftp-files",
    PLAIN,
    ["vsftpd", "curl", "wget"],
    dev=[
        V(name="vsftpd-curl", client="curl", port=21),
        V(name="vsftpd-python", client="python", port=21),
        V(name="vsftpd-python-active", client="python", port=2121, active=1),
        V(name="vsftpd-wget", client="wget", port=2121),
        V(name="vsftpd-python-tls12", client="python", port=21, tls=1),
        V(name="vsftpd-python-tls13", client="python", port=21, tls=1, tls13=1),
    ],
)
def ftp_files(lab, v):
    """FTP (and FTPS) transfers of archives, pictures and encrypted files: random from the first byte, yet benign."""
    c, _, s = lab.standard()
    r, dom = lab.rng, T.domain(lab)
    # vsftpd's TLS 1.2 cipher wants an RSA key
    _, key, chain = T.cert(lab, dom, kind="rsa2048", alt=[s.ip])
    lab.hosts(s.ip, dom)
    T.user(s, "alice", "secret")
    files = compressed_files(r)
    for name, data in files:
        s.put("/home/alice/" + name, data)
        c.write("up/" + name, data)
    s.run("chown -R alice /home/alice")
    lo = r.randint(20000, 50000)
    s.put(
        "/etc/pam.d/vsftpd", "auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_permit.so\n"
    )
    s.run("mkdir -p /run/vsftpd/empty")
    conf = s.write(
        "vsftpd.conf",
        "listen=YES\nlisten_address=%s\nlisten_port=%d\nbackground=NO\n"
        "local_enable=YES\nwrite_enable=YES\npam_service_name=vsftpd\n"
        "seccomp_sandbox=NO\nsecure_chroot_dir=/run/vsftpd/empty\n"
        "pasv_min_port=%d\npasv_max_port=%d\nconnect_from_port_20=YES\nport_enable=YES\n%s"
        % (
            s.ip,
            v.port,
            lo,
            lo + 50,
            "ssl_enable=YES\nrsa_cert_file=%s\nrsa_private_key_file=%s\nrequire_ssl_reuse=NO\n"
            "force_local_data_ssl=YES\nforce_local_logins_ssl=YES\n" % (chain, key)
            if v.get("tls")
            else "",
        ),
    )
    p = s.spawn(["vsftpd", conf])
    s.wait_tcp(v.port, 8, p)
    if v.get("tls"):
        lab.label(
            "ftps",
            ENC,
            "tcp",
            v.port,
            flt='ftp.request.command=="AUTH"',
            decode="tcp.port==%d,ftp" % v.port,
            tool="vsftpd",
            inner="control",
        )
        lab.label("ftps-data", ENC, "tcp", host=s.ip, tool="vsftpd", inner="data")
    else:
        lab.label(
            "ftp", PLAIN, "tcp", v.port, flt="ftp", decode="tcp.port==%d,ftp" % v.port, tool="vsftpd", inner="control"
        )
        lab.label("ftp-data", PLAIN, "tcp", host=s.ip, tool="vsftpd", inner="data (passive)")
        lab.label("ftp-data", PLAIN, "tcp", host=c.ip, tool="vsftpd", inner="data (active)")
    lab.params["oneway_data"] = 1
    lab.capture()
    url = "ftp://%s:%d/" % (dom, v.port)
    if v.client == "python":
        c.run(
            [
                *CLIENTS,
                "ftp",
                dom,
                str(v.port),
                lab.work + "/pki/ca.crt",
                "0" if not v.get("tls") else ("1.3" if v.get("tls13") else "1.2"),
                "1" if v.get("active") else "0",
                c.path("up"),
                *(n for n, _ in files),
            ],
            check=False,
            timeout=40,
        )
    elif v.client == "wget":
        for n, _ in files:
            c.run(["wget", "-q", "-O", "/dev/null", "--user=alice", "--password=secret", url + n], check=False)
    else:
        for i, (n, _) in enumerate(files):
            c.run(
                [
                    "curl",
                    "-sS",
                    "-o",
                    "/dev/null",
                    "-u",
                    "alice:secret",
                    *(["-T", c.path("up/" + n), url + "up-" + n] if i % 3 == 2 else [url + n]),
                ],
                check=False,
            )
            lab.sleep(0.1, 0.5)


@scenario(
    "dot-fronts",
    ENC,
    ["haproxy", "nodejs", "stunnel4", "dnsmasq-base", "knot-dnsutils"],
    dev=[
        V(name="haproxy-kdig", front="haproxy", client="kdig", port=853),
        V(name="node-python", front="node", client="python", port=853),
        V(name="stunnel-python-tls12", front="stunnel", client="python", port=853, tls12=1),
        V(name="haproxy-python-8530", front="haproxy", client="python", port=8530),
    ],
)
def dot_fronts(lab, v):
    """DNS over TLS with other ends; a client that keeps its connection and asks at a person's pace."""
    c, _, s = lab.standard()
    names = code_of("https")["dns_backend"](lab)
    dom = front(lab, v, 5353)
    tls_label(lab, v, "dot", ENC, TOOL[v.front], "dns by " + v.client)
    lab.capture()
    r = lab.rng
    for _ in range(r.randint(4, 7)):
        if v.client == "kdig":
            c.run(
                [
                    "kdig",
                    "@" + s.ip,
                    "-p",
                    str(v.port),
                    "+tls-ca=%s/pki/ca.crt" % lab.work,
                    "+tls-host=" + dom,
                    "+keepopen",
                    *sum(([r.choice(names), r.choice(["A", "AAAA", "TXT"])] for _ in range(r.randint(1, 6))), []),
                ],
                check=False,
            )
        else:
            c.run(
                [
                    *CLIENTS,
                    "dot",
                    dom,
                    str(v.port),
                    lab.work + "/pki/ca.crt",
                    str(r.randint(1, 9999)),
                    *(r.choice(names) for _ in range(r.randint(3, 14))),
                ],
                check=False,
            )
        lab.sleep(0.1, 0.8)


@scenario(
    "wss-fronts",
    ENC,
    ["haproxy", "nodejs", "nginx", "python3-websockets"],
    dev=[
        V(name="haproxy-443", front="haproxy", port=443),
        V(name="node-9443", front="node", port=9443),
        V(name="stunnel-tls12-443", front="stunnel", port=443, tls12=1),
        V(name="haproxy-tls12-8443", front="haproxy", port=8443, tls12=1),
    ],
)
def wss_fronts(lab, v):
    """WebSocket over TLS that a front end ends, with several sessions of different length."""
    c, _, s = lab.standard()
    p = s.spawn(
        ["/usr/bin/python3", LABDIR + "/tools/ws.py", "server", "127.0.0.1", "8000", "-", "-", "--seed", str(lab.seed)],
        name="ws",
    )
    s.wait_tcp(8000, 8, p)
    dom = front(lab, v, 8000)
    tls_label(lab, v, "wss", ENC, TOOL[v.front], "websocket")
    lab.capture()
    for i in range(3):
        c.run(
            [
                "/usr/bin/python3",
                LABDIR + "/tools/ws.py",
                "client",
                dom,
                str(v.port),
                lab.work + "/pki/ca.crt",
                "-",
                "--seed",
                str(100 * lab.seed + i),
                "--seconds",
                str(lab.rng.randint(3, 9)),
            ],
            timeout=30,
        )


@scenario(
    "iperf3-shapes",
    PLAIN,
    ["iperf3"],
    dev=[
        V(name="tcp-full-5201", port=5201, args=["-n", "220K"]),
        V(name="tcp-parallel-5210", port=5210, args=["-P", "3", "-n", "60K"]),
        V(name="tcp-bidir-5201", port=5201, args=["--bidir", "-n", "90K"]),
        V(name="udp-64k-5300", port=5300, args=["-u", "-b", "64k", "-t", "4", "-l", "172"]),
    ],
)
def iperf3_shapes(lab, v):
    """Bulk measurements of other shapes: full speed, parallel, both ways, small datagrams."""
    c, _, s = lab.standard()
    p = s.spawn(["iperf3", "-s", "-B", s.ip, "-p", str(v.port)])
    s.wait_tcp(v.port, 8, p)
    lab.label("iperf3", PLAIN, "tcp", v.port)
    lab.label("iperf3-udp", PLAIN, "udp", v.port)
    lab.capture()
    for _ in range(2):
        c.run(["iperf3", "-c", s.ip, "-p", str(v.port), *v.args], check=False, timeout=15)


@scenario(
    "radius-attributes", PLAIN, ["freeradius", "freeradius-utils"], dev=[V(name="long", n=8), V(name="short", n=0)]
)
def radius_attributes(lab, v):
    """RADIUS with many attributes, status and accounting, as access points send it."""
    c, _, s = lab.standard()
    s.run(
        "cd /etc/freeradius/3.0; printf 'client lab { ipaddr = 0.0.0.0/0\\n "
        "secret = testing123\\n require_message_authenticator = no\\n}\\n' > clients.conf; "
        'printf \'bob Cleartext-Password := "secret"\\n Reply-Message = "Hello, and a pleasant stay",\\n '
        "Session-Timeout = 3600,\\n Framed-IP-Address = 10.1.2.3\\n' "
        "> mods-config/files/authorize; "
        "rm -f mods-enabled/eap sites-enabled/inner-tunnel sites-enabled/default"
    )
    s.put(
        "/etc/freeradius/3.0/sites-enabled/default",
        "server default {\nlisten {\n type = auth\n ipaddr = *\n port = 1812\n}\n"
        "listen {\n type = acct\n ipaddr = *\n port = 1813\n}\nauthorize {\n files\n pap\n}\n"
        "authenticate {\n Auth-Type PAP {\n  pap\n }\n}\npreacct {\n}\naccounting {\n ok\n}\n}\n",
    )
    p = s.spawn(["freeradius", "-f", "-l", "stdout"])
    s.wait_udp(1812, 10, p)
    lab.label("radius", PLAIN, "udp", ports=[1812, 1813], flt="radius")
    lab.capture()
    r = lab.rng
    for i in range(r.randint(12, 20)):
        common = (
            'NAS-IP-Address = 10.0.0.%d\nNAS-Port = %d\nCalled-Station-Id = "%012x:office"\n'
            % (i + 1, r.randint(0, 99), r.getrandbits(48))
            * (1 if v.n else 0)
        )
        common += "".join("Class = 0x%s\n" % r.randbytes(r.randint(8, 50)).hex() for _ in range(r.randint(0, v.n) // 3))
        kind = r.choice(["auth", "auth", "acct"])
        text = (
            'User-Name = "bob"\nUser-Password = "%s"\n'
            % r.choice(["secret", "secret", "a-much-longer-password-than-that"])
            if kind == "auth"
            else (
                'User-Name = "bob"\nAcct-Status-Type = %s\nAcct-Session-Id = "%x"\nAcct-Input-Octets = %d\n'
                % (r.choice(["Start", "Interim-Update", "Stop"]), r.getrandbits(48), r.getrandbits(30))
            )
        )
        c.run(
            [
                "radclient",
                "-r",
                "1",
                "-t",
                "2",
                "-c",
                r.choice(["1", "1", "3"]),
                s.ip + (":1812" if kind == "auth" else ":1813"),
                kind,
                "testing123",
            ],
            input=text + common,
            check=False,
        )
        lab.sleep(0.05, 0.3)


# runners take the scenarios in this order
for _n in ("ftp-files", "https-programs", "wss-fronts", "dot-fronts", "iperf3-shapes", "radius-attributes"):
    SCENARIOS[_n].more = 0.001 * (1 + sum(0 < getattr(x, "more", 0) < 1 for x in SCENARIOS.values()))
