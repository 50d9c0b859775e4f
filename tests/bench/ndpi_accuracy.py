#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""How right Debian's ndpiReader (libndpi-bin) is beside spidd, on identical flows.

  spidctl eval --set lab:DIR:LABELS ... --verdicts FILE
  ndpi_accuracy.py FILE lab=DIR ...     [--moment 8] [--jobs 2]

Every capture of the verdict table is read by ndpiReader; its flows are joined by five-tuple and nearest start. nDPI sees
the whole flow, spidd as much as --moment says (a number of payload packets or final). A name of nDPI counts as right if
it can mean the flow's family; ndpiReader's table leaves out flows without a name. NAMES has what is not spelled alike, and where nDPI is finer (an application in TLS,
"TLS.Google") each part may be right. Families that nDPI 4.2 has no name for are told apart.
"""
import argparse
import collections
import concurrent.futures
import csv
import os
import subprocess
import tempfile

# Families by nDPI's names, where they are not the family's own name in other letters.
NAMES = {
    "ftp": {"ftp_control"}, "ftp-data": {"ftp_data"}, "smb": {"smbv1", "smbv23"}, "ike": {"ipsec"},
    "ipsec-nat-t": {"ipsec"}, "esp": {"ipsec"}, "postgres": {"postgresql"}, "xmpp": {"jabber"},
    "icmp": {"icmp", "icmpv6"}, "dhcp": {"dhcp", "dhcpv6"}, "tls": {"tls", "doh_dot"}, "dcerpc": {"dce_rpc"},
    "tds": {"mssql-tds"}, "http-connect": {"http_connect", "http_proxy"}, "ethereum": {"mining"},
    "bitcoin": {"mining"}, "quic": {"quic"}, "iec104": {"iec60870"}, "gtp": {"gtp", "gtp_u", "gtp_c", "gtp_prime"},
    "enip": {"ethernetip"}, "skype": {"skypecall", "skype_teams"}, "whatsapp": {"whatsapp", "whatsappcall"},
    "netbios": {"netbios"}, "rdp": {"rdp"}, "pop3": {"pop3"}, "bittorrent-tracker": {"bittorrent"},
    "bittorrent-mse": {"bittorrent"}, "tinc": {"tinc"}, "h323": {"h323"}, "mpeg-ts": {"mpeg_ts"}, "s7": {"s7comm"},
    "alicloud": {"alibaba"}, "rtsp": {"rtsp"}, "websocket": {"websocket"},
}
# What nDPI 4.2 calls a tunnel or VPN.
TUNNELS = {"openvpn", "wireguard", "ipsec", "pptp", "tinc", "tor", "socks", "http_connect", "http_proxy", "ciscovpn",
           "fortinetvpn", "forticlient", "hotspotshield", "icloudprivaterelay", "ayiya", "teredo", "gre", "ip_in_ip"}
TRANSPORTS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmp6"}


def read_capture(path):
    """{(transport, two endpoints): [(start, name)]} of what ndpiReader says."""
    flows = collections.defaultdict(list)
    with tempfile.NamedTemporaryFile(suffix=".csv") as table:
        subprocess.run(["ndpiReader", "-q", "-i", path, "-C", table.name], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=120, check=False)
        with open(table.name, encoding="utf-8", errors="replace", newline="") as file:
            for row in csv.DictReader(file):
                transport = TRANSPORTS.get(row.get("protocol"))
                if transport is None or row.get("ndpi_proto") is None:
                    continue
                ports = ("0", "0") if transport.startswith("icmp") else (row["src_port"], row["dst_port"])
                ends = frozenset([(row["src_ip"].lower(), ports[0]), (row["dst_ip"].lower(), ports[1])])
                flows[transport, ends].append((float(row["first_seen"]), row["ndpi_proto"].lower()))
    return flows


def endpoint(text, transport):
    address, port = text.rsplit(":", 1)
    return address.strip("[]").lower(), "0" if transport.startswith("icmp") else port


def ndpi_name(row, flows):
    key = row["transport"], frozenset(endpoint(row[end], row["transport"]) for end in ("low", "high"))
    candidates = flows.get(key, [])
    if not candidates:
        return "unknown"
    start = float(row["start"])
    return min(candidates, key=lambda flow: abs(flow[0] - start))[1]


def letters(text):
    return "".join(c for c in text.lower() if c.isalnum())


def means(name, family):
    parts = name.split(".")
    wanted = NAMES.get(family, set())
    return any(part in wanted or letters(part) == letters(family) for part in parts)


def named_families(name, families):
    """The families that the name can mean; unknown names stand for themselves."""
    if name in ("unknown", ""):
        return set()
    return {family for family in families if means(name, family)} or {"ndpi:" + name}


def figures(truths, answers):
    """Precision, recall, macro F1. An answer is a set of families; right if the truth is in it."""
    right, wrong, missed = collections.Counter(), collections.Counter(), collections.Counter()
    for truth, answer in zip(truths, answers):
        if truth in answer:
            right[truth] += 1
            continue
        missed[truth] += 1
        for family in answer:
            wrong[family] += 1 / len(answer)
    named = sum(1 for answer in answers if answer)
    total = sum(right.values())
    f1 = [2 * right[f] / (2 * right[f] + wrong[f] + missed[f]) for f in sorted(set(truths))]
    return total / max(1, named), total / max(1, len(truths)), sum(f1) / max(1, len(f1))


def tunnel_figures(rows, alerts):
    by_label = collections.defaultdict(list)
    benign = []
    for row, alert in zip(rows, alerts):
        (by_label[row["label"]] if row["tunnel"] == "1" else benign).append(alert)
    macro = sum(sum(hits) / len(hits) for hits in by_label.values()) / max(1, len(by_label))
    flows = [hit for hits in by_label.values() for hit in hits]
    return macro, sum(flows) / max(1, len(flows)), sum(benign) / max(1, len(benign)), len(flows), len(benign)


def report(title, rows, names, moment):
    families = sorted({row["family"] for row in rows})
    supported = {f for f in families if any(means(name, f) for name in KNOWN_NAMES)}
    for what, chosen in (("all families", set(families)), ("families that nDPI has a name for", supported)):
        pairs = [(row, name) for row, name in zip(rows, names) if row["family"] in chosen]
        truths = [row["family"] for row, _ in pairs]
        theirs = [named_families(name, families) for _, name in pairs]
        ours = [{row["named_" + moment]} - {""} for row, _ in pairs]
        print(f"\n{title}, {what}: {len(pairs)} flows, {len(set(truths))} families")
        for program, answers in (("spidd", ours), ("nDPI", theirs)):
            precision, recall, macro = figures(truths, answers)
            print(f"  {program:<6} precision {100 * precision:5.1f}  recall {100 * recall:5.1f}  macro F1 {100 * macro:5.1f}")
    for program, alerts in (("spidd", [row["alert_" + moment] == "1" for row in rows]),
                            ("nDPI", [bool(TUNNELS & set(name.split("."))) for name in names])):
        macro, flows, false, tunnels, benign = tunnel_figures(rows, alerts)
        print(f"  {program:<6} tunnels: macro recall {100 * macro:5.1f}  of flows {100 * flows:5.1f} of {tunnels}  "
              f"false {100 * false:5.2f} of {benign}")


def known_names():
    """The protocols that this ndpiReader lists."""
    text = subprocess.run(["ndpiReader", "-h"], capture_output=True, text=True, check=False).stdout
    names, listing = set(), False
    for line in text.splitlines():
        words = line.split()
        if line.startswith("nDPI supported protocols"):
            listing = True
        elif listing and len(words) >= 2 and words[0].isdigit():
            names.add(words[1].lower())
        elif listing and line.startswith("nDPI supported risks"):
            break
    return names


def main():
    global KNOWN_NAMES
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("verdicts")
    parser.add_argument("directories", nargs="+", metavar="SET=DIR")
    parser.add_argument("--moment", default="final")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    KNOWN_NAMES = known_names()
    directories = dict(text.split("=", 1) for text in arguments.directories)
    with open(arguments.verdicts, encoding="utf-8", errors="replace", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
                if row["set"] in directories and row["known"] == "1"]
    captures = sorted({(row["set"], row["capture"]) for row in rows})
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        paths = [os.path.join(directories[name], capture) for name, capture in captures]
        flows_of = dict(zip(captures, pool.map(read_capture, paths)))
    for name in directories:
        chosen = [row for row in rows if row["set"] == name]
        answers = [ndpi_name(row, flows_of[row["set"], row["capture"]]) for row in chosen]
        print(f"\n{name}: {len(chosen)} known flows, {answers.count('unknown')} that ndpiReader has no name for")
        report(name, chosen, answers, arguments.moment)



KNOWN_NAMES = set()

if __name__ == "__main__":
    main()
