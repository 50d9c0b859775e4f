#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A web application for the laboratory's scenarios: files, an API, server-sent events, uploads, WebSocket.

webapp.py HOST PORT DIR SEED [CHAIN KEY MAX]     plain HTTP, or HTTPS (Python's ssl) when a certificate is given
/run?p=STEPS is a page whose script does STEPS (see live.js); /done prints "done".
"""
import asyncio
import os
import random
import ssl
import sys

from aiohttp import WSMsgType, web

host, port, folder, seed = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
rng = random.Random(seed)
SQUEEZE = rng.random() < 0.5


def text(n):
    return "".join(rng.choice("abcdefghij klmnopqrst uvwxyz") for _ in range(n))


def number(req, name, default):
    return int(req.query.get(name, default))


async def api(req):
    await req.read()
    await asyncio.sleep(rng.choice([0, 0, 0.01, 0.05, 0.2]))
    items = ",".join(
        '{"id":%d,"name":"%s"}' % (rng.getrandbits(24), text(20)) for _ in range(number(req, "n", 300) // 48)
    )
    r = web.Response(text='{"status":"ok","items":[%s]}' % items, content_type="application/json")
    if SQUEEZE:
        r.enable_compression()
    return r


async def upload(req):
    return web.json_response({"size": len(await req.read())}, status=rng.choice([200, 201]))


async def stream(req):
    """Server-sent events, or (slow=1) an answer that comes in pieces."""
    slow = "slow" in req.query
    r = web.StreamResponse(headers={"Content-Type": "application/octet-stream" if slow else "text/event-stream"})
    await r.prepare(req)
    for i in range(number(req, "n", 5)):
        size = int(min(9000, rng.lognormvariate(6.5 if slow else 4.5, 0.9)))
        await r.write((text(size) if slow else "id: %d\ndata: {%s}\n\n" % (i, text(size))).encode())
        await asyncio.sleep(number(req, "ms", 300) * rng.uniform(0.3, 1.7) / 1000)
    if not slow:
        await r.write(b"event: end\ndata: 0\n\n")
    return r


async def socket(req):
    """A chat, a feed of small news, remote procedure calls, or blocks of bytes."""
    ws = web.WebSocketResponse(compress=SQUEEZE, heartbeat=rng.choice([None, 1.5, 5]))
    await ws.prepare(req)
    shape = req.query.get("shape", "chat")

    async def push():
        while True:
            await asyncio.sleep(rng.expovariate({"chat": 0.7, "feed": 4, "bin": 3}.get(shape, 0.2)))
            if shape == "bin":
                await ws.send_bytes(rng.randbytes(rng.randint(300, 6000)))
            else:
                await ws.send_str('{"type":"news","data":"%s"}' % text(int(min(4000, rng.lognormvariate(4.6, 1)))))

    t = asyncio.ensure_future(push())
    async for m in ws:
        if m.type == WSMsgType.TEXT and shape in ("chat", "rpc"):
            await ws.send_str(
                '{"ok":1,"data":"%s"}' % text(rng.randint(5, 60) if shape == "chat" else rng.randint(50, 4000))
            )
    t.cancel()
    return ws


def page(body):
    return web.Response(
        text="<!doctype html><html><head><title>Home</title></head><body>%s</body></html>" % body,
        content_type="text/html",
    )


async def run(req):
    names = req.query.get("o", "").split()
    tags = "".join(
        '<link rel="stylesheet" href="/%s">' % n
        if n.endswith("css")
        else '<script src="/%s" async></script>' % n
        if n.endswith("js")
        else '<img src="/%s">' % n
        for n in names
    )
    return page(
        '%s<p>%s</p><script src="/live.js"></script><script>run(%s, location.origin);</script>'
        % (tags, text(rng.randint(200, 9000)), req.query["p"])
    )


async def done(req):
    print("done", flush=True)
    return web.Response(text="")


async def files(req):
    name = os.path.basename(req.path)
    if not name:
        return page("".join('<a href="%s">%s</a><br>\n' % (n, n) for n in sorted(os.listdir(folder))))
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)) if name == "live.js" else folder, name)
    return web.FileResponse(path) if os.path.exists(path) else web.Response(status=404)


app = web.Application(client_max_size=1 << 24)
app.router.add_route("*", "/api/{x:.*}", api)
app.router.add_route("*", "/upload", upload)
for url, what in (("/events", stream), ("/ws", socket), ("/run", run), ("/done", done), ("/{x:.*}", files)):
    app.router.add_get(url, what)
context = None
if len(sys.argv) > 5:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[5], sys.argv[6])
    context.maximum_version = ssl.TLSVersion[sys.argv[7].replace(".", "_")]
web.run_app(app, host=host, port=port, ssl_context=context, print=None, access_log=None)
