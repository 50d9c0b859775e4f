#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""HTTPS clients in Python: plan.py requests|aiohttp|httpx BASE, steps "METHOD PATH BYTES MILLISECONDS" on input.

All steps of a run go over one session. A proxy is taken from the environment (https_proxy and so on). The WS step
(aiohttp only) opens a WebSocket and sends BYTES messages, MILLISECONDS apart.
"""
import asyncio
import os
import random
import sys
import time

STEPS = [(m, sys.argv[2] + p, int(n), int(ms) / 1000) for m, p, n, ms in (line.split() for line in sys.stdin)]


def by_requests():
    import requests

    session = requests.Session()
    for method, url, n, pause in STEPS:
        try:
            session.request(method, url, data=os.urandom(n) if n else None, timeout=15)
        except requests.RequestException as e:
            print(e)
        time.sleep(pause)


def by_httpx():
    import httpx

    with httpx.Client(http2=True, verify="/etc/ssl/certs/ca-certificates.crt", timeout=15) as session:
        for method, url, n, pause in STEPS:
            try:
                session.request(method, url, content=os.urandom(n) if n else None)
            except httpx.HTTPError as e:
                print(e)
            time.sleep(pause)


async def by_aiohttp():
    import aiohttp

    async def talk(ws, n, pause):
        async def hear():
            async for _ in ws:
                pass

        t = asyncio.ensure_future(hear())
        for i in range(n):
            await ws.send_str("%x" % random.getrandbits(random.choice([40, 200, 1500])))
            await asyncio.sleep(pause * random.uniform(0.2, 1.8))
        t.cancel()

    async with aiohttp.ClientSession(trust_env=True) as session:
        for method, url, n, pause in STEPS:
            try:
                if method == "WS":
                    async with session.ws_connect(url, heartbeat=random.choice([None, 2])) as ws:
                        await talk(ws, n, pause)
                    continue
                async with session.request(method, url, data=os.urandom(n) if n else None) as r:
                    await r.read()
            except (aiohttp.ClientError, OSError) as e:
                print(e)
            await asyncio.sleep(pause)


if sys.argv[1] == "aiohttp":
    asyncio.run(by_aiohttp())
else:
    {"requests": by_requests, "httpx": by_httpx}[sys.argv[1]]()
