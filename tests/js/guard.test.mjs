// A server that asks for tokens, with the clients that users have: every way to show one, its end, and what admins do.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import io from 'socket.io-client';
import io2 from 'socket.io-client-2';
import { TooLate, apiKey, ask, briefly, endOf, over, startGuarded, token, until } from './guarded.mjs';
import { LIMIT, PATIENCE_MS, call, next, upgraded, within } from './server.mjs';

const ways = [
  { name: 'WebSocket only', transports: ['websocket'] },
  { name: 'polling only', transports: ['polling'] },
  { name: 'polling, then upgrade', transports: ['polling', 'websocket'] },
];
const brisk = { forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 100 };

let stoa;
let admin;
/** A producer that is given a key once and for all. */
let backend;
const folder = mkdtempSync(join(tmpdir(), 'stoa-guard-'));

before(async () => {
  backend = apiKey('backend');
  // The lines that `stoa token --api-key` prints are all that the settings need.
  const config = join(folder, 'config.toml');
  writeFileSync(config, backend.lines);
  stoa = await startGuarded({ args: ['--config', config] });
  admin = token('--role', 'admin', '--user', 'root');
}, LIMIT);

after(async () => {
  await stoa?.stop();
  rmSync(folder, { recursive: true, force: true });
}, LIMIT);

const observer = (user, ttl = '10m') => token('--user', user, '--ttl', ttl);
const codeOf = (error) => (error.message ?? String(error)).split(':')[0];

/** The transport that the session ends up with is the last of the list. */
async function settled(socket, transports) {
  if (transports.at(-1) === 'websocket') await upgraded(socket);
  assert.equal(socket.io.engine.transport.name, transports.at(-1));
}

