#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Makes one big capture out of many small ones, for benchmarks.

    make_capture.py --megabytes 500 OUT.pcap FILE_OR_DIRECTORY...

All Ethernet captures found (pcap, microseconds or nanoseconds, either byte order; pcapng is left out) are written one
after the other, again and again in copies, until the size is reached. In every copy the IPv4 and IPv6 addresses are
rewritten, so that its flows are new ones; the time goes on without gaps or jumps. Checksums are not repaired: neither
spidctl nor ndpiReader looks at them.
"""
import argparse
import os
import struct
import sys

MAGICS = {0xa1b2c3d4: ("<", 1000), 0xa1b23c4d: ("<", 1), 0xd4c3b2a1: (">", 1000), 0x4d3cb2a1: (">", 1)}


def read_pcap(path):
    """The packets of a capture as [time in nanoseconds since its first packet, wire length, bytes], or None."""
    data = open(path, "rb").read()
    if len(data) < 24:
        return None
    order, unit = MAGICS.get(struct.unpack("<I", data[:4])[0], (None, None))
    if order is None or struct.unpack(order + "I", data[20:24])[0] & 0xffff != 1:
        return None
    packets, position, first = [], 24, None
    while position + 16 <= len(data):
        seconds, fraction, captured, wire = struct.unpack_from(order + "IIII", data, position)
        position += 16
        if captured > 262144 or position + captured > len(data):
            break
        time = seconds * 1_000_000_000 + fraction * unit
        first = time if first is None else first
        packets.append((max(0, time - first), wire, data[position:position + captured]))
        position += captured
    return packets


def rewrite(frame, copy):
    """The frame with addresses of the given copy."""
    frame, offset = bytearray(frame), 12
    while offset + 4 <= len(frame) and frame[offset:offset + 2] in (b"\x81\x00", b"\x88\xa8"):
        offset += 4
    kind = bytes(frame[offset:offset + 2])
    addresses = ((offset + 14, 4), (offset + 18, 4)) if kind == b"\x08\x00" else \
        ((offset + 10, 16), (offset + 26, 16)) if kind == b"\x86\xdd" else ()
    for start, length in addresses:
        if start + length <= len(frame):
            frame[start + length - 3] ^= copy & 0xff
            frame[start + length - 2] ^= copy >> 8 & 0xff
    return bytes(frame)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--megabytes", type=int, default=500)
    arguments = parser.parse_args()
    paths = []
    for source in arguments.sources:
        paths += sorted(os.path.join(source, f) for f in os.listdir(source)) if os.path.isdir(source) else [source]
    captures = [packets for packets in map(read_pcap, paths) if packets]
    if not captures:
        sys.exit("make_capture.py: no Ethernet pcap among the sources")
    limit, size, count, now, copy = arguments.megabytes * 1_000_000, 24, 0, 1_700_000_000_000_000_000, 0
    with open(arguments.out, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 262144, 1))
        while size < limit:
            for packets in captures:
                last = 0
                for time, wire, frame in packets:
                    last = max(last, min(time, 60_000_000_000))
                    seconds, fraction = divmod(now + last, 1_000_000_000)
                    out.write(struct.pack("<IIII", seconds, fraction, len(frame), max(wire, len(frame))))
                    out.write(rewrite(frame, copy))
                    size += 16 + len(frame)
                    count += 1
                now += last + 1_000_000
                if size >= limit:
                    break
            copy += 1
    print(f"{arguments.out}: {count} packets, {size} bytes, {copy} copies of {len(captures)} captures")


if __name__ == "__main__":
    main()
