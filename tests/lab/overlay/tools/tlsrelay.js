// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// TLS ends made with Node.js, for the laboratory: a TLS library and a way of writing records of their own.
//   tlsrelay.js server HOST PORT TO_HOST TO_PORT CHAIN KEY MAX      ends TLS and relays to a plain port
//   tlsrelay.js client LISTEN_PORT HOST PORT CA MAX                 relays a local plain port into TLS
//   tlsrelay.js https HOST PORT DIR CHAIN KEY MAX                   an HTTPS server over a directory
//   tlsrelay.js visit CA MAX SEED UPLOAD_BYTES URL...               an HTTPS client with a kept connection and uploads
'use strict';
const fs = require('fs'), https = require('https'), net = require('net'), path = require('path'), tls = require('tls');
const [mode, ...a] = process.argv.slice(2);

function join(one, other) {
  one.pipe(other);
  other.pipe(one);
  one.on('error', () => other.destroy());
  other.on('error', () => one.destroy());
  // end, not destroy: what has not been written yet must still go out
  one.on('close', () => other.end());
  other.on('close', () => one.end());
}

if (mode === 'server') {
  const [host, port, toHost, toPort, chain, key, max] = a;
  tls.createServer({cert: fs.readFileSync(chain), key: fs.readFileSync(key), maxVersion: max},
                   s => join(s, net.connect(+toPort, toHost))).listen(+port, host);
} else if (mode === 'client') {
  const [listen, host, port, ca, max] = a;
  net.createServer(s => join(s, tls.connect({host, port: +port, servername: host, ca: fs.readFileSync(ca), maxVersion: max})))
      .listen(+listen, '127.0.0.1');
} else if (mode === 'https') {
  const [host, port, dir, chain, key, max] = a;
  https.createServer({cert: fs.readFileSync(chain), key: fs.readFileSync(key), maxVersion: max}, (req, res) => {
    req.resume();
    req.on('end', () => {
      if (req.method !== 'GET') {
        res.setHeader('content-type', 'application/json');
        res.end('{"status":"ok"}');
        return;
      }
      fs.readFile(path.join(dir, path.basename(req.url)), (err, data) => {
        res.statusCode = err ? 404 : 200;
        res.end(err ? 'not found' : data);
      });
    });
  }).listen(+port, host);
} else {
  const [ca, max, seed, bytes, ...urls] = a;
  const agent = new https.Agent({keepAlive: true, maxSockets: 1 + seed % 3, ca: fs.readFileSync(ca), maxVersion: max});
  const get = (url, body) => new Promise(done => {
    const req = https.request(url, {agent, method: body ? 'POST' : 'GET'}, res => res.resume().on('end', done));
    req.on('error', done);
    req.end(body);
  });
  const pause = ms => new Promise(done => setTimeout(done, ms));
  (async () => {
    await get(urls[0]);
    await Promise.all(urls.slice(1).map(u => get(u)));
    for (let i = 0; i < 4; i++) {
      await pause(200 + 300 * ((+seed + i) % 5));
      await get(urls[i % urls.length], +bytes ? Buffer.alloc(1 + (+bytes * (i + 1)) % 40000, 'x') : undefined);
    }
    agent.destroy();
  })();
}
