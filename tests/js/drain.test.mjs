// A node that is drained while a producer publishes: the stock client comes back by itself, and has each update once, in order.
import assert from 'node:assert/strict';
import test from 'node:test';
import { io } from 'socket.io-client';
import io2 from 'socket.io-client-2';
import { asks, decision, ways } from './recovering.mjs';
import { LIMIT, PATIENCE_MS, next, publish, startStoa } from './server.mjs';

const SECRET = 'the-secret-of-this-start';

async function ask(stoa, method, body) {
  const response = await fetch(`${stoa.url}/api/v1/admin/drain`, {
    method,
    headers: { authorization: `Bearer ${SECRET}`, ...(body && { 'content-type': 'application/json' }) },
    body: body && JSON.stringify(body),
  });
  assert.equal(response.status, 200);
  return response.json();
}

async function until(what, holds) {
  const end = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    assert.ok(Date.now() < end, `no ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Publishes one decision after the other until it is stopped; says how many these were. */
function producer(stoa) {
  let [count, stops] = [0, false];
  const done = (async () => {
    for (; !stops; count += 1) {
      const { body } = await publish(stoa.url, [{ ...decision(`d${count}`), id: `d${count}` }]);
      assert.equal(body.accepted, 1);
    }
  })();
  return {
    further: async (more) => { const from = count; await until('further events', () => count >= from + more); },
    stop: async () => { stops = true; await done; return count; },
  };
}

/** Drains the node until no client is left, and has it take clients again. */
async function drained(stoa, gone) {
  await ask(stoa, 'POST', { seconds: 0 });
  await until('end of the drain', async () => (await ask(stoa, 'GET')).state === 'drained');
  const reason = await gone;
  assert.ok(['transport close', 'transport error'].includes(reason), reason);
  assert.deepEqual(await ask(stoa, 'DELETE'), { ended: true });
}

const back = { forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 200 };

test('a client goes on from its cursor', LIMIT, async (t) => {
  for (const [way, options] of Object.entries(ways)) {
    await t.test(way, async () => {
      const stoa = await startStoa({ env: { STOA_AUTHENTICATION__START_SECRET: SECRET } });
      try {
        let cursor;
        const seen = [];
        const socket = io(stoa.url, { ...back, ...options, auth: (give) => give({ cursor, filters: { types: ['decision.*'] } }) });
        socket.onAny((name, body) => {
          if (body?.cursor) ({ cursor } = body);
          if (name === 'decision_event') seen.push(body.decision);
        });
        await next(socket, 'connection_established');
        const events = producer(stoa);
        await events.further(10);
        for (let round = 0; round < 3; round += 1) {
          const gone = new Promise((resolve) => socket.once('disconnect', resolve));
          const again = next(socket, 'connection_established');
          await drained(stoa, gone);
          await again;
          await events.further(5);
        }
        const count = await events.stop();
        const first = seen[0];
        await until('all of them', () => seen.at(-1) === `d${count - 1}`);
        assert.equal(first, 'd0');
        assert.deepEqual(seen, Array.from({ length: count }, (_, n) => `d${n}`));
        socket.disconnect();
      } finally {
        await stoa.stop();
      }
    });
  }
});

test('a client is given its session back', LIMIT, async (t) => {
  for (const [way, options] of Object.entries(ways)) {
    await t.test(way, async () => {
      const stoa = await startStoa({ env: { STOA_AUTHENTICATION__START_SECRET: SECRET } });
      try {
        const seen = [];
        const socket = io(stoa.url, { ...back, ...asks(), ...options });
        socket.on('decision_event', ({ decision: what }) => seen.push(what));
        await next(socket, 'connection_established');
        const { id } = socket;
        const events = producer(stoa);
        await events.further(10);
        const gone = new Promise((resolve) => socket.once('disconnect', resolve));
        const again = next(socket, 'connection_established');
        await drained(stoa, gone);
        assert.deepEqual((await again).recovery, { recovered: true });
        assert.equal(socket.id, id);
        await events.further(5);
        const count = await events.stop();
        await until('all of them', () => seen.at(-1) === `d${count - 1}`);
        assert.deepEqual(seen, Array.from({ length: count }, (_, n) => `d${n}`));
        socket.disconnect();
      } finally {
        await stoa.stop();
      }
    });
  }
});

test('a client of version 2 comes back, too', LIMIT, async (t) => {
  for (const [way, options] of Object.entries(ways)) {
    await t.test(way, async () => {
      const stoa = await startStoa({ env: { STOA_AUTHENTICATION__START_SECRET: SECRET } });
      try {
        const socket = io2(stoa.url, { ...back, ...options });
        await next(socket, 'connection_established');
        const gone = new Promise((resolve) => socket.once('disconnect', resolve));
        const again = next(socket, 'connection_established');
        await drained(stoa, gone);
        await again;
        socket.disconnect();
      } finally {
        await stoa.stop();
      }
    });
  }
});
