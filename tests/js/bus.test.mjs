// Node's emitters on a real Redis, as workers that know no Stoa; and Node servers that share the Redis with it.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { after, before, test } from 'node:test';
import { Emitter } from '@socket.io/redis-emitter';
import { io } from 'socket.io-client';
import oldEmitter from 'socket.io-emitter';
import { startRedis, until } from './redis.mjs';
import { LIMIT, PATIENCE_MS, startStoa, within } from './server.mjs';

let redis;
let url;
let client;
let stoa;
const closing = [];

async function figure(start) {
  const text = await (await fetch(`${stoa.url}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(start));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').pop()), 0);
}

before(async () => {
  redis = await startRedis();
  url = redis.url;
  client = await redis.connection();
  const kinds = '["python", "node", "streams"]';
  stoa = await startStoa({ env: { STOA_BUS__URL: url, STOA_BUS__KINDS: kinds } });
  await until('the bus', async () => (await figure('stoa_bus_connected')) === 2);
}, LIMIT);

after(async () => {
  for (const close of closing.reverse()) await close();
  await stoa?.stop();
  await redis?.stop();
});

/** A browser's place: what comes, with all arguments, in its order. */
async function watch(rooms = []) {
  const socket = io(stoa.url, { transports: ['websocket'], forceNew: true, auth: { rooms } });
  closing.push(() => socket.disconnect());
  const came = [];
  let wake = () => {};
  let hello;
  socket.onAny((name, ...args) => {
    if (name === 'connection_established') [hello] = args;
    else came.push([name, ...args]);
    wake();
  });
  const next = async (name) => {
    for (;;) {
      const at = came.findIndex(([is]) => is === name);
      if (at >= 0) return came.splice(0, at + 1).pop().slice(1);
      await within(name, new Promise((resolve) => { wake = resolve; }));
    }
  };
  await until('the greeting', () => hello);
  return { next, id: hello.client_id };
}

const date = new Date(Date.UTC(2026, 4, 23, 14, 0, 3, 500));

test('redis-emitter: arguments of every kind come out as a Node server would send them', LIMIT, async () => {
  const watcher = await watch();
  const emitter = new Emitter(client);
  emitter.emit('e', { a: 1, gone: undefined, nested: [null, 1.5, -7, 'é', true] }, 'two', undefined);
  assert.deepEqual(await watcher.next('e'), [{ a: 1, nested: [null, 1.5, -7, 'é', true] }, 'two', null]);
  emitter.emit('e', date, [date]);
  assert.deepEqual(await watcher.next('e'), [date.toISOString(), [date.toISOString()]]);
  emitter.emit('e', Buffer.from([0, 255]), { deep: [new Uint8Array([1, 2])] });
  assert.deepEqual(await watcher.next('e'), [Buffer.from([0, 255]), { deep: [Buffer.from([1, 2])] }]);
  emitter.emit('e');
  assert.deepEqual(await watcher.next('e'), []);
  emitter.emit('e', NaN, 2 ** 53, 'x'.repeat(70_000));
  assert.deepEqual(await watcher.next('e'), [null, 2 ** 53, 'x'.repeat(70_000)]);
  emitter.volatile.compress(false).emit('e', 'volatile');
  assert.deepEqual(await watcher.next('e'), ['volatile']);
});

test('redis-emitter: rooms are united, and those passed over get nothing', LIMIT, async () => {
  const [first, second] = [await watch(['project:p1', 'project:p2']), await watch(['project:p2'])];
  const emitter = new Emitter(client);
  emitter.to('project:p1').emit('r', 1);
  emitter.to(['project:p1', 'project:p2']).emit('r', 2);
  emitter.to('project:p2').except('project:p1').emit('r', 3);
  emitter.except(second.id).emit('r', 4);
  emitter.to(second.id).emit('r', 5);
  emitter.emit('r', 'end');
  const all = async (watcher, count) => {
    const got = [];
    while (got.length < count) got.push(...await watcher.next('r'));
    return got;
  };
  assert.deepEqual(await all(first, 4), [1, 2, 4, 'end']);
  assert.deepEqual(await all(second, 4), [2, 3, 5, 'end']);
});

test('socket.io-emitter 3: the same messages from 2017', LIMIT, async () => {
  const watcher = await watch(['project:p1']);
  // The emitter knows a client of Redis by this method, as that of its time has it.
  const publisher = { hset() {}, publish: (channel, message) => client.publish(channel, message) };
  oldEmitter(publisher).to('project:p1').emit('old', { a: 1 }, 2);
  assert.deepEqual(await watcher.next('old'), [{ a: 1 }, 2]);
});

/** A Node server in a process of its own, since its adapter's connections are nobody else's to end. It prints the sockets that it finds. */
function nodeServer(adapter, connections, emits) {
  const script = `
    import { createAdapter } from '${adapter}';
    import { createClient } from 'redis';
    import { Server } from 'socket.io';
    const clients = Array.from({ length: ${connections} }, () => createClient({ url: process.argv[1] }));
    for (const client of clients) await client.connect();
    const server = new Server({ adapter: createAdapter(...clients) });
    ${emits}
    console.log((await server.fetchSockets()).length);
  `;
  const args = ['--input-type=module', '-e', script, url];
  const server = spawn(process.execPath, args, { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'inherit'] });
  closing.push(() => server.kill('SIGKILL'));
  return once(server.stdout, 'data').then(([data]) => String(data).trim());
}

test('a Node server with the Redis adapter: what it broadcasts is heard, and it waits for nobody', LIMIT, async () => {
  const watcher = await watch(['project:p1']);
  const emits = "server.to('project:p1').emit('from-node', Buffer.from('b'));";
  const found = nodeServer('@socket.io/redis-adapter', 2, emits);
  assert.deepEqual(await watcher.next('from-node'), [Buffer.from('b')]);
  // The adapter counts the servers that listen for its requests: Stoa is none of them.
  assert.equal(await found, '0');
});

test('a Node server with the streams adapter: entries with and without bytes', LIMIT, async () => {
  const watcher = await watch(['project:p1']);
  const emits = `
    server.to('project:p1').emit('stream', { a: [1, null] }, 'two');
    server.emit('stream', { bytes: Buffer.from([0, 255]) });
  `;
  const found = nodeServer('@socket.io/redis-streams-adapter', 1, emits);
  assert.deepEqual(await watcher.next('stream'), [{ a: [1, null] }, 'two']);
  assert.deepEqual(await watcher.next('stream'), [{ bytes: Buffer.from([0, 255]) }]);
  assert.equal(await found, '0');
});
