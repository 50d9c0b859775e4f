#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Write a capture of an office network's headers with attacks in it, and what it should be judged by.

spade_scenarios.py OUT [--seed N] [--hours H] [--rate R] [--quiet]

OUT.pcap: raw IPv4, headers only, sorted by time, the same for the same options. OUT.tsv: one line an attack or trap
(odd but benign): begin and end (Unix time), class, label, kind, source, target, packets that the source sent. Whatever no
line claims is background. Home is 10.1.0.0/16. --quiet leaves the attacks out: every incident is a false one then.

The background: visits to servers by a power law, day and night, name lookups, clocks, mail, passive FTP, monitoring, hosts
that get another address, lost packets, servers that are down for minutes, dead links in pages, and a host that looks for a
printer that is gone. Attacks, rare or frequent (password guessing, a flood), begin when a third of the time is over, each
from a source of its own.
"""
import argparse
import math
import random
import struct

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
START = 1_700_000_000.0
INSIDE_DELAY = 0.0004


def ip(text):
    a, b, c, d = (int(x) for x in text.split("."))
    return a << 24 | b << 16 | c << 8 | d


def dotted(number):
    return ".".join(str(number >> s & 255) for s in (24, 16, 8, 0))


class Capture:
    """Packets in any order, written by time."""

    def __init__(self):
        self.packets = []

    def _add(self, time, src, dst, proto, body):
        head = struct.pack("!BBHHHBBHII", 0x45, 0, 20 + len(body), 0, 0x4000, 64, proto, 0, src, dst)
        self.packets.append((time, len(self.packets), head + body))

    def tcp(self, time, src, sport, dst, dport, flags):
        self._add(time, src, dst, 6, struct.pack("!HHIIBBHHH", sport, dport, 1, 1 if flags & ACK else 0, 0x50, flags, 1024, 0, 0))

    def udp(self, time, src, sport, dst, dport):
        self._add(time, src, dst, 17, struct.pack("!HHHH", sport, dport, 8, 0))

    def icmp(self, time, src, dst, kind, code=0, inner=b""):
        self._add(time, src, dst, 1, struct.pack("!BBHI", kind, code, 0, 0) + inner)

    def unreachable(self, time, reporter, code, src, sport, dst, dport, proto):
        inner = struct.pack("!BBHHHBBHII", 0x45, 0, 28, 0, 0, 64, proto, 0, src, dst) + struct.pack("!HHI", sport, dport, 8)
        self.icmp(time, reporter, src, 3, code, inner)

    def write(self, path):
        self.packets.sort()
        with open(path, "wb") as f:
            f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
            for time, _, data in self.packets:
                micros = round(time * 1e6)
                f.write(struct.pack("<IIII", micros // 1_000_000, micros % 1_000_000, len(data), len(data)) + data)


class Office:
    def __init__(self, args):
        self.random = random.Random(args.seed)
        self.rate = args.rate
        self.end = START + args.hours * 3600
        self.out = Capture()
        self.oracle = []
        r = self.random
        self.clients = [ip("10.1.1.0") + i for i in range(10, 130)]
        self.servers = [(ip("10.1.0.0") + i, port) for i in range(10, 35) for port in r.sample((80, 443, 22, 25, 445, 993, 8080, 3306), 2)]
        self.live = {address for address, _ in self.servers} | set(self.clients)
        self.monitor, self.ftp = ip("10.1.0.5"), ip("10.1.0.40")
        self.live |= {self.monitor, self.ftp}
        self.sites = [(ip("198.18.0.0") + r.randrange(1, 4095), 443 if r.random() < 0.8 else 80) for _ in range(400)]
        self.visitors = [ip("203.0.113.0") + i for i in range(1, 250)] + [ip("100.64.0.0") + r.randrange(1 << 20) for _ in range(2000)]
        self.delay = {}
        self.down = {}
        self.line_down = START + (self.end - START) * (1 / 3 + 2 / 3 * 25 / 32)

    # -- pieces of traffic

    @staticmethod
    def is_home(address):
        return address >> 16 == ip("10.1.0.0") >> 16

    def rtt(self, a, b):
        """Of a host outside, always the same; hosts inside are near."""
        outside = [x for x in (a, b) if not self.is_home(x)]
        if not outside:
            return INSIDE_DELAY
        if outside[0] not in self.delay:
            self.delay[outside[0]] = self.random.choice((0.012, 0.025, 0.04, 0.09, 0.15, 0.22)) * self.random.uniform(0.9, 1.1)
        return self.delay[outside[0]]

    def port(self):
        return self.random.randrange(32768, 61000)

    def connect(self, time, src, dst, dport, answer="open", sport=None):
        """A connection, or what becomes of one: open, refused, silent."""
        r, out = self.random, self.out
        sport = sport or self.port()
        if answer == "open" and self.down.get(dst, (0, 0))[0] <= time < self.down.get(dst, (0, 0))[1]:
            answer = "silent"
        if self.line_down <= time < self.line_down + 60 and not (self.is_home(src) and self.is_home(dst)):
            if not self.is_home(src):
                return
            answer = "silent"
        out.tcp(time, src, sport, dst, dport, SYN)
        if answer == "silent":
            for wait in (1.0, 3.0, 7.0):
                out.tcp(time + wait, src, sport, dst, dport, SYN)
            return
        if r.random() < 0.005:  # lost before it came here or behind
            time += 1.0
            out.tcp(time, src, sport, dst, dport, SYN)
        rtt = self.rtt(src, dst) * r.uniform(0.95, 1.3)
        if answer == "refused":
            out.tcp(time + rtt, dst, dport, src, sport, RST | ACK)
            return
        t = time + rtt
        out.tcp(t, dst, dport, src, sport, SYN | ACK)
        out.tcp(t + 0.0002, src, sport, dst, dport, ACK)
        out.tcp(t + 0.0005, src, sport, dst, dport, PSH | ACK)
        t += rtt + r.expovariate(2)
        out.tcp(t, dst, dport, src, sport, PSH | ACK)
        t += r.expovariate(0.2)
        if r.random() < 0.1:
            out.tcp(t, src, sport, dst, dport, RST | (ACK if r.random() < 0.5 else 0))
            return
        out.tcp(t, src, sport, dst, dport, FIN | ACK)
        out.tcp(t + rtt, dst, dport, src, sport, FIN | ACK)
        out.tcp(t + rtt + 0.0002, src, sport, dst, dport, ACK)

    def ask(self, time, src, dst, dport):
        sport = self.port()
        self.out.udp(time, src, sport, dst, dport)
        self.out.udp(time + self.rtt(src, dst), dst, dport, src, sport)

    def ping(self, time, src, dst, alive=True):
        self.out.icmp(time, src, dst, 8)
        if alive:
            self.out.icmp(time + self.rtt(src, dst), dst, src, 0)

    def zipf(self, items):
        return items[min(int(len(items) ** self.random.random()) - 1, len(items) - 1)]

    def times(self, rate, begin=None, end=None, diurnal=True):
        """Random moments, `rate` a second on average, fewer by night."""
        time = begin or START
        while True:
            time += self.random.expovariate(rate)
            if time >= (end or self.end):
                return
            if not diurnal or self.random.random() < 0.6 + 0.4 * math.sin((time - START) / 86400 * 2 * math.pi):
                yield time

    # -- background

    def background(self):
        r = self.random
        resolvers = [ip("198.18.53.1"), ip("198.18.53.2")]
        clocks = [ip("198.18.123.1"), ip("198.18.123.2"), ip("198.18.123.3")]
        for address, _ in r.sample(self.servers, 6):
            begin = r.uniform(START, self.end)
            self.down[address] = (begin, begin + r.uniform(60, 300))
        favourites = {c: r.sample(self.sites, 12) for c in self.clients}
        for t in self.times(self.rate):
            client = self.zipf(self.clients)
            what = r.random()
            if what < 0.35:
                site = self.zipf(favourites[client]) if r.random() < 0.85 else self.zipf(self.sites)
                self.ask(t - 0.3, client, r.choice(resolvers), 53)
                self.connect(t, client, *site)
                for _ in range(r.choice((0, 0, 1, 3, 6))):  # what the page includes
                    self.connect(t + r.uniform(0.3, 1.0), client, *self.zipf(self.sites))
                if r.random() < 0.01:  # a dead link
                    self.connect(t + 1, client, ip("198.19.0.0") + r.randrange(1 << 16), 443, r.choice(("refused", "silent")))
            elif what < 0.6:
                self.connect(t, client, *self.zipf(self.servers))
            elif what < 0.85:
                self.connect(t, self.zipf(self.visitors), *self.zipf(self.servers[:20]))
            elif what < 0.95:
                self.ask(t, client, r.choice(resolvers), 53)
            else:
                self.ask(t, client, r.choice(clocks), 123)
        for t in self.times(1 / 120):  # passive FTP
            client, data = self.zipf(self.visitors[:20]), r.randrange(20000, 60000)
            self.connect(t, client, self.ftp, 21)
            for i in range(r.randrange(1, 4)):
                self.connect(t + 1 + i, client, self.ftp, data + i)
        t = START
        while t < self.end:  # monitoring, all at once
            for address in sorted(self.live):
                if address in self.clients:
                    continue
                down = self.down.get(address, (0, 0))
                self.ping(t + r.uniform(0, 0.05), self.monitor, address, not down[0] <= t < down[1])
            for server in self.servers:
                self.connect(t + 10 + r.uniform(0, 0.05), self.monitor, *server)
            t += 60
        sick = self.clients[77]  # looks for a printer that is gone
        for t in self.times(1 / 20, diurnal=False):
            self.connect(t, sick, ip("10.1.0.250"), 9100, "silent")
        for client in r.sample(self.clients[20:], 5):  # gets another address; some have remembered the old one
            t = r.uniform(START, self.end)
            old = client + 256 * 3
            for i in range(r.randrange(1, 3)):
                self.connect(t + 20 * i, r.choice(self.servers)[0], old, 445, "silent")

    # -- attacks and traps

    def claim(self, kind, label, shape, source, target, begin, end, packets):
        self.oracle.append((begin, end, kind, label, shape, source, target, packets))

    def probe(self, time, src, dst, dport, flags, answer):
        sport = 40000 + self.random.randrange(100)
        self.out.tcp(time, src, sport, dst, dport, flags)
        rtt = self.rtt(src, dst)
        if answer == "rst":
            self.out.tcp(time + rtt, dst, dport, src, sport, RST if flags & ACK else RST | ACK)
        elif answer == "unreachable":
            self.out.unreachable(time + 1.5, ip("10.1.255.1"), 1, src, sport, dst, dport, 6)
        elif answer == "synack":
            self.out.tcp(time + rtt, dst, dport, src, sport, SYN | ACK)
            self.out.tcp(time + rtt + 0.001, src, sport, dst, dport, RST)

    def vertical(self, label, begin, gap, count, flags, answer, order="random"):
        src = ip("192.0.2.0") + len(self.oracle) + 1
        dst = self.servers[6][0]
        open_ports = {p for a, p in self.servers if a == dst}
        ports = list(range(1, 1025)) if order == "sequential" else self.random.sample(range(1, 10000), min(count * 2, 9000))
        t, sent = begin, 0
        for port in ports:
            if sent == count or t >= self.end:
                break
            if port in open_ports:
                self.probe(t, src, dst, port, flags, "synack" if flags == SYN else "")
            else:
                self.probe(t, src, dst, port, flags, answer)
            sent += 1
            t += gap
        self.claim("attack", label, "vertical scan", dotted(src), dotted(dst), begin, t, sent)

    def sweep(self, label, begin, gap, count, answer):
        src = ip("192.0.2.0") + len(self.oracle) + 1
        t = begin
        for _ in range(count):
            dst = self.random.choice(sorted(self.live)) if self.random.random() < 0.1 else ip("10.1.4.0") + self.random.randrange(250 << 8)
            if dst in self.live:
                self.probe(t, src, dst, 445, SYN, "synack" if (dst, 445) in self.servers else "rst")
            else:
                self.probe(t, src, dst, 445, SYN, answer)
            t += gap
        self.claim("attack", label, "horizontal scan", dotted(src), "10.1.0.0/16", begin, t, count)

    def attacks(self):
        r, out = self.random, self.out
        span = self.end - START
        at = START + span / 3
        step = (self.end - at) / 32

        def slot(number):
            return at + step * number

        self.vertical("syn-1s-rst-sequential", slot(0), 1, 200, SYN, "rst", "sequential")
        self.vertical("syn-1s-drop", slot(1), 1, 200, SYN, "")
        self.vertical("syn-20ms-rst", slot(2), 0.02, 1000, SYN, "rst")
        self.vertical("syn-20ms-drop", slot(3), 0.02, 1000, SYN, "")
        self.vertical("syn-1min-drop", slot(0), 60, 100, SYN, "")
        self.vertical("syn-10min-rst", slot(0), 600, 100, SYN, "rst")
        self.vertical("syn-1h-drop", slot(0), 3600, 100, SYN, "")
        self.vertical("null-1s-drop", slot(4), 1, 200, 0, "")
        self.vertical("fin-1s-drop", slot(5), 1, 200, FIN, "")
        self.vertical("xmas-1s-rst", slot(6), 1, 200, FIN | PSH | URG, "rst")
        self.vertical("ack-1s-rst", slot(7), 1, 200, ACK, "rst")
        self.sweep("sweep-10s-silent", slot(8), 0.1, 600, "")
        self.sweep("sweep-10s-router", slot(9), 0.1, 600, "unreachable")
        self.sweep("sweep-5ms-silent", slot(10), 0.005, 2000, "")
        self.sweep("sweep-1min-silent", slot(11), 60, 60, "")

        worm, t = self.clients[33], slot(12)  # one of the busier ones' neighbours
        for i in range(600):
            dst = r.randrange(ip("11.0.0.0"), ip("200.0.0.0"))
            self.probe(t + i / 10, worm, dst, 445, SYN, "rst" if r.random() < 0.03 else "")
        self.claim("attack", "worm-10-a-second", "fan-out", dotted(worm), "*", t, t + 60, 600)

        def single(number):
            return ip("192.0.2.0") + len(self.oracle) + 1, slot(number)

        src, t = single(13)
        for i in range(300):
            self.ping(t + i / 5, src, ip("10.1.8.0") + i * 7, False)
        self.claim("attack", "ping-sweep", "horizontal scan", dotted(src), "10.1.0.0/16", t, t + 60, 300)
        src, t = single(14)
        for i in range(200):
            out.udp(t + i / 5, src, 5060, ip("10.1.16.0") + i * 5, 161)
        self.claim("attack", "udp-sweep-silent", "horizontal scan", dotted(src), "10.1.0.0/16", t, t + 40, 200)
        src, t = single(15)
        dst = self.servers[4][0]
        for i in range(200):
            port = 1000 + 3 * i
            out.udp(t + i, src, 40000, dst, port)
            if i % 3 == 0:  # rate limited
                out.unreachable(t + i + 0.03, dst, 3, src, 40000, dst, port, 17)
        self.claim("attack", "udp-vertical", "vertical scan", dotted(src), dotted(dst), t, t + 200, 200)
        src, t = single(16)
        for i in range(200):
            out.tcp(t + i / 4, src, 80, r.randrange(ip("10.1.4.0"), ip("10.1.250.0")), self.port(), SYN | ACK)
        self.claim("noise", "backscatter", "unasked answers", dotted(src), "10.1.0.0/16", t, t + 50, 200)

        client, t = self.clients[3], slot(17)
        for i in range(30):
            self.ask(t + i, client, ip("198.51.100.53"), 53)
        self.claim("attack", "third-resolver", "odd service", dotted(client), "198.51.100.53", t, t + 30, 30)
        client, t = self.clients[2], slot(18)
        for i in range(10):
            self.connect(t + 20 * i, client, ip("198.51.100.66"), 6667)
        self.claim("attack", "irc", "odd service", dotted(client), "198.51.100.66", t, t + 200, 10)
        src, t = single(19)
        for i in range(20):
            out.icmp(t + i, src, self.clients[i % 4], 5, 1, b"\x45" + bytes(27))
        self.claim("attack", "icmp-redirects", "odd ICMP", dotted(src), "*", t, t + 20, 20)
        src, t = single(20)
        for i in range(20):
            out.icmp(t + i, src, self.servers[i % 5][0], 13)
        self.claim("attack", "icmp-timestamps", "odd ICMP", dotted(src), "*", t, t + 20, 20)

        src, t = self.visitors[3], slot(21)
        for i in range(40):
            self.connect(t + 2 * i, src, self.ftp, r.randrange(20000, 60000))
        self.claim("trap", "passive-ftp", "", dotted(src), dotted(self.ftp), t, t + 80, 40)
        client, t = self.clients[50], slot(22)
        for i in range(30):  # a page with everything on it
            self.connect(t + i / 100, client, ip("198.18.64.0") + 7 * i, 443)
        self.claim("trap", "page-with-30-hosts", "", dotted(client), "*", t, t + 60, 30)
        client, t = self.clients[60], slot(23)
        for i in range(200):  # half of the peers are gone
            self.connect(t + 3 * i, client, r.randrange(ip("11.0.0.0"), ip("200.0.0.0")), r.randrange(1024, 65535), r.choice(("open", "silent")))
        self.claim("noise", "peer-to-peer", "", dotted(client), "*", t, t + 600, 200)
        client, t = self.clients[70], slot(24)
        for i in range(20):  # answers after a second
            dst, sport = ip("198.18.80.0") + i, self.port()
            out.tcp(t + i / 2, client, sport, dst, 443, SYN)
            out.tcp(t + i / 2 + 1, dst, 443, client, sport, SYN | ACK)
            out.tcp(t + i / 2 + 1.001, client, sport, dst, 443, ACK)
        self.claim("trap", "satellite", "", dotted(client), "*", t, t + 11, 20)
        t = self.line_down  # for a minute
        for client in self.clients[:40]:
            for i in range(10):
                self.connect(t + r.uniform(0, 60), client, ip("198.18.96.0") + r.randrange(4096), 443, "silent")
        self.claim("trap", "line-down", "", "", "*", t, t + 70, 400)

        # What is frequent, not rare. New ones go to the end, so that those above stay as they are.
        src, t = single(27)
        for i in range(1200):
            self.connect(t + i / 10, src, self.servers[2][0], 22)
        self.claim("attack", "password-guessing", "brute force", dotted(src), dotted(self.servers[2][0]), t, t + 120, 1200)
        t, (dst, port) = slot(28), self.servers[9]
        for i in range(10000):
            out.tcp(t + i / 500, r.randrange(ip("11.0.0.0"), ip("200.0.0.0")), self.port(), dst, port, SYN)
        self.claim("attack", "syn-flood", "flood", "*", dotted(dst), t, t + 20, 10000)
        src, t = single(29)
        dst = self.servers[5][0]
        for i in range(200):  # nothing comes back, as from a firewall
            out.udp(t + i, src, 40000, dst, 1000 + 3 * i)
        self.claim("attack", "udp-vertical-drop", "vertical scan", dotted(src), dotted(dst), t, t + 200, 200)
        client, t = self.clients[40], slot(30)
        for i in range(20):  # a page whose pictures come from one server
            for j in range(20):
                self.connect(t + 15 * i + j / 50, client, ip("198.18.32.7"), 443)
        self.claim("trap", "many-pictures", "", dotted(client), "*", t, t + 300, 400)
        client, t = self.clients[41], slot(30) + 60
        for i in range(40):  # a voice call: what one side sends to the other's port is not answered there
            out.udp(t + i / 2, client, 16384, ip("198.18.33.7"), 20000 + 2 * (i // 8))
        self.claim("trap", "one-way-media", "", dotted(client), "*", t, t + 20, 40)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hours", type=float, default=6)
    parser.add_argument("--rate", type=float, default=6, help="actions a second at noon")
    parser.add_argument("--quiet", action="store_true")
    args = parser.parse_args()
    office = Office(args)
    office.background()
    if not args.quiet:
        office.attacks()
    office.out.write(args.out + ".pcap")
    with open(args.out + ".tsv", "w") as f:
        f.write("begin\tend\tclass\tlabel\tkind\tsource\ttarget\tpackets\n")
        for row in sorted(office.oracle):
            f.write("%.6f\t%.6f\t%s\n" % (row[0], row[1], "\t".join(str(x) for x in row[2:])))


if __name__ == "__main__":
    main()
