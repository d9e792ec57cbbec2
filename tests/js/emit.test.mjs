// Emissions reach every Socket.IO client generation as they are, by every way: arguments of several kinds, and bytes.
import assert from 'node:assert/strict';
import test from 'node:test';
import v4 from 'socket.io-client';
import v3 from 'socket.io-client-3';
import v2 from 'socket.io-client-2';
import { LIMIT, call, next, nextOf, startStoa } from './server.mjs';

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
const ARGUMENTS = [
  [],
  ['text with "quotes" and é'],
  [null, true, -1.5, 'x', [1, [2]], { id: 1, type: 't', timestamp: 'then', cursor: 'c' }],
  [{ deep: { deeper: [] } }],
];

function open({ io, auth }, url, options, hello) {
  const common = { forceNew: true, ...options };
  return auth ? io(url, { ...common, auth: hello }) : io(url, { ...common, query: hello });
}

async function post(url, emission) {
  const response = await fetch(`${url}/api/v1/emit`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(emission),
  });
  return { status: response.status, body: await response.json() };
}

for (const client of clients) {
  for (const way of ways) {
    test(`${client.name}, ${way.name}`, LIMIT, async () => {
      const stoa = await startStoa();
      const observer = open(client, stoa.url, way.options, { rooms: 'project:p1' });
      const producer = open(client, stoa.url, way.options, { role: 'producer' });
      try {
        await Promise.all([observer, producer].map((socket) => next(socket, 'connection_established')));
        for (const keep of [false, true]) {
          for (const args of ARGUMENTS) {
            const got = nextOf(observer, 'said');
            const receipt = await call(producer, 'emit_to', { event: 'said', args, rooms: ['project:p1'], keep });
            assert.deepEqual([receipt.status, receipt.accepted], ['ok', 1]);
            assert.equal(typeof receipt.cursor, keep ? 'string' : 'undefined');
            assert.deepEqual(await got, args);
          }
          // Bytes by Socket.IO, in two places, and over HTTP.
          const bytes = Buffer.from([0, 1, 2, 255]);
          let got = nextOf(observer, 'bytes');
          await call(producer, 'emit_to', { event: 'bytes', args: [{ a: bytes, n: 1 }, Buffer.from('x')], keep });
          let [first, second] = await got;
          assert.deepEqual([Buffer.from(first.a), first.n, Buffer.from(second)], [bytes, 1, Buffer.from('x')]);
          got = nextOf(observer, 'bytes');
          const sent = await post(stoa.url, {
            event: 'bytes', args: [{ _placeholder: true, num: 0 }], attachments: [bytes.toString('base64')], keep,
          });
          assert.equal(sent.status, 202);
          assert.deepEqual(Buffer.from((await got)[0]), bytes);
          // Several in one packet: each has its own bytes.
          const [one, two] = [nextOf(observer, 'one'), nextOf(observer, 'two')];
          await call(producer, 'emit_to', [
            { event: 'one', args: [Buffer.from('1')], keep },
            { event: 'two', args: [Buffer.from('2')], keep },
          ]);
          assert.deepEqual(Buffer.from((await one)[0]), Buffer.from('1'));
          assert.deepEqual(Buffer.from((await two)[0]), Buffer.from('2'));
        }
        // Many with bytes: a client that polls takes them over several answers.
        const numbers = [];
        const all = next(observer, 'many', (n) => numbers.push(Buffer.from(n)[0]) === 60);
        const many = Array.from({ length: 60 }, (_, n) => ({ event: 'many', args: [Buffer.from([n])] }));
        for (const emission of many) await call(producer, 'emit_to', emission);
        await all;
        assert.deepEqual(numbers, Array.from({ length: 60 }, (_, n) => n));
        const refused = await call(producer, 'emit_to', { event: 'disconnect' });
        assert.equal(refused.error.code, 'invalid_event');
        const forbidden = await call(observer, 'emit_to', { event: 'said' });
        assert.equal(forbidden.error.code, 'forbidden');
      } finally {
        observer.disconnect();
        producer.disconnect();
        await stoa.stop();
      }
    });
  }
}
