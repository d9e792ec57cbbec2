// Lean updates with each generation of socket.io-client: each fact once, and the cursor holds in both shapes.
import assert from 'node:assert/strict';
import test from 'node:test';
import v4 from 'socket.io-client';
import v3 from 'socket.io-client-3';
import v2 from 'socket.io-client-2';
import { LIMIT, next, publish, startStoa } from './server.mjs';

const clients = [
  { name: 'socket.io-client 4', io: v4, hello: (keys) => ({ auth: keys }) },
  { name: 'socket.io-client 3', io: v3, hello: (keys) => ({ auth: keys }) },
  // Version 2 has no auth payload: the same keys go into the query string.
  { name: 'socket.io-client 2', io: v2, hello: (keys) => ({ query: keys }) },
];
const decision = (n) => ({
  type: 'decision.made', id: `d${n}`, data: { decision: 'Use PostgreSQL', rationale: 'It is known', confidence: 0.8, n },
});
/** The number of times that an update says its decision. */
const times = (update) => JSON.stringify(update).split('Use PostgreSQL').length - 1;

for (const { name, io, hello } of clients) {
  for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
    test(`a lean update has each fact once: ${name}, ${transports}`, LIMIT, async () => {
      const stoa = await startStoa();
      const sockets = [];
      const open = (keys) => {
        const socket = io(stoa.url, { forceNew: true, transports, ...hello(keys) });
        sockets.push(socket);
        return socket;
      };
      try {
        const lean = open({ shape: 'lean' });
        const full = open({ name: 'full' });
        const greetings = await Promise.all([lean, full].map((socket) => next(socket, 'connection_established')));
        assert.deepEqual(greetings.map(({ shape }) => shape), ['lean', 'full']);
        const both = [lean, full].map((socket) => next(socket, 'decision_event'));
        await publish(stoa.url, decision(1));
        const [short, long] = await Promise.all(both);
        assert.deepEqual([times(short), short.decision, short.data], [1, undefined, decision(1).data]);
        assert.ok(times(long) > 2 && long.decision === 'Use PostgreSQL');
        assert.ok(JSON.stringify(short).length <= 0.45 * JSON.stringify(long).length);
        for (const key of ['type', 'timestamp', 'id', 'cursor', 'priority', 'animation', 'hint']) assert.deepEqual(short[key], long[key], key);
        // A client that comes back may ask for the other shape.
        lean.close();
        const live = next(full, 'decision_event');
        await publish(stoa.url, decision(2));
        await live;
        const back = open({ cursor: short.cursor });
        const missed = await next(back, 'decision_event');
        assert.ok(missed.id === 'd2' && times(missed) > 2);
        const again = await next(open({ cursor: short.cursor, shape: 'lean' }), 'decision_event');
        assert.deepEqual([again.id, again.cursor, times(again)], ['d2', missed.cursor, 1]);
        const refused = open({ shape: 'fat' });
        // Version 2 has the refusal as `error`.
        const error = await next(refused, io === v2 ? 'error' : 'connect_error');
        assert.match(error.message ?? error, /shape must be full or lean/);
      } finally {
        sockets.forEach((socket) => socket.close());
        await stoa.stop();
      }
    });
  }
}
