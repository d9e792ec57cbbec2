// `socket.recovered` of the stock client: what it missed comes once, its rooms and its id are the same, also over kill -9;
// and whoever can't be given back what was, is told so.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import io2 from 'socket.io-client-2';
import { ask, startGuarded, token, until } from './guarded.mjs';
import { asks, call, decision, emit, observe, outcomes, ways } from './recovering.mjs';
import { LIMIT, next, nextOf, publish, startStoa } from './server.mjs';

test('what was missed comes once, again and again', LIMIT, async (t) => {
  const stoa = await startStoa();
  try {
    for (const [way, options] of Object.entries(ways)) {
      await t.test(way, async () => {
        const { socket, said, greeted, cut, decisions } = observe(stoa.url, { ...asks(), ...options });
        const hello = await greeted();
        assert.equal(hello.recovery, undefined);
        assert.equal(socket.recovered, false);
        const { id } = socket;
        assert.equal((await call(socket, 'join_room', 'project:p1')).status, 'ok');
        const expected = [];
        for (let round = 0; round < 3; round += 1) {
          await cut();
          for (const part of ['a', 'b']) expected.push(`${way} ${round}${part}`);
          await publish(stoa.url, expected.slice(-2).map((what) => decision(what)));
          await emit(stoa, { event: 'note', args: ['kept', round], rooms: ['project:p1'], keep: true });
          await emit(stoa, { event: 'gone', args: [round], rooms: ['project:p1'] });
          const resumed = next(socket, 'resumed');
          const { recovery, rooms } = await greeted();
          assert.deepEqual(recovery, { recovered: true });
          assert.ok(rooms.includes('project:p1'), rooms.join());
          assert.equal(socket.recovered, true);
          assert.equal(socket.id, id);
          assert.equal((await resumed).complete, true);
          assert.deepEqual(decisions(), expected);
        }
        const live = next(socket, 'decision_event');
        await publish(stoa.url, [decision(`${way} live`)]);
        await live;
        assert.deepEqual(decisions(), [...expected, `${way} live`]);
        const updates = said.filter(({ name }) => name === 'decision_event');
        for (const { args } of updates) assert.deepEqual(args.slice(1), [args[0].cursor], 'its place is the last argument');
        const notes = said.filter(({ name }) => name === 'note').map(({ args }) => args.slice(0, 2));
        assert.deepEqual(notes, [['kept', 0], ['kept', 1], ['kept', 2]]);
        assert.ok(said.filter(({ name }) => name === 'note').every(({ args }) => args.length === 3));
        assert.equal(said.filter(({ name }) => name === 'gone').length, 0, 'an ephemeral emission is not sent again');
        socket.disconnect();
      });
    }
    const { recovered } = await outcomes(stoa);
    assert.equal(recovered, 9);
  } finally {
    await stoa.stop();
  }
});

test('whatever came last: texts of the application, attachments, questions', LIMIT, async () => {
  const stoa = await startGuarded({ env: { STOA_AUTHENTICATION__REQUIRED: 'false' } });
  const { socket, said, greeted, cut, decisions } = observe(stoa.url, { ...asks({ rooms: ['project:p1'] }), transports: ['websocket'] });
  try {
    await greeted();
    const lasts = [
      { event: 'gone', args: ['a text of the application'] },
      { event: 'gone', args: [] },
      { event: 'gone', args: [{ a: 1 }, '1jhgbk3.0'] },
      { event: 'blob', args: [{ _placeholder: true, num: 0 }], attachments: ['AQI='] },
    ];
    const expected = [];
    for (const [round, last] of lasts.entries()) {
      const came = nextOf(socket, last.event);
      await emit(stoa, { rooms: [socket.id], ...last });
      const args = await came;
      assert.equal(args.length, last.args.length + 1);
      if (last.event === 'blob') assert.deepEqual([...args[0]], [1, 2]);
      await cut();
      expected.push(`after ${round}`);
      await publish(stoa.url, [decision(`after ${round}`)]);
      const resumed = next(socket, 'resumed');
      assert.deepEqual((await greeted()).recovery, { recovered: true });
      await resumed;
      assert.deepEqual(decisions(), expected);
    }
    // A question and its answer move nothing.
    socket.once('question', (text, answer) => answer(text));
    const operations = [{ call: { client: socket.id, event: 'question', args: ['a text'] } }];
    const asked = await ask(stoa, 'POST', '/api/v1/operations', token('--role', 'admin'), { operations });
    assert.deepEqual(asked.body.results[0].args, ['a text'], JSON.stringify(asked.body));
    await cut();
    assert.deepEqual((await greeted()).recovery, { recovered: true });
    assert.equal(said.filter(({ name }) => name === 'snapshot').length, 0);
  } finally {
    socket.disconnect();
    await stoa.stop();
  }
});

