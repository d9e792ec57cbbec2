// Every Socket.IO client generation, by every way a user may connect it: connect, join, receive, ack, publish, reconnect.
import assert from 'node:assert/strict';
import test from 'node:test';
import v4 from 'socket.io-client';
import v3 from 'socket.io-client-3';
import v2 from 'socket.io-client-2';
import { LIMIT, call, next, publish, startStoa, upgraded } from './server.mjs';

const clients = [
  { name: 'socket.io-client 4', io: v4, auth: true },
  { name: 'socket.io-client 3', io: v3, auth: true },
  { name: 'socket.io-client 2', io: v2, auth: false },
];
const ways = [
  { name: 'websocket only', options: { transports: ['websocket'] } },
  { name: 'polling, then upgrade', options: {} },
  { name: 'polling only', options: { transports: ['polling'] } },
];

function open({ io, auth }, url, options, hello) {
  const common = { forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 200, ...options };
  // Version 2 has no auth payload: the same keys go into the query string.
  return auth ? io(url, { ...common, auth: hello }) : io(url, { ...common, query: hello });
}

for (const client of clients) {
  for (const way of ways) {
    test(`${client.name}, ${way.name}`, LIMIT, async () => {
      let stoa = await startStoa();
      const observer = open(client, stoa.url, way.options, { name: 'watcher' });
      const producer = open(client, stoa.url, way.options, { name: 'worker', role: 'producer', rooms: 'task:Write%20docs' });
      try {
        const hellos = [observer, producer].map((socket) => next(socket, 'connection_established'));
        const [established, producing] = await Promise.all(hellos);
        assert.equal(established.role, 'observer');
        assert.deepEqual(established.rooms, ['general', 'observers']);
        assert.equal(established.client_id, established.session_id);
        // Version 2 is told no id by CONNECT: its own is the transport's.
        assert.equal(established.client_id === observer.id, client.auth);
        assert.equal(producing.role, 'producer');
        assert.ok(producing.rooms.includes('task:Write%20docs'), `${producing.rooms}`);
        assert.equal((await call(producer, 'join', 'task:%57rite%20docs')).room, 'task:Write%20docs');
        if (way.name === 'polling, then upgrade') await upgraded(observer);

        const joined = next(observer, 'room_joined');
        assert.deepEqual(await call(observer, 'join_room', { room: 'project:p1' }), {
          status: 'ok', room: 'project:p1', members: 1,
        });
        assert.equal((await joined).room, 'project:p1');

        const update = next(observer, 'task_assignment');
        const receipt = await call(producer, 'publish', {
          type: 'task.assigned', project_id: 'p1', data: { agent_id: 'a1', task_id: 't1', task_name: 'Build' },
        });
        assert.equal(receipt.status, 'ok');
        assert.equal(receipt.accepted, 1);
        const received = await update;
        assert.equal(received.taskName, 'Build');
        assert.equal(received.cursor, receipt.cursor);

        const refused = await call(observer, 'publish', { type: 'task.assigned', data: {} });
        assert.equal(refused.status, 'error');
        assert.equal(refused.error.code, 'forbidden');

        // The server goes and comes back: the client returns by itself and sees what happens then.
        const back = next(observer, 'connection_established');
        await stoa.stop();
        stoa = await startStoa({ port: stoa.port });
        assert.notEqual((await back).client_id, established.client_id);
        const after = next(observer, 'agent_update');
        assert.equal((await publish(stoa.url, { type: 'agent_registered', data: { agent_id: 'a2' } })).status, 202);
        assert.equal((await after).data.agent_id, 'a2');
      } finally {
        observer.close();
        producer.close();
        await stoa.stop();
      }
    });
  }
}

test('a burst that crosses the upgrade arrives whole and in order', LIMIT, async () => {
  const stoa = await startStoa();
  let socket;
  try {
    for (let round = 0; round < 5; round += 1) {
      socket = v4(stoa.url, { forceNew: true });
      const seen = [];
      const done = next(socket, 'decision_event', (update) => update.data.round === round && seen.push(update.data.n) === 200);
      await next(socket, 'connection_established');
      for (let n = 0; n < 200; n += 20) {
        const events = Array.from({ length: 20 }, (_, i) => ({ type: 'decision.logged', data: { what: 'x', round, n: n + i } }));
        await publish(stoa.url, events);
      }
      await done;
      assert.deepEqual(seen, Array.from({ length: 200 }, (_, i) => i));
      // The burst may be over before the upgrade is.
      await upgraded(socket);
      assert.equal(socket.io.engine.transport.name, 'websocket');
      socket.close();
    }
  } finally {
    socket?.close();
    await stoa.stop();
  }
});
