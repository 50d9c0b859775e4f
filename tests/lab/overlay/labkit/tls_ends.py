# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Both ends of TLS around a plain port, made by HAProxy, Node.js or stunnel, for the scenarios that put something
inside TLS. `v` is a variant: `front` names the server's program, `into` the client's, `port` where TLS listens,
`tls12` stops at TLS 1.2.
"""
from labkit import traffic as T
from labkit.core import LABDIR
from labkit.registry import SCENARIOS

RELAY = ["node", LABDIR + "/tools/tlsrelay.js"]
PLAIN, ENC = "plain", "encrypted-benign"


def code_of(name):
    """The functions of the file that holds a scenario."""
    func = SCENARIOS[name].func
    return getattr(func, "scenario", func).__globals__


def versions(v):
    return "TLSv1.2" if v.get("tls12") else "TLSv1.3"


def front(lab, v, to_port, to_host="127.0.0.1"):
    """TLS on the server's address and v.port, relayed to a plain port; returns the domain."""
    s, dom = lab.s, T.domain(lab)
    _, key, chain = T.cert(lab, dom, alt=[s.ip])
    lab.hosts(s.ip, dom)
    if v.front == "haproxy":
        pem = s.write("front.pem", open(chain).read() + open(key).read())
        conf = s.write(
            "front.cfg",
            "global\n ssl-default-bind-options ssl-max-ver %s\ndefaults\n mode tcp\n timeout connect 5s\n"
            " timeout client 60s\n timeout server 60s\n"
            "listen f\n bind %s:%d ssl crt %s\n server x %s:%d\n" % (versions(v), s.ip, v.port, pem, to_host, to_port),
        )
        p = s.spawn(["haproxy", "-db", "-f", conf])
    elif v.front == "node":
        p = s.spawn(RELAY + ["server", s.ip, str(v.port), to_host, str(to_port), chain, key, versions(v)], name="node")
    else:
        conf = s.write(
            "front.conf",
            "foreground = yes\npid =\n[x]\naccept = %s:%d\nconnect = %s:%d\ncert = %s\nkey = %s\nsslVersionMax = %s\n"
            % (s.ip, v.port, to_host, to_port, chain, key, versions(v)),
        )
        p = s.spawn(["stunnel", conf], name="stunnel")
    # the web site behind the tunnel may listen on the same port of another address
    s.wait("front end", lambda: "%s:%d " % (s.ip, v.port) in s.run(["ss", "-Hntl"]), 10, p)
    return dom


def into_tls(lab, v, dom, listen):
    """The client's end: a local plain port that leads into TLS."""
    c = lab.c
    if v.into == "node":
        p = c.spawn(
            RELAY + ["client", str(listen), dom, str(v.port), lab.work + "/pki/ca.crt", versions(v)], name="node"
        )
    else:
        conf = c.write(
            "into.conf",
            "foreground = yes\npid =\nclient = yes\n[x]\naccept = 127.0.0.1:%d\nconnect = %s:%d\nsni = %s\n"
            % (listen, lab.s.ip, v.port, dom),
        )
        p = c.spawn(["stunnel", conf], name="stunnel")
    c.wait_tcp(listen, 10, p)


def tls_label(lab, v, label, category, tool, inner):
    lab.label(
        label,
        category,
        "tcp",
        v.port,
        flt="tls.handshake.type==1",
        decode="tcp.port==%d,tls" % v.port,
        tool=tool,
        inner=inner,
    )


TOOL = {"haproxy": "haproxy", "node": "nodejs", "stunnel": "stunnel4"}
