#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Small clients for the laboratory's scenarios, with Python's own protocol modules.

more_clients.py upload CA HOST PORT BYTES...                    HTTPS posts on one connection, then a get
more_clients.py ftp HOST PORT CA TLS ACTIVE DIR NAME...         FTP up and down; TLS: 0, 1.2 or 1.3; ACTIVE: 0 or 1
more_clients.py dot HOST PORT CA SEED NAME...                   DNS over TLS on one connection, one query at a time
"""
import ftplib
import http.client
import os
import random
import socket
import ssl
import struct
import sys
import time


def upload(ca, host, port, *sizes):
    h = http.client.HTTPSConnection(host, int(port), context=ssl.create_default_context(cafile=ca), timeout=15)
    for n in sizes:
        h.request("POST", "/api.json", body=os.urandom(int(n)), headers={"Content-Type": "application/octet-stream"})
        h.getresponse().read()
        time.sleep(0.2)
    h.request("GET", "/api.json")
    h.getresponse().read()


def ftp(host, port, ca, version, active, folder, *names):
    context = ssl.create_default_context(cafile=ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_3 if version == "1.3" else ssl.TLSVersion.TLSv1_2
    f = ftplib.FTP() if version == "0" else ftplib.FTP_TLS(context=context)
    f.connect(host, int(port), 10)
    f.login("alice", "secret")
    if version != "0":
        f.prot_p()
    f.set_pasv(active == "0")
    f.dir(lambda line: None)
    for i, n in enumerate(names):
        if i % 2:
            with open(os.path.join(folder, n), "rb") as data:
                f.storbinary("STOR up-" + n, data)
        else:
            f.retrbinary("RETR " + n, lambda block: None)
        time.sleep(0.2)
    f.quit()


def query(r, name):
    """One DNS query with EDNS, now and then padded (RFC 7830), with its length in front (RFC 1035 4.2.2)."""
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
    q = struct.pack("!HHHHHH", r.getrandbits(16), 0x100, 1, 0, 0, 1) + labels
    q += struct.pack("!BHH", 0, r.choice([1, 1, 28, 65, 16]), 1)
    pad = r.choice([0, 12, 128 - (len(q) + 15) % 128])
    q += struct.pack("!BHHIH", 0, 41, 1232, 0, pad + 4 if pad else 0)
    q += struct.pack("!HH", 12, pad) + bytes(pad) if pad else b""
    return struct.pack("!H", len(q)) + q


def dot(host, port, ca, seed, *names):
    r = random.Random(int(seed))
    context = ssl.create_default_context(cafile=ca)
    s = context.wrap_socket(socket.create_connection((host, int(port)), 8), server_hostname=host)
    f = s.makefile("rb")
    for n in names:
        s.sendall(query(r, n))
        f.read(struct.unpack("!H", f.read(2))[0])
        time.sleep(r.choice([0, 0, 0.05, 0.4, 1]))


if __name__ == "__main__":
    {"upload": upload, "ftp": ftp, "dot": dot}[sys.argv[1]](*sys.argv[2:])
