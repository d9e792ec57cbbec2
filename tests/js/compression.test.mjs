// Compression of messages with Node's clients: `ws` itself, and each generation of socket.io-client that is told to offer it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import v4 from 'socket.io-client';
import v3 from 'socket.io-client-3';
import v2 from 'socket.io-client-2';
import WebSocket from 'ws';
import { LIMIT, call, next, publish, startStoa, upgraded, within } from './server.mjs';

const TEXT = 'the same words again and again, '.repeat(150);

/** The sum of the figures whose lines begin like that. */
async function counted(stoa, start) {
  const text = await (await fetch(`${stoa.url}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(start));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').pop()), 0);
}

const decision = (n, what = TEXT) => ({ type: 'decision.logged', id: `d${n}`, data: { what, n } });

/** Packets of a raw WebSocket, pings answered; they are kept from the first one on. */
function packets(socket) {
  const came = [];
  let wake = () => {};
  socket.on('message', (data) => {
    const packet = String(data);
    if (packet === '2') return socket.send('3');
    came.push(packet);
    wake();
  });
  return async (start) => {
    for (;;) {
      const at = came.findIndex((packet) => packet.startsWith(start));
      if (at >= 0) return came.splice(0, at + 1).pop();
      await within(start, new Promise((resolve) => { wake = resolve; }));
    }
  };
}

for (const [name, perMessageDeflate] of Object.entries({
  'as it offers by itself': { threshold: 0 },
  'without takeover': { threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true },
  'with a small window of its own': { threshold: 0, clientMaxWindowBits: 9 },
})) {
  test(`ws, ${name}: both ways, each message by itself`, LIMIT, async () => {
    const stoa = await startStoa();
    const socket = new WebSocket(`ws://${stoa.address}/socket.io/?EIO=4&transport=websocket`, { perMessageDeflate });
    try {
      const packet = packets(socket);
      await within('the opened WebSocket', once(socket, 'open'));
      assert.equal(socket.extensions, 'permessage-deflate');
      socket.send('40{"role":"producer"}');
      await packet('42["connection_established"');
      for (let n = 0; n < 4; n += 1) {
        const what = n % 2 ? `${n}` : TEXT + n;
        socket.send(`42${n}${JSON.stringify(['publish', decision(n, what)])}`);
        const [, update] = JSON.parse((await packet('42["decision_event"')).slice(2));
        assert.equal(update.decision, what);
      }
      assert.equal(await counted(stoa, 'stoa_messages_compressed_total'), 2);
      assert.ok(await counted(stoa, 'stoa_messages_inflated_total') >= 5);
    } finally {
      socket.terminate();
      await stoa.stop();
    }
  });
}

test('ws, with a window of the server that it does not have: goes on uncompressed', LIMIT, async () => {
  const stoa = await startStoa();
  const socket = new WebSocket(`ws://${stoa.address}/socket.io/?EIO=4&transport=websocket`, {
    perMessageDeflate: { serverMaxWindowBits: 10 },
  });
  try {
    const packet = packets(socket);
    await within('the opened WebSocket', once(socket, 'open'));
    assert.equal(socket.extensions, '');
    socket.send('40');
    await packet('42["connection_established"');
  } finally {
    socket.terminate();
    await stoa.stop();
  }
});

const hello = { role: 'producer', snapshot: true };
for (const [name, io, how] of [
  ['socket.io-client 4', v4, { auth: hello }],
  ['socket.io-client 3', v3, { auth: hello }],
  ['socket.io-client 2', v2, { query: hello }],
]) {
  for (const transports of [['websocket'], ['polling', 'websocket']]) {
    test(`${name}, ${transports}: compressed both ways, and after it comes back`, LIMIT, async () => {
      const stoa = await startStoa();
      let socket;
      try {
        await publish(stoa.url, Array.from({ length: 100 }, (_, n) => ({
          type: 'task.created', data: { task_id: `t${n}`, name: `Task ${n}`, note: TEXT },
        })));
        socket = io(stoa.url, { forceNew: true, transports, perMessageDeflate: { threshold: 0 }, reconnectionDelay: 50, ...how });
        const engine = () => socket.io.engine;
        const snapshot = await next(socket, 'snapshot');
        assert.equal(Object.keys(snapshot.tasks).length, 100);
        await upgraded(socket);
        const sent = async (n) => {
          const came = next(socket, 'decision_event', (update) => update.id === `d${n}`);
          const answer = await call(socket, 'publish', decision(n));
          assert.equal(answer.accepted, 1);
          assert.equal((await came).decision, TEXT);
        };
        await sent(1);
        const again = next(socket, 'connection_established');
        engine().close();
        socket.connect();
        await again;
        await upgraded(socket);
        await sent(2);
        assert.ok(await counted(stoa, 'stoa_deliveries_compressed_total') >= 2);
        assert.ok(await counted(stoa, 'stoa_messages_inflated_total') >= 2);
        assert.equal(await counted(stoa, 'stoa_connections_killed_total'), 0);
      } finally {
        socket?.close();
        await stoa.stop();
      }
    });
  }
}
