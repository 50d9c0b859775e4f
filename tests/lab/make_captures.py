#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Run the added variants in a copy of the laboratory and keep one labels.tsv of all good captures.

make_captures.py LAB OUT TAXONOMY [-j N] [--minutes M] [--rounds K] [--only GLOB]

LAB is a copy of the laboratory with overlay/ copied over it; TAXONOMY gives every label its category. A round runs
every variant once, with seeds from 11 up. labels.tsv is replaced as a whole every minute; a capture with a flow that
nothing explains, or that the dissector contradicts, goes to rejected/.
"""
import argparse
import concurrent.futures
import fnmatch
import glob
import json
import os
import re
import subprocess
import sys
import threading
import time

COLUMNS = (
    "pcap scenario variant seed proto client_ip client_port server_ip server_port label category tool version inner "
    "pkts_c2s pkts_s2c payload_c2s payload_s2c t_first t_last start_seen check params note"
).split()


def rows_of(path):
    with open(path) as f:
        head = f.readline().rstrip("\n").split("\t")
        return [dict(zip(head, line.rstrip("\n").split("\t"))) for line in f]


def collect(out, taxonomy):
    """Write OUT/labels.tsv from the parts of the runs that went well; returns captures, flows, rejected."""
    categories = {}
    with open(taxonomy) as f:
        for line in f:
            if not line.startswith(("#", "label\t")):
                label, _, category = line.rstrip("\n").split("\t")
                categories[label] = category
    os.makedirs(out + "/rejected", exist_ok=True)
    lines, captures, rejected = ["\t".join(COLUMNS)], 0, 0
    for part in sorted(glob.glob(out + "/parts/*.status.json")):
        with open(part) as f:
            try:
                status = json.load(f)
            except ValueError:
                continue
        base = os.path.basename(part)[: -len(".status.json")]
        for pcap in glob.glob("%s/%s*.pcap" % (out, base)):
            labels = "%s/parts/%s.labels.tsv" % (out, os.path.basename(pcap)[:-5])
            rows = rows_of(labels) if os.path.exists(labels) else []
            for r in rows:
                r["set"] = ""
                # an SSH connection that carries other traffic is a label of its own
                if r["label"] == "ssh" and r["category"] == "tunnel":
                    r["label"] = "ssh-tunnel"
                if r["category"] != "unknown" and r["label"] in categories:
                    r["category"] = categories[r["label"]]
                elif r["category"] != "aux":
                    r["category"] = "unknown"
            if status["status"] != "ok" or any(r["category"] == "unknown" or r["check"] == "MISMATCH" for r in rows):
                os.replace(pcap, out + "/rejected/" + os.path.basename(pcap))
                rejected += 1
                continue
            captures += 1
            lines += ["\t".join(r[c] for c in COLUMNS) for r in rows]
    with open(out + "/labels.tsv.new", "w") as f:
        f.write("\n".join(lines) + "\n")
    os.replace(out + "/labels.tsv.new", out + "/labels.tsv")
    return captures, len(lines) - 1, rejected


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("lab")
    ap.add_argument("out")
    ap.add_argument("taxonomy")
    ap.add_argument("-j", type=int, default=3)
    ap.add_argument("--minutes", type=float, default=60)
    ap.add_argument("--rounds", type=int, default=1)
    ap.add_argument("--only", default="*")
    o = ap.parse_args()
    lab, end = os.path.abspath(o.lab), time.time() + 60 * o.minutes
    os.makedirs(o.out + "/parts", exist_ok=True)
    sys.path.insert(0, lab)
    from labkit import registry

    scenarios = registry.load()
    names = [n for n in scenarios if getattr(scenarios[n], "more", 0) and fnmatch.fnmatch(n, o.only)]
    names.sort(key=lambda n: scenarios[n].more)
    jobs = []
    for k in range(o.rounds):
        for i in range(max(len(scenarios[n].variants["dev"]) for n in names)):
            for n in names:
                count = len(scenarios[n].variants["dev"])
                if i < count:
                    # the laboratory picks variant (seed - 1) % count
                    first = next(s for s in range(11, 11 + count) if (s - 1) % count == i)
                    jobs.append((k, n, first + k * count))

    def one(job):
        k, name, seed = job
        base = "%s-%s" % (name, scenarios[name].pick("dev", seed)[0])
        runs = [f for f in os.listdir(o.out + "/parts") if re.fullmatch(re.escape(base) + r"-\d+\.status\.json", f)]
        if time.time() > end or len(runs) > k:
            return
        cmd = [sys.executable, lab + "/lab.py", "run", name, "--seed", str(seed), "--out", o.out, "--nomerge"]
        try:
            r = subprocess.run(
                cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL, timeout=280
            )
            print(time.strftime("%H:%M:%S"), r.stdout.strip().split("\n")[-1][:420], flush=True)
        except subprocess.TimeoutExpired:
            print(base, "took too long", flush=True)

    done = threading.Event()

    def collector():
        while not done.wait(60):
            print("collected: captures %d, flows %d, rejected now %d" % collect(o.out, o.taxonomy), flush=True)

    t = threading.Thread(target=collector)
    t.start()
    with concurrent.futures.ThreadPoolExecutor(o.j) as pool:
        list(pool.map(one, jobs))
    done.set()
    t.join()
    print("collected: captures %d, flows %d, rejected now %d" % collect(o.out, o.taxonomy))


if __name__ == "__main__":
    main()
