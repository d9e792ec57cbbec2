// A client with `socket.io-msgpack-parser`, by each transport: what it sends and what it gets is what others do.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { io } from 'socket.io-client';
import parser from 'socket.io-msgpack-parser';
import { ADMIN_UI, LIMIT, PATIENCE_MS, next, nextOf, publish, startStoa, upgraded } from './server.mjs';

const ENV = {
  ...ADMIN_UI,
  STOA_ADMIN_UI__MODE: 'development',
  STOA_NAMESPACES__DECLARED: '["/chat"]',
};
const TRANSPORTS = [['websocket'], ['polling'], ['polling', 'websocket']];

let stoa;
const sockets = [];

before(async () => {
  stoa = await startStoa({ env: ENV });
}, LIMIT);

after(async () => {
  sockets.forEach((socket) => socket.close());
  await stoa?.stop();
}, LIMIT);

function connect(path, { transports = ['websocket'], auth, ...more } = {}) {
  const socket = io(`${stoa.url}${path}`, { transports, forceNew: true, reconnection: false, auth, parser, ...more });
  sockets.push(socket);
  return socket;
}

const called = (socket, ...event) => socket.timeout(PATIENCE_MS).emitWithAck(...event);

/** A counter of Stoa's. */
async function counted(name) {
  const metrics = await (await fetch(`${stoa.url}/metrics`)).text();
  return metrics.split('\n').filter((line) => line.startsWith(name)).reduce((sum, line) => sum + Number(line.split(' ').pop()), 0);
}

for (const transports of TRANSPORTS) {
  test(`by ${transports}: updates, acknowledgements, bytes both ways, a second namespace`, LIMIT, async () => {
    const socket = connect('/', { transports, auth: { role: 'producer', name: 'Zoë' } });
    const greeting = await next(socket, 'connection_established');
    assert.equal(socket.id, greeting.client_id);
    if (transports.length > 1) await upgraded(socket);
    const pong = await called(socket, 'ping');
    assert.equal(pong.status, 'ok');

    // Events of others arrive as they do for them.
    const plain = connect('/', { parser: undefined, auth: {} });
    await next(plain, 'connection_established');
    const id = `m-${transports}`;
    const [packed, usual] = [next(socket, 'agent_update', (u) => u.id === id), next(plain, 'agent_update', (u) => u.id === id)];
    await publish(stoa.url, { type: 'agent.registered', id, agent_id: 'a1', data: { text: 'ü😀'.repeat(60), list: [...Array(40).keys()], half: 0.5, no: null } });
    assert.deepEqual(await packed, await usual);

    // Its own events; many in a row keep their order.
    const seen = [];
    socket.on('generic_update', (update) => update.data?.by === id && seen.push(update.data.n));
    const last = next(socket, 'generic_update', (update) => update.data?.by === id && update.data.n === 49);
    const answers = await Promise.all([...Array(50).keys()].map((n) => called(socket, 'publish', { type: 'custom.count', data: { by: id, n } })));
    assert.ok(answers.every(({ accepted }) => accepted === 1));
    await last;
    assert.deepEqual(seen, [...Array(50).keys()]);

    // Bytes, out of it and into it.
    const bytes = Buffer.from([0, 1, 254, 255]);
    const buffer = new Uint8Array(bytes).buffer;
    const [got, others] = [nextOf(socket, 'blob'), nextOf(plain, 'blob')];
    const emitted = await called(socket, 'emit_to', { event: 'blob', args: [bytes, { deep: buffer }, 7] });
    assert.equal(emitted.status, 'ok', JSON.stringify(emitted));
    for (const [first, second, third] of [await got, await others]) {
      assert.deepEqual(Buffer.from(first), bytes);
      assert.deepEqual(Buffer.from(second.deep), bytes);
      assert.equal(third, 7);
    }

    // Further namespaces on the same connection, and one that is not there.
    const chat = socket.io.socket('/chat', { auth: {} });
    chat.connect();
    await next(chat, 'connect');
    assert.equal((await called(chat, 'join_room', { room: 'lobby' })).room, 'lobby');
    const nowhere = socket.io.socket('/nowhere');
    nowhere.connect();
    assert.match((await next(nowhere, 'connect_error')).message, /namespace/i);
    chat.disconnect();
    assert.ok((await called(socket, 'ping')).timestamp);
    socket.close();
    plain.close();
  });
}

