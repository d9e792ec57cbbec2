// A state that is larger than a message may be reaches every generation of clients in parts.
import assert from 'node:assert/strict';
import test from 'node:test';
import v4 from 'socket.io-client';
import v3 from 'socket.io-client-3';
import v2 from 'socket.io-client-2';
import { LIMIT, PATIENCE_MS, publish, startStoa } from './server.mjs';

const clients = [
  { name: 'socket.io-client 4', io: v4, hello: { auth: { snapshot: true } } },
  { name: 'socket.io-client 3', io: v3, hello: { auth: { snapshot: true } } },
  // Version 2 has no auth payload: the same keys go into the query string.
  { name: 'socket.io-client 2', io: v2, hello: { query: { snapshot: true } } },
];
const TASKS = 400;
const MAPS = ['projects', 'agents', 'tasks', 'runs'];

/** Some megabytes: many tasks with facts. */
async function fill(url) {
  const note = 'x'.repeat(7_000);
  for (let first = 0; first < TASKS; first += 50) {
    const events = Array.from({ length: 50 }, (_, i) => first + i).map((n) => ({
      type: 'task.created', project_id: `p${n % 2}`, data: { task_id: `t${n}`, name: `Task ${n}`, note, more: { n } },
    }));
    assert.equal((await publish(url, events)).status, 202);
  }
}

/** All parts, laid over each other in their order. */
function joined(socket) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('the last part did not come')), PATIENCE_MS);
    const whole = {};
    let taken = 0;
    socket.on('snapshot', (part) => {
      try {
        taken += 1;
        assert.equal(part.part, taken);
        const last = part.part === part.parts;
        assert.equal('cursor' in part, last, 'the cursor is on the last one only');
        for (const name of MAPS) whole[name] = { ...whole[name], ...part[name] };
        if (!last) return;
        clearTimeout(late);
        resolve({ ...whole, cursor: part.cursor, counts: part.counts, taken });
      } catch (error) {
        clearTimeout(late);
        reject(error);
      }
    });
  });
}

for (const { name, io, hello } of clients) {
  for (const transports of [['websocket'], ['polling']]) {
    test(`the parts of a snapshot are the state: ${name}, ${transports}`, LIMIT, async () => {
      const stoa = await startStoa();
      let socket;
      try {
        await fill(stoa.url);
        socket = io(stoa.url, { forceNew: true, transports, ...hello });
        const whole = await joined(socket);
        const state = await (await fetch(`${stoa.url}/api/v1/state`)).json();
        assert.equal(Object.keys(state.tasks).length, TASKS);
        assert.ok(whole.taken > 5, `${whole.taken} parts`);
        for (const key of [...MAPS, 'cursor', 'counts']) assert.deepEqual(whole[key], state[key], key);
      } finally {
        socket?.close();
        await stoa.stop();
      }
    });
  }
}
