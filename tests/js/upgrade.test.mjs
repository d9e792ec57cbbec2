// Boxes between client and server that spoil the upgrade to a WebSocket, each in its way: the session goes on by polling.
import assert from 'node:assert/strict';
import net from 'node:net';
import test from 'node:test';
import v4 from 'socket.io-client';
import v3 from 'socket.io-client-3';
import v2 from 'socket.io-client-2';
import { until } from './guarded.mjs';
import { LIMIT, call, next, startStoa } from './server.mjs';

const ways = ['cut after 101', 'reset after 101', 'cut at the probe', 'silence', 'garbage', 'refused with 429', 'refused with 503'];

/** Passes everything on but upgrades; counts polls. */
async function box(port, way) {
  const counted = { polls: 0, upgrades: 0 };
  const server = net.createServer((client) => {
    const stoa = net.connect(port, '127.0.0.1');
    let upgrading = false;
    client.on('data', (bytes) => {
      const text = bytes.toString('latin1');
      if (text.startsWith('GET') && text.includes('transport=polling')) counted.polls += 1;
      if (/^upgrade: websocket/im.test(text)) {
        upgrading = true;
        counted.upgrades += 1;
        if (way.startsWith('refused')) {
          client.end(`HTTP/1.1 ${way.slice(-3)} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
          return;
        }
      } else if (upgrading && way === 'cut at the probe') {
        stoa.write(bytes);
        setTimeout(() => client.destroy(), 50);
        return;
      } else if (upgrading && way === 'silence') {
        return;
      }
      stoa.write(bytes);
    });
    stoa.on('data', (bytes) => {
      const head = bytes.toString('latin1').startsWith('HTTP/1.1 101');
      // The answer to the probe never comes through.
      if (upgrading && !head && way === 'cut at the probe') return;
      client.write(bytes);
      if (head && way === 'cut after 101') client.end();
      if (head && way === 'reset after 101') client.resetAndDestroy();
      if (head && way === 'garbage') stoa.write(Buffer.alloc(40, 0xff));
    });
    for (const [one, other] of [[client, stoa], [stoa, client]]) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { counted, url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

for (const [name, io] of [['4', v4], ['3', v3], ['2', v2]]) {
  test(`socket.io-client ${name} behind boxes that spoil upgrades`, LIMIT, async () => {
    const stoa = await startStoa();
    try {
      for (const way of ways) {
        const spoilt = await box(stoa.port, way);
        const socket = io(spoilt.url, { forceNew: true, reconnection: false });
        try {
          let gone = false;
          socket.on('disconnect', () => { gone = true; });
          await next(socket, 'connection_established');
          await until('the try to upgrade', () => spoilt.counted.upgrades > 0);
          await new Promise((resolve) => setTimeout(resolve, 200));
          const before = spoilt.counted.polls;
          const answer = await call(socket, 'get_state', {});
          assert.equal(answer.status, 'ok', way);
          assert.ok(!gone, way);
          assert.equal(socket.io.engine.transport.name, 'polling', way);
          assert.ok(spoilt.counted.polls - before <= 10, `${spoilt.counted.polls - before} polls, ${way}`);
        } finally {
          socket.close();
          spoilt.close();
        }
      }
    } finally {
      await stoa.stop();
    }
  });
}
