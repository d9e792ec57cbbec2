// `socket.recovered` on the namespaces of an application, and of clients whose rooms and data are its service's.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect, createServer as createProxy } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { until } from './guarded.mjs';
import { asks, call, decision, emit, observe, outcomes, watch, ways } from './recovering.mjs';
import { LIMIT, next, publish, startStoa } from './server.mjs';

const namespaces = { STOA_NAMESPACES__DECLARED: '["/chat"]' };

/** A journal that outlives its server. */
async function kept() {
  const folder = await mkdtemp(join(tmpdir(), 'stoa-recovered-'));
  const env = { STOA_JOURNAL__KIND: 'sqlite', STOA_JOURNAL__PATH: join(folder, 'stoa.db') };
  return { env, gone: () => rm(folder, { recursive: true, force: true }) };
}

/** A way to a port that can be cut without a word. */
async function startProxy(port) {
  const open = new Set();
  let isCut = false;
  const proxy = createProxy((client) => {
    if (isCut) {
      client.destroy();
      return;
    }
    const server = connect(port, '127.0.0.1');
    for (const [one, other] of [[client, server], [server, client]]) {
      open.add(one);
      one.on('error', () => {}).on('close', () => { open.delete(one); other.destroy(); });
      one.pipe(other);
    }
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    url: `http://127.0.0.1:${proxy.address().port}`,
    /** Between two polls a client would not notice, so nobody comes through before it is mended. */
    cut() { isCut = true; for (const one of open) one.destroy(); },
    mend() { isCut = false; },
    stop() { this.cut(); proxy.close(); },
  };
}

test('each namespace is recovered by itself', LIMIT, async (t) => {
  const { env, gone } = await kept();
  let stoa = await startStoa({ env: { ...env, ...namespaces } });
  const { port } = stoa;
  const proxy = await startProxy(port);
  try {
    for (const [way, options] of Object.entries(ways)) {
      await t.test(way, async () => {
        const note = (words) => emit(stoa, { event: 'note', args: [words], rooms: ['lobby'], namespace: '/chat', keep: true });
        const root = observe(proxy.url, { ...asks({ rooms: ['project:p1'] }), ...options });
        const chat = watch(root.socket.io.socket('/chat', { auth: { recovery: true } }));
        await root.greeted();
        await chat.entered();
        const ids = [root.socket.id, chat.socket.id];
        assert.notEqual(root.socket._pid, chat.socket._pid);
        assert.equal((await call(chat.socket, 'join_room', 'lobby')).status, 'ok');
        const expected = [`${way} before`];
        await note(expected[0]);
        await until('the first note', () => chat.named('note').length === 1);
        const back = async (missed) => {
          for (const words of missed) await note(words);
          await emit(stoa, { event: 'gone', args: [1], rooms: ['lobby'], namespace: '/chat' });
          await publish(stoa.url, [decision(missed[0])]);
          expected.push(...missed);
          assert.deepEqual((await root.greeted()).recovery, { recovered: true });
          await chat.entered();
          assert.deepEqual([root.socket.recovered, chat.socket.recovered], [true, true]);
          assert.deepEqual([root.socket.id, chat.socket.id], ids);
          await until('what was missed', () => chat.named('note').length >= expected.length);
          assert.deepEqual(chat.named('note').map(([words]) => words), expected);
          await until('what was missed', () => root.decisions().at(-1) === missed[0]);
        };
        // A client that is cut in the midst of its upgrade notices it by the next ping that doesn't come, a minute later.
        const settled = () => until('the upgrade', () => way === 'polling' || root.socket.io.engine.transport.name === 'websocket');
        await settled();
        await root.cut();
        await back([`${way} 1a`, `${way} 1b`]);
        await settled();
        // Cut on the way, between two bytes of anybody's.
        const left = Promise.all([root.gone(), chat.gone()]);
        proxy.cut();
        await left;
        proxy.mend();
        await back([`${way} 2`]);
        // An answer comes once the session is in the file.
        for (const { socket } of [root, chat]) await call(socket, 'join_room', 'lobby');
        await settled();
        const killed = Promise.all([root.gone(), chat.gone()]);
        await stoa.stop('SIGKILL');
        await killed;
        stoa = await startStoa({ env: { ...env, ...namespaces }, port });
        await back([`${way} 3`]);
        // Nothing but the application speaks there, and each of its events has its place.
        assert.deepEqual([...new Set(chat.said.map(({ name }) => name))], ['note']);
        assert.ok(chat.named('note').every((args) => args.length === 2 && typeof args[1] === 'string'));
        // The client left on purpose, and the other namespace stays.
        const { id } = chat.socket;
        chat.socket.disconnect();
        await chat.entered();
        assert.equal(chat.socket.recovered, false);
        assert.notEqual(chat.socket.id, id);
        assert.equal(root.socket.connected, true);
        root.socket.disconnect();
        chat.socket.disconnect();
      });
    }
  } finally {
    proxy.stop();
    await stoa.stop();
    await gone();
  }
});

test('a secret is of one namespace, and so is what is on its way', LIMIT, async () => {
  const stoa = await startStoa({ env: { ...namespaces, STOA_SENECA__AGGREGATES: 'false', STOA_SERVER__PING_INTERVAL: '0.1' } });
  const root = observe(stoa.url, { auth: { rooms: ['project:p1'] }, transports: ['websocket'] });
  const chat = watch(root.socket.io.socket('/chat'));
  const others = [];
  try {
    await root.greeted();
    await chat.entered();
    assert.equal((await call(chat.socket, 'join_room', 'lobby')).status, 'ok');
    const other = async (path, pid) => {
      const one = observe(`${stoa.url}${path}`, { auth: { pid }, transports: ['websocket'] });
      others.push(one);
      await one.entered();
      return one.socket;
    };
    assert.equal((await other('/chat', root.socket._pid)).recovered, false);
    assert.notEqual((await other('/', chat.socket._pid))._pid, chat.socket._pid);
    assert.deepEqual([root.socket.connected, chat.socket.connected], [true, true]);
    assert.equal((await outcomes(stoa)).unknown, 2);
    // A message on its way on the one says nothing of the other, where all is confirmed: two pings later an answer says so; a busy machine has more under way.
    for (let pings = 0; pings < 8; pings += 1) await next(root.socket.io.engine, 'ping');
    const came = until('the decision', () => root.decisions().length === 1);
    await publish(stoa.url, [decision('one')]);
    await came;
    await root.cut();
    await emit(stoa, { event: 'note', args: ['missed'], rooms: ['lobby'], namespace: '/chat', keep: true });
    await root.greeted();
    await chat.entered();
    assert.equal(chat.socket.recovered, true);
    await until('the note', () => chat.named('note').length > 0);
    assert.deepEqual(chat.named('note'), [['missed']], 'no argument more');
  } finally {
    for (const { socket } of [root, chat, ...others]) socket.disconnect();
    await stoa.stop();
  }
});

/** A service whose answers to `connect` are these; `enter` puts a client into a room, `rename` changes its data. */
async function startService() {
  const told = [];
  const service = {
    connects: (call) => ({ do: [{ session: { name: call.auth.name } }, { join: 'lobby' }] }),
    told,
  };
  const handlers = {
    connect: (call) => service.connects(call),
    enter: ({ args }) => ({ ack: ['in'], do: [{ join: args[0] }] }),
    rename: ({ args, session }) => ({ ack: ['ok'], do: [{ session: { ...session, color: args[0] } }] }),
    who: ({ session, rooms, client_id: id }) => ({ ack: [{ session, rooms: rooms.filter((room) => room !== id).sort() }] }),
  };
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    const call = JSON.parse(body);
    told.push(call);
    const answer = handlers[call.event ?? call.type]?.(call) ?? {};
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  service.env = { STOA_BACKEND__URL: `http://127.0.0.1:${server.address().port}/`, STOA_BACKEND__SECRET: 'a secret of both that nobody else knows' };
  service.stop = () => { server.closeAllConnections(); server.close(); };
  return service;
}

test('the rooms and the data of the service are given back if it stands by its word', LIMIT, async (t) => {
  const service = await startService();
  const { env, gone } = await kept();
  const start = (port = 0) => startStoa({ env: { ...env, ...namespaces, ...service.env }, port });
  let stoa = await start();
  const all = [];
  try {
    for (const path of ['/', '/chat']) {
      await t.test(path, async () => {
        const same = service.connects;
        const auth = { recovery: true, name: 'ann' };
        const one = observe(`${stoa.url}${path}`, { auth, transports: ['websocket'] });
        all.push(one);
        const is = (wanted) => async () => {
          const found = await call(one.socket, 'who', null);
          const rooms = found.rooms.filter((room) => ['lobby', 'vip'].includes(room));
          return isDeepStrictEqual([found.session, rooms], wanted);
        };
        const settled = async () => {
          assert.equal(await call(one.socket, 'enter', 'vip'), 'in');
          assert.equal(await call(one.socket, 'rename', 'red'), 'ok');
        };
        const has = [{ name: 'ann', color: 'red' }, ['lobby', 'vip']];
        const anew = [{ name: 'ann' }, ['lobby']];
        const notes = [];
        const note = async () => {
          notes.push(`note ${notes.length}`);
          await emit(stoa, { event: 'note', args: notes.slice(-1), rooms: ['vip'], namespace: path, keep: true });
        };
        const came = () => until('the notes', () => one.named('note').length === notes.length);
        await one.entered();
        await settled();
        await note();
        await came();
        for (const how of ['cut', 'kill -9', 'its word is plain']) {
          if (how === 'its word is plain') service.connects = (connecting) => ({ ...same(connecting), do: [{ session: { name: 'x' } }], recover: true });
          const { id } = one.socket;
          if (how === 'kill -9') {
            const left = one.gone();
            await stoa.stop('SIGKILL');
            await left;
            stoa = await start(stoa.port);
          } else {
            await one.cut();
          }
          await note();
          await one.entered();
          assert.equal(one.socket.recovered, true, how);
          await came();
          await until(`the rooms and the data after ${how}`, is(has));
          const { recovers } = service.told.findLast((told) => told.type === 'connect');
          assert.equal(recovers.client_id, id);
          assert.deepEqual([recovers.session, [...recovers.rooms].sort()], has);
          assert.notEqual(one.socket.id, id, 'the service is told of another client');
        }
        assert.deepEqual(one.named('note').map(([words]) => words), notes);
        // The service says something else now, or that nobody is to go on.
        const others = {
          'another user': [(connecting) => ({ do: [{ session: { name: `${connecting.auth.name}2` } }, { join: 'lobby' }] }), [{ name: 'ann2' }, ['lobby']]],
          'fewer rooms': [() => ({ do: [{ session: { name: 'ann' } }] }), [{ name: 'ann' }, []]],
          no: [(connecting) => ({ ...same(connecting), recover: false }), anew],
        };
        for (const [how, [connects, wanted]] of Object.entries(others)) {
          service.connects = same;
          const pid = one.socket._pid;
          one.socket.disconnect();
          await one.entered();
          await settled();
          await one.cut();
          service.connects = connects;
          await emit(stoa, { event: 'note', args: ['not for it'], rooms: ['vip'], namespace: path, keep: true });
          await one.entered();
          assert.equal(one.socket.recovered, false, how);
          assert.notEqual(one.socket._pid, pid);
          await until(`it begins anew: ${how}`, is(wanted));
        }
        assert.equal(one.named('note').length, notes.length);
        service.connects = same;
      });
    }
    const { service: refused } = await outcomes(stoa);
    assert.equal(refused, 3, 'of the last server');
  } finally {
    for (const { socket } of all) socket.disconnect();
    await stoa.stop();
    service.stop();
    await gone();
  }
});