for (const { name, transports } of ways) {
  test(`without a token that is believed: connect_error with the code (${name})`, LIMIT, async () => {
    const brief = observer('ann', '1s');
    await over(brief);
    const forged = `${admin.slice(0, admin.lastIndexOf('.'))}.${observer('ann').split('.')[2]}`;
    for (const [auth, code] of [
      [undefined, 'unauthorized'],
      [{ role: 'admin' }, 'unauthorized'],
      [{ token: 'nonsense' }, 'unauthorized'],
      [{ token: forged }, 'unauthorized'],
      [{ token: brief }, 'token_expired'],
    ]) {
      const socket = io(stoa.url, { ...brisk, transports, auth });
      try {
        const error = await next(socket, 'connect_error');
        assert.equal(codeOf(error), code, error.message);
        assert.equal(socket.active, false, 'a refusal is final: the client does not try again by itself');
      } finally {
        socket.close();
      }
    }
  });

  test(`auth.token, ?token= and Authorization let in (${name})`, LIMIT, async () => {
    const jwt = token('--role', 'operator', '--user', 'ann', '--name', 'Ann');
    for (const shown of [
      { auth: { token: jwt } },
      { query: { token: jwt } },
      { extraHeaders: { Authorization: `Bearer ${jwt}` } },
      // The first that is found wins, though the other two are wrong.
      { auth: { token: jwt }, query: { token: 'nonsense' }, extraHeaders: { Authorization: 'Bearer nonsense' } },
    ]) {
      const socket = io(stoa.url, { ...brisk, transports, ...shown });
      try {
        const hello = await next(socket, 'connection_established');
        assert.deepEqual([hello.role, hello.user], ['operator', 'ann']);
        await settled(socket, transports);
        assert.equal((await call(socket, 'get_stats', {})).status, 'ok');
      } finally {
        socket.close();
      }
    }
  });

  test(`socket.io-client 2 shows its token in the query string (${name})`, LIMIT, async () => {
    const socket = io2(stoa.url, { ...brisk, transports, query: { token: observer('old'), rooms: '["user:old"]' } });
    const refused = io2(stoa.url, { ...brisk, transports, query: { token: 'nonsense' } });
    try {
      const error = next(refused, 'error');
      const hello = await next(socket, 'connection_established');
      assert.deepEqual([hello.user, hello.role], ['old', 'observer']);
      assert.ok(hello.rooms.includes('user:old'), hello.rooms);
      await settled(socket, transports);
      assert.equal(codeOf(await error), 'unauthorized');
    } finally {
      socket.close();
      refused.close();
    }
  });

  test(`a token ends, the client comes back with another and has missed nothing (${name})`, LIMIT, () => briefly(async (seconds) => {
    const wanted = 3;
    const words = [];
    const seen = [];
    let hellos = 0;
    const freshToken = async () => observer('ann', `${seconds}s`);
    // These are the lines of docs/authentication.md.
    let cursor; // the place of the last update that came
    const socket = io(stoa.url, {
      ...brisk,
      transports,
      auth: (send) => freshToken().then((token) => send({ token, cursor })), // asked again at every reconnect
    });
    socket.onAny((name, update) => { cursor = update?.cursor ?? cursor; });
    socket.on('connection_established', () => { hellos += 1; });
    socket.on('error', ({ code }) => words.push(code));
    socket.on('disconnect', (reason) => words.push(reason));
    let late;
    socket.on('connect_error', (error) => {
      words.push(error.message);
      if (codeOf(error) === 'token_expired') late = new TooLate(error.message);
    });
    socket.on('snapshot', () => words.push('a snapshot: something was lost'));
    const round = `${name}, ${seconds} s, `;
    socket.on('decision_event', ({ decision }) => { if (decision.startsWith(round)) seen.push(decision); });
    try {
      await until('the hello', () => {
        if (late) throw late;
        return hellos > 0;
      });
      const published = [];
      const deadline = Date.now() + wanted * seconds * 1_000 + PATIENCE_MS;
      // Events go on all the while, also when the client is away.
      while (hellos < wanted) {
        if (late) throw late;
        const what = `${round}${published.length}`;
        const { status } = await ask(stoa, 'POST', '/api/v1/events', backend.key, { type: 'decision.logged', data: { what } });
        assert.equal(status, 202);
        published.push(what);
        assert.ok(Date.now() < deadline, `it does not come back: ${words}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await until('the last event', () => seen.includes(published.at(-1)));
      assert.deepEqual(seen, published);
      const lost = transports.at(-1) === 'websocket' ? ['transport close'] : ['transport close', 'transport error'];
      for (let n = 0; n < wanted - 1; n += 1) {
        assert.equal(words[2 * n], 'token_expired', words.join());
        assert.ok(lost.includes(words[2 * n + 1]), words.join());
      }
    } finally {
      socket.close();
    }
  }));

  test(`revoked, banned, disconnected: told why, and not back by itself (${name})`, LIMIT, async () => {
    const acts = [
      { code: 'unauthorized', again: 'unauthorized', act: (jwt) => ask(stoa, 'POST', '/api/v1/admin/revocations', admin, { token: jwt }) },
      {
        code: 'unauthorized', again: 'unauthorized',
        act: (_, { user }) => ask(stoa, 'POST', '/api/v1/admin/revocations', admin, { user }),
      },
      {
        code: 'banned', again: 'banned',
        act: (_, { user }) => ask(stoa, 'POST', '/api/v1/admin/bans', admin, { user, seconds: 600 }),
      },
      {
        code: 'forbidden', again: null,
        act: (_, { client_id }) => ask(stoa, 'DELETE', `/api/v1/admin/connections/${client_id}`, admin),
      },
    ];
    for (const [n, { code, again, act }] of acts.entries()) {
      const jwt = observer(`u${n}-${transports.join('-')}`);
      const socket = io(stoa.url, { ...brisk, transports, auth: { token: jwt } });
      try {
        const hello = await next(socket, 'connection_established');
        await settled(socket, transports);
        const told = next(socket, 'error');
        const ended = next(socket, 'disconnect');
        const { status, body } = await act(jwt, hello);
        assert.deepEqual([status, body.ended], [200, 1]);
        assert.equal((await told).code, code);
        assert.equal(await ended, 'io server disconnect');
        assert.equal(socket.active, false, 'it would come back by itself');
        // By hand it is refused in the same way, or let in where only this one connection was meant.
        const second = again ? next(socket, 'connect_error') : next(socket, 'connection_established');
        socket.connect();
        const answer = await second;
        if (again) assert.equal(codeOf(answer), again);
      } finally {
        socket.close();
      }
    }
  });
}

test('authenticate in time: the connection goes on, as the same', LIMIT, () => briefly(async (seconds) => {
  const longer = observer('ann');
  const brief = observer('ann', `${seconds}s`);
  const socket = io(stoa.url, { ...brisk, auth: { token: brief } });
  const lost = [];
  socket.on('disconnect', (reason) => lost.push(reason));
  try {
    const hello = await within('a greeting or a refusal', new Promise((resolve) => {
      for (const first of ['connection_established', 'connect_error']) socket.once(first, resolve);
    }));
    const { id } = socket;
    const answer = await socket.timeout(PATIENCE_MS).emitWithAck('authenticate', { token: longer }).catch((error) => error);
    if (answer.status !== 'ok' && Date.now() >= endOf(brief)) throw new TooLate(answer.message);
    assert.deepEqual([answer.status, answer.user], ['ok', 'ann'], answer.message);
    assert.ok(new Date(answer.expires_at) > new Date(hello.expires_at), JSON.stringify(answer));
    // Sessions are ended up to a second after their token's end; this one has to be there later still.
    await until('a time when it would be over', () => Date.now() > endOf(brief) + 1_500);
    assert.equal((await call(socket, 'ping', {})).status, 'ok');
    assert.deepEqual([socket.id, lost], [id, []]);
  } finally {
    socket.close();
  }
}));

test('a producer with an API key publishes, by HTTP and by Socket.IO', LIMIT, async () => {
  const watcher = io(stoa.url, { ...brisk, auth: { token: observer('ann') } });
  const producer = io(stoa.url, { ...brisk, auth: { token: backend.key } });
  try {
    const [, hello] = await Promise.all([watcher, producer].map((socket) => next(socket, 'connection_established')));
    assert.deepEqual([hello.role, hello.expires_at ?? null], ['producer', null]);
    for (const publish of [
      async (event) => (await ask(stoa, 'POST', '/api/v1/events', backend.key, event)).body,
      (event) => producer.emitWithAck('publish', event),
    ]) {
      const id = Math.random().toString(36);
      const update = next(watcher, 'agent_update', ({ data }) => data.agent_id === id);
      assert.equal((await publish({ type: 'agent.registered', data: { agent_id: id } })).accepted, 1);
      await update;
    }
    const changed = `${backend.key.slice(0, -1)}${backend.key.endsWith('A') ? 'B' : 'A'}`;
    const { status, body } = await ask(stoa, 'POST', '/api/v1/events', changed, { type: 'agent.registered', data: { agent_id: 'x' } });
    assert.deepEqual([status, body.error.code], [401, 'unauthorized']);
    // A key is for publishing; what admins do, it can't.
    assert.equal((await ask(stoa, 'GET', '/api/v1/admin/connections', backend.key)).status, 403);
  } finally {
    watcher.close();
    producer.close();
  }
});

test('who sends too much is told, in the answer and by an event, and then kept out', LIMIT, async () => {
  const strict = await startGuarded({ env: {
    STOA_RATE_LIMITING__ENABLED: 'true', STOA_RATE_LIMITING__MESSAGES_PER_MINUTE: '1',
    STOA_RATE_LIMITING__BURST_LIMIT: '2', STOA_RATE_LIMITING__STRIKES: '5',
    // No messages beside the budget for what a page says as it connects.
    STOA_RATE_LIMITING__OPENING_MESSAGES: '0',
  } });
  const socket = io(strict.url, { ...brisk, auth: { token: observer('loud') } });
  try {
    await next(socket, 'connection_established');
    for (let n = 0; n < 2; n += 1) assert.equal((await call(socket, 'get_state', {})).status, 'ok');
    const told = next(socket, 'error');
    const answer = await call(socket, 'get_state', {});
    assert.deepEqual([answer.status, answer.error.code], ['error', 'rate_limited']);
    assert.equal((await told).code, 'rate_limited');
    // A client that asks for no answer hears of it as well.
    const again = next(socket, 'error');
    socket.emit('get_state', {});
    assert.equal((await again).code, 'rate_limited');
    const banned = next(socket, 'error', ({ code }) => code === 'banned');
    const ended = next(socket, 'disconnect');
    for (let n = 0; n < 10; n += 1) socket.emit('get_state', {});
    await banned;
    assert.equal(await ended, 'io server disconnect');
    const refused = next(socket, 'connect_error');
    socket.connect();
    assert.equal(codeOf(await refused), 'banned');
  } finally {
    socket.close();
    await strict.stop();
  }
});
