#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Writes input.pcap: connections to two servers, a scan of ten closed ports, and a packet to a host that is not there."""

import ipaddress
import struct
import sys

START = 1_700_000_000
SYN, RST, ACK = 0x02, 0x04, 0x10


def tcp(source, source_port, destination, destination_port, flags):
    """An Ethernet frame with an empty TCP segment; checksums are not checked."""
    segment = struct.pack("!HHIIBBHHH", source_port, destination_port, 1, 0, 5 << 4, flags, 1024, 0, 0)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 0, 0, 64, 6, 0,
                     ipaddress.ip_address(source).packed, ipaddress.ip_address(destination).packed)
    return b"\x02\0\0\0\0\1\x02\0\0\0\0\2\x08\0" + ip + segment


def frames():
    """(seconds since the start, frame) in order of time."""
    for i in range(240):
        client, server, port = f"192.0.2.{1 + i % 8}", f"10.0.0.{5 + i % 2}", 40000 + i
        yield i / 10, tcp(client, port, server, 80, SYN)
        yield i / 10 + 0.001, tcp(server, 80, client, port, SYN | ACK)
        if 180 <= i < 190:
            closed = 1 + i - 180
            yield i / 10 + 0.05, tcp("198.51.100.66", 50000, "10.0.0.5", closed, SYN)
            yield i / 10 + 0.051, tcp("10.0.0.5", closed, "198.51.100.66", 50000, RST | ACK)
        if i == 195:
            yield i / 10 + 0.05, tcp("198.51.100.66", 50000, "10.0.0.77", 22, SYN)


def main():
    with open(sys.argv[1], "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for seconds, frame in frames():
            microseconds = round(seconds * 1_000_000)
            out.write(struct.pack("<IIII", START + microseconds // 1_000_000, microseconds % 1_000_000, len(frame), len(frame)))
            out.write(frame)


if __name__ == "__main__":
    main()