test('a large snapshot and a resume come whole', LIMIT, async () => {
  const events = [...Array(400).keys()].map((n) => ({ type: 'task.created', task_id: `large-${n}`, data: { text: 'x'.repeat(600) } }));
  await publish(stoa.url, events);
  const [packed, usual] = [connect('/', { auth: { snapshot: true } }), connect('/', { parser: undefined, auth: { snapshot: true } })];
  const [one, other] = await Promise.all([next(packed, 'snapshot'), next(usual, 'snapshot')]);
  assert.deepEqual(one.tasks, other.tasks);
  assert.ok(Object.keys(one.tasks).length >= 400);
  const resumed = connect('/', { auth: { cursor: other.cursor } });
  assert.equal((await next(resumed, 'resumed')).complete, true);
  [packed, usual, resumed].forEach((socket) => socket.close());
});

test('a packet that can not be read is answered, counted, and the connection goes on', LIMIT, async () => {
  const before = await counted('stoa_packets_unreadable_total{reason="msgpack"}');
  const socket = connect('/');
  await next(socket, 'connection_established');
  for (const raw of [Buffer.from([0xc1]), Buffer.from([0x91, 0x01]), Buffer.alloc(1_000, 0x91)]) {
    const error = next(socket, 'error');
    socket.io.engine.write(raw);
    assert.equal((await error).code, 'bad_request');
  }
  let deep = 1;
  for (let n = 0; n < 200; n += 1) deep = [deep];
  const answer = await called(socket, 'ping', deep);
  assert.equal(answer.error.code, 'bad_request');
  assert.match(answer.error.message, /nested 127 deep/);
  assert.equal((await called(socket, 'ping')).status, 'ok');
  assert.equal(await counted('stoa_packets_unreadable_total{reason="msgpack"}'), before + 4);
  socket.close();
});

test('a message whose JSON has no msgpack is left out and counted', LIMIT, async () => {
  const socket = connect('/');
  await next(socket, 'connection_established');
  const before = await counted('stoa_messages_unpackable_total');
  const after = next(socket, 'whole');
  const emit = (body) => fetch(`${stoa.url}/api/v1/emit`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const half = await emit('{"event":"half","args":["\\ud800"]}');
  assert.ok(half.ok || half.status === 400, `${half.status}`);
  assert.ok((await emit('{"event":"whole","args":[1]}')).ok);
  assert.equal(await after, 1);
  assert.equal(await counted('stoa_messages_unpackable_total'), before + (half.ok ? 1 : 0));
  socket.close();
});

test('who is refused is told so, and CONNECT packets are counted', LIMIT, async () => {
  const refused = connect('/', { auth: { role: 'emperor' } });
  assert.match((await next(refused, 'connect_error')).message, /role/);
  const socket = connect('/');
  await next(socket, 'connection_established');
  const encoder = new parser.Encoder();
  const gone = next(socket, 'disconnect');
  const [many] = encoder.encode({ type: 0, nsp: '/nowhere' });
  for (let n = 0; n < 101; n += 1) socket.io.engine.write(many);
  await gone;
  assert.ok((await counted('stoa_connections_killed_total{reason="too_many_connects"')) >= 1);
});

for (const transports of TRANSPORTS) {
  test(`the Admin UI's login and figures by ${transports}`, LIMIT, async () => {
    const wrong = connect('/admin', { transports, auth: { username: 'admin', password: 'wrong' } });
    assert.equal((await next(wrong, 'connect_error')).message, 'invalid credentials');
    const ui = connect('/admin', { transports, auth: { username: 'admin', password: 'changeit' } });
    const [session, config, stats, all] = await Promise.all(['session', 'config', 'server_stats', 'all_sockets'].map((name) => next(ui, name)));
    assert.match(session, /^[0-9a-f]{32}$/);
    assert.ok(config.supportedFeatures.includes('AGGREGATED_EVENTS'));
    assert.ok(stats.clientsCount >= 1 && all.some(({ nsp }) => nsp === '/admin'));
    const watched = connect('/', { auth: { name: 'watched' } });
    const { client_id: id } = await next(watched, 'connection_established');
    const gone = next(watched, 'disconnect');
    ui.emit('_disconnect', '/', false, id);
    assert.equal(await gone, 'io server disconnect');
    ui.close();
  });
}
