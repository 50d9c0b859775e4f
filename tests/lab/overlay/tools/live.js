// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What a page's script does on the web application of webapp.py: steps [METHOD, PATH, BYTES, MILLISECONDS].
// In a browser a page calls run(); with Node.js: live.js BASE STEPS (https, or wss with the module ws).
// WS opens a WebSocket, sends BYTES messages and closes it; EVENTS listens until the end; the rest is fetch.
'use strict';
const pause = ms => new Promise(done => setTimeout(done, ms));
const text = n => {
  let s = '';
  while (s.length < n) s += Math.random().toString(36).slice(2);
  return s.slice(0, n);
};

function talk(url, count, gap, Socket) {
  return new Promise(done => {
    const ws = new Socket(url);
    ws.onclose = ws.onerror = done;
    ws.onopen = async () => {
      for (let i = 0; i < count; i++) {
        ws.send(i % 7 === 6 ? new Uint8Array(900 * Math.random())
                            : JSON.stringify({id: i, message: text(300 * Math.random() ** 2)}));
        await pause(gap * (0.2 + 1.6 * Math.random()));
      }
      ws.close();
    };
  });
}

function listen(url) {
  return new Promise(done => {
    const source = new EventSource(url);
    const close = () => { source.close(); done(); };
    source.addEventListener('end', close);
    source.onerror = close;
  });
}

async function run(steps, base, Socket) {
  for (const [method, path, bytes, ms] of steps) {
    try {
      if (method === 'WS') {
        await talk(base.replace(/^http/, 'ws') + path, bytes, ms, Socket || WebSocket);
      } else if (method === 'EVENTS') {
        await listen(base + path);
      } else {
        await (await fetch(base + path, bytes ? {method, body: text(bytes)} : {method})).arrayBuffer();
      }
    } catch (e) { }
    if (method !== 'WS') await pause(ms);
  }
}

if (typeof process !== 'undefined')
  run(JSON.parse(process.argv[3]), process.argv[2], globalThis.WebSocket || require('ws'));