test('a client that does not ask gets no argument more, and recovers if nothing was on its way', LIMIT, async () => {
  const stoa = await startStoa({ env: { STOA_SERVER__PING_INTERVAL: '0.1', STOA_SENECA__AGGREGATES: 'false' } });
  const { socket, said, greeted, cut, decisions } = observe(stoa.url, { auth: { rooms: ['project:p1'] }, transports: ['websocket'] });
  try {
    await greeted();
    const { id } = socket;
    const came = next(socket, 'decision_event');
    await publish(stoa.url, [decision('one')]);
    await came;
    // Two pings later its answer to the first says that it has all.
    for (let pings = 0; pings < 3; pings += 1) await next(socket.io.engine, 'ping');
    await cut();
    // Messages that the server sends before it sees the end would be on their way.
    await until('the end of the connection', async () => (await (await fetch(`${stoa.url}/metrics`)).text()).includes('stoa_connections{namespace="/"} 0\n'));
    await publish(stoa.url, [decision('two')]);
    const resumed = next(socket, 'resumed');
    assert.deepEqual((await greeted()).recovery, { recovered: true });
    await resumed;
    assert.deepEqual([socket.recovered, socket.id, decisions()], [true, id, ['one', 'two']]);
    assert.ok(said.every(({ args }) => args.length === 1), 'no argument more');
    // Right after something was sent nobody can know.
    await cut();
    const hello = await greeted();
    assert.deepEqual(hello.recovery, { recovered: false, reason: 'no_offset' });
    assert.equal(socket.recovered, false);
    // A client of the older protocol knows nothing of recovery.
    const old = io2(stoa.url, { forceNew: true, transports: ['websocket'], query: { recovery: '1', rooms: '["project:p1"]' } });
    const heard = nextOf(old, 'decision_event');
    await next(old, 'connection_established');
    await publish(stoa.url, [decision('three')]);
    assert.equal((await heard).length, 1);
    old.close();
  } finally {
    socket.disconnect();
    await stoa.stop();
  }
});

test('kill -9, and a restart between', LIMIT, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'stoa-recovered-'));
  const env = { STOA_JOURNAL__KIND: 'sqlite', STOA_JOURNAL__PATH: join(folder, 'stoa.db') };
  let stoa = await startStoa({ env });
  const { url, port } = stoa;
  const seen = observe(url, { ...asks(), transports: ['websocket'] });
  const idle = observe(url, { ...asks(), transports: ['polling'] });
  try {
    await seen.greeted();
    await idle.greeted();
    const ids = [seen.socket.id, idle.socket.id];
    for (const { socket } of [seen, idle]) assert.equal((await call(socket, 'join_room', 'project:p1')).status, 'ok');
    const came = next(seen.socket, 'decision_event');
    await publish(url, [decision('before')]);
    await came;
    for (const signal of ['SIGKILL', 'SIGTERM']) {
      const gone = [seen, idle].map(({ socket }) => next(socket, 'disconnect'));
      // The journal has it, whoever hears of it.
      await publish(url, [decision(`with ${signal}`)]);
      await stoa.stop(signal);
      await Promise.all(gone);
      stoa = await startStoa({ env, port });
      await publish(url, [decision(`after ${signal}`)]);
      for (const one of [seen, idle]) {
        const resumed = next(one.socket, 'resumed');
        const { recovery, rooms } = await one.greeted();
        assert.deepEqual(recovery, { recovered: true }, signal);
        assert.ok(rooms.includes('project:p1'), rooms.join());
        assert.equal((await resumed).complete, true);
      }
    }
    const all = ['before', 'with SIGKILL', 'after SIGKILL', 'with SIGTERM', 'after SIGTERM'];
    assert.deepEqual(seen.decisions(), all);
    assert.deepEqual(idle.decisions(), all);
    assert.deepEqual([seen.socket.id, idle.socket.id], ids);
  } finally {
    seen.socket.disconnect();
    idle.socket.disconnect();
    await stoa.stop();
    await rm(folder, { recursive: true, force: true });
  }
});

test('its own cursor goes before the offset, and nothing comes twice', LIMIT, async () => {
  const stoa = await startStoa();
  let cursor;
  const auth = (send) => send({ recovery: true, cursor, rooms: ['project:p1'] });
  const { socket, greeted, cut, decisions } = observe(stoa.url, { auth, transports: ['websocket'] });
  socket.onAny((_, update) => { cursor = update?.cursor ?? cursor; });
  try {
    await greeted();
    for (const what of ['one', 'two', 'three']) {
      // The client may be back before the answer to the publish.
      const resumed = next(socket, 'resumed');
      await cut();
      await publish(stoa.url, [decision(what)]);
      assert.deepEqual((await greeted()).recovery, { recovered: true });
      await resumed;
    }
    assert.deepEqual(decisions(), ['one', 'two', 'three']);
    // `resume` sets back to a place, recovered or not.
    const { replayed } = await call(socket, 'resume', { cursor });
    assert.equal(replayed, 0);
    assert.deepEqual(decisions(), ['one', 'two', 'three']);
  } finally {
    socket.disconnect();
    await stoa.stop();
  }
});

