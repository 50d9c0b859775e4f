#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Speaks the first packets of a recorded UDP flow again, between two hosts, as many times as wanted.

    replay_udp.py answer CAPTURE ADDRESS FLOWS    listens on FLOWS ports from 20000 on
    replay_udp.py ask    CAPTURE ADDRESS FLOWS    speaks to each of them in turn, 20 packets a flow

Payloads that the capture cut are filled up with fixed noise. Both sides take turns by the recorded order; a packet that
does not come (blocked) ends the flow.
"""
import random
import select
import socket
import struct
import sys

FIRST_PORT, PACKETS, PATIENCE = 20000, 20, 0.05


def recorded_payloads(path):
    """The first packets of the capture's first UDP flow as [from the client?, payload]."""
    data, position, client, payloads = open(path, "rb").read(), 24, None, []
    noise = random.Random(1)
    while position + 16 <= len(data) and len(payloads) < PACKETS:
        captured = struct.unpack_from("<I", data, position + 8)[0]
        frame = data[position + 16:position + 16 + captured]
        position += 16 + captured
        if frame[12:14] != b"\x08\x00" or frame[23] != 17:
            continue
        client = client or frame[26:30]
        length = struct.unpack_from(">H", frame, 38)[0] - 8
        payload = frame[42:42 + length]
        payloads.append((frame[26:30] == client, payload + noise.randbytes(length - len(payload))))
    return payloads


def listen(address, port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, port))
    return sock


def answer(payloads, address, flows):
    listeners = {listen(address, FIRST_PORT + i): 0 for i in range(flows)}
    print("ready", flush=True)
    poll = select.epoll()
    by_number = {sock.fileno(): sock for sock in listeners}
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    while True:
        for number, _ in poll.poll():
            sock = by_number[number]
            _, peer = sock.recvfrom(65536)
            listeners[sock] += 1
            while listeners[sock] < len(payloads) and not payloads[listeners[sock]][0]:
                sock.sendto(payloads[listeners[sock]][1], peer)
                listeners[sock] += 1


def ask(payloads, address, flows):
    for i in range(flows):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.settimeout(PATIENCE)
        try:
            for from_client, payload in payloads:
                if from_client:
                    sock.sendto(payload, (address, FIRST_PORT + i))
                else:
                    sock.recv(65536)
        except socket.timeout:
            pass
        sock.close()


if __name__ == "__main__":
    role, capture, host, count = sys.argv[1:5]
    (answer if role == "answer" else ask)(recorded_payloads(capture), host, int(count))