test('nobody else recovers a session, and nobody keeps what was taken from it', LIMIT, async () => {
  const stoa = await startGuarded();
  const admin = token('--role', 'admin', '--user', 'root');
  const of = (user, ...more) => token('--user', user, ...more);
  const by = (jwt, more = {}) => ({ auth: { token: jwt, recovery: true, ...more }, transports: ['websocket'] });
  const all = [];
  const come = async (options) => {
    const one = observe(stoa.url, options);
    all.push(one);
    return { ...one, hello: await one.greeted() };
  };
  const tell = (what, project = 'p1') => ask(stoa, 'POST', '/api/v1/events', admin, decision(what, project));
  try {
    const revoked = of('ann', '--projects', 'p1');
    const ann = await come(by(revoked));
    assert.equal((await call(ann.socket, 'join_room', 'project:p1')).status, 'ok');
    const pid = ann.socket._pid;
    assert.match(pid, /^[0-9a-f]{32}$/);
    const offset = ann.said.findLast(({ args }) => typeof args.at(-1) === 'string').args.at(-1);

    // Somebody else knows the secret: neither the living session nor the one that was left is his.
    const refused = { recovered: false, reason: 'identity' };
    const bob = await come(by(of('bob'), { pid, offset }));
    assert.deepEqual(bob.hello.recovery, refused);
    assert.notEqual(bob.socket.id, ann.socket.id);
    assert.equal(ann.socket.connected, true);
    await ann.cut();
    assert.deepEqual((await come(by(of('bob'), { pid, offset }))).hello.recovery, refused);
    await tell('missed');
    const resumed = next(ann.socket, 'resumed');
    assert.deepEqual((await ann.greeted()).recovery, { recovered: true });
    await resumed;
    assert.deepEqual(ann.decisions(), ['missed']);

    // A client that comes by a second connection takes over; the end of the first one, noticed later, changes nothing.
    const gone = next(ann.socket, 'disconnect');
    const second = await come(by(of('ann', '--projects', 'p1'), { pid, offset: ann.socket._lastOffset }));
    assert.deepEqual(second.hello.recovery, { recovered: true });
    assert.equal(second.socket._pid, pid);
    await gone;
    const live = next(second.socket, 'decision_event');
    await tell('to the second');
    await live;
    const { body } = await ask(stoa, 'GET', '/api/v1/admin/connections', admin);
    if (body.connections) assert.equal(body.connections.filter((one) => one.client_id === second.socket.id).length, 1);

    // A client that asks for other things gets those; so does one whose rights are less.
    await second.cut();
    const shown = { pid, offset: second.socket._lastOffset };
    assert.equal((await come(by(of('ann', '--projects', 'p1'), { ...shown, rooms: ['agent:a1'] }))).hello.recovery.reason, 'changed');
    assert.equal((await come(by(of('ann'), shown))).hello.recovery.reason, 'rights');
    for (const wrong of ['0'.repeat(32), pid.replace(/^./, (digit) => (digit === '0' ? '1' : '0'))]) {
      assert.equal((await come(by(of('ann'), { ...shown, pid: wrong }))).hello.recovery.reason, 'unknown');
    }
    // A secret that is none of ours belongs to the page.
    assert.equal((await come(by(of('ann'), { ...shown, pid: 'mine' }))).hello.recovery, undefined);

    // A revoked token does not come in, whatever it shows.
    const { status } = await ask(stoa, 'POST', '/api/v1/admin/revocations', admin, { user: 'ann' });
    assert.ok(status < 300, `revoked: ${status}`);
    const late = observe(stoa.url, by(revoked, shown));
    all.push(late);
    await assert.rejects(late.greeted(), /unauthorized/);

    const counted = await outcomes(stoa, admin);
    assert.deepEqual([counted.recovered, counted.identity, counted.changed, counted.rights, counted.unknown], [2, 2, 1, 1, 2]);
  } finally {
    for (const { socket } of all) socket.disconnect();
    await stoa.stop();
  }
});

test('in time a session is over', LIMIT, async () => {
  // It is told to be over for as long again: a slow machine too comes in that time.
  const stoa = await startStoa({ env: { STOA_RECOVERY__MAX_AGE: '5' } });
  const carl = observe(stoa.url, { ...asks(), transports: ['websocket'] });
  try {
    await carl.greeted();
    await carl.cut();
    await until('its time', async () => {
      const again = observe(stoa.url, { ...asks({ pid: carl.socket._pid, offset: 'none' }), transports: ['websocket'] });
      const { recovery } = await again.greeted();
      again.socket.disconnect();
      return recovery.reason === 'expired';
    });
    const { expired } = await outcomes(stoa);
    assert.equal(expired, 1);
  } finally {
    carl.socket.disconnect();
    await stoa.stop();
  }
});
