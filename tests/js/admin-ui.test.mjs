// Socket.IO's Admin UI as a client of Stoa: its login, its sessions, its figures and its acts, on the wire.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { io } from 'socket.io-client';
import { ADMIN_UI, LIMIT, next, nextOf, startStoa } from './server.mjs';

let stoa;
const sockets = [];

before(async () => {
  stoa = await startStoa({ env: ADMIN_UI });
}, LIMIT);

after(async () => {
  sockets.forEach((socket) => socket.close());
  await stoa?.stop();
}, LIMIT);

function connect(at, path, auth) {
  const socket = io(`${at.url}${path}`, { transports: ['websocket'], forceNew: true, reconnection: false, auth });
  sockets.push(socket);
  return socket;
}

const refusal = (socket) => next(socket, 'connect_error').then((error) => error.message);

test('a wrong user or password is refused in the words that open the form again', LIMIT, async () => {
  for (const auth of [{ username: 'admin', password: 'wrong' }, { username: 'root', password: 'changeit' }, { sessionId: 'ffff' }]) {
    assert.equal(await refusal(connect(stoa, '/admin', auth)), 'invalid credentials');
  }
  const told = stoa.logs.filter((line) => line.includes('a login of the Admin UI'));
  assert.equal(told.length, 1, 'refused logins of a network are told once a minute');
  assert.ok(told[0].includes('invalid credentials') && !told[0].includes('wrong'), told[0]);
});

test('a password opens a session, which opens itself, and figures come', LIMIT, async () => {
  const ui = connect(stoa, '/admin', { username: 'admin', password: 'changeit' });
  const [session, config, stats] = await Promise.all([next(ui, 'session'), next(ui, 'config'), next(ui, 'server_stats')]);
  assert.match(session, /^[0-9a-f]{32}$/);
  assert.deepEqual(config, { supportedFeatures: ['AGGREGATED_EVENTS', 'DISCONNECT', 'MDISCONNECT', 'JOIN', 'MJOIN', 'LEAVE', 'MLEAVE'] });
  assert.ok(stats.serverId && stats.hostname && stats.pid > 0 && stats.uptime >= 0);
  assert.ok(stats.clientsCount >= 1);
  assert.equal(stats.namespaces.find(({ name }) => name === '/admin').socketsCount, 1);
  const told = [];
  const again = connect(stoa, '/admin', { sessionId: session });
  again.on('session', () => told.push('session'));
  await next(again, 'server_stats');
  assert.deepEqual(told, [], 'a session that is known is not told again');
  for (const act of ['login', 'resume_session']) {
    assert.ok(stoa.logs.some((line) => line.includes('a login of the Admin UI') && line.includes(act) && line.includes('ok')), act);
  }
  assert.ok(!stoa.logs.some((line) => line.includes(session)), 'the id of a session is in no log');
  ui.close();
  again.close();
});

test('what happens is counted, and no credential is shown', LIMIT, async () => {
  const ui = connect(stoa, '/admin', { username: 'admin', password: 'changeit' });
  await next(ui, 'server_stats');
  const client = connect(stoa, '/', { name: 'one' });
  await next(client, 'connect');
  const stats = await next(ui, 'server_stats', ({ aggregatedEvents }) => aggregatedEvents.some(({ type }) => type === 'rawConnection'));
  const sum = (type) => stats.aggregatedEvents.filter((event) => event.type === type).reduce((all, { count }) => all + count, 0);
  assert.ok(sum('rawConnection') >= 1 && sum('bytesIn') > 0 && sum('bytesOut') > 0, JSON.stringify(stats));
  ui.close();
  client.close();
});

test('development mode shows sockets and rooms; a socket is disconnected by its id, a namespace is not', LIMIT, async () => {
  const own = await startStoa({ env: { ...ADMIN_UI, STOA_ADMIN_UI__MODE: 'development' } });
  try {
    const ui = connect(own, '/admin', { username: 'admin', password: 'changeit' });
    const [config, all] = await Promise.all([next(ui, 'config'), next(ui, 'all_sockets')]);
    assert.ok(config.supportedFeatures.includes('ALL_EVENTS'));
    assert.ok(all.some(({ nsp }) => nsp === '/admin'));
    const client = connect(own, '/', { name: 'one' });
    const greeting = next(client, 'connection_established');
    const seen = await next(ui, 'socket_connected', (socket) => socket.nsp === '/');
    const { client_id: id } = await greeting;
    assert.equal(seen.id, id);
    assert.equal(seen.clientId, id.slice(-12));
    assert.deepEqual(seen.handshake.headers, {});
    assert.equal(seen.data.name, 'one');
    const joined = nextOf(ui, 'room_joined', (space, room) => room === 'project:p1');
    client.emit('join_room', { room: 'project:p1' });
    const [nsp, , who, at] = await joined;
    assert.deepEqual([nsp, who], ['/', id]);
    assert.ok(!Number.isNaN(Date.parse(at)));

    // Into a room of the application's own and out of it, by the UI's word; into the room of a thing only by rights.
    const moved = async (event) => {
      const [space, , moving] = await nextOf(ui, event, (_, room) => room === 'support desk');
      return [space, moving];
    };
    const [came, went] = [moved('room_joined'), moved('room_left')];
    ui.emit('join', '/', 'support desk', id);
    assert.deepEqual(await came, ['/', id]);
    ui.emit('leave', '/', 'support desk', id);
    assert.deepEqual(await went, ['/', id]);
    const forbidden = next(ui, 'error');
    ui.emit('join', '/', 'project:p2', id);
    assert.equal((await forbidden).code, 'forbidden_room');
    const everybody = next(ui, 'error');
    ui.emit('join', '/', 'support desk');
    assert.match((await everybody).message, /name a socket or a room/);
    assert.ok(own.logs.some((line) => line.includes('leave_room') && line.includes('support desk')), 'the move is in the audit log');

    const refused = next(ui, 'error');
    ui.emit('_disconnect', '/', false);
    assert.match((await refused).message, /name a socket or a room/);
    for (const room of ['general', 'observers', 'producers']) {
      for (const act of [['_disconnect', '/', false, room], ['join', '/', 'support desk', room], ['leave', '/', 'support desk', room]]) {
        const all = next(ui, 'error');
        ui.emit(...act);
        assert.match((await all).message, /everybody is in the room/, `${act}`);
      }
    }
    assert.ok(client.connected);
    const gone = next(client, 'disconnect');
    const noticed = nextOf(ui, 'socket_disconnected', (_, left) => left === id);
    ui.emit('_disconnect', '/', false, id);
    assert.equal(await gone, 'io server disconnect');
    assert.equal((await noticed)[0], '/');
    assert.ok(own.logs.some((line) => line.includes('disconnect_client') && line.includes('admin_ui')), 'the act is in the audit log');
    ui.close();
  } finally {
    await own.stop();
  }
});

test('a login that may only look disconnects nobody', LIMIT, async () => {
  const own = await startStoa({ env: { ...ADMIN_UI, STOA_ADMIN_UI__READONLY: 'true' } });
  try {
    const ui = connect(own, '/admin', { username: 'admin', password: 'changeit' });
    const config = await next(ui, 'config');
    assert.deepEqual(config.supportedFeatures, ['AGGREGATED_EVENTS']);
    const client = connect(own, '/', {});
    const { client_id: id } = await next(client, 'connection_established');
    const refused = next(ui, 'error');
    ui.emit('_disconnect', '/', false, id);
    assert.equal((await refused).code, 'forbidden');
    assert.ok(client.connected);
    ui.close();
    client.close();
  } finally {
    await own.stop();
  }
});

test('guessing is slowed down, and without settings nobody logs in', LIMIT, async () => {
  const own = await startStoa({ env: { ...ADMIN_UI, STOA_ADMIN_UI__ATTEMPTS_PER_MINUTE: '3' } });
  const none = await startStoa({ env: { STOA_AUTHENTICATION__REQUIRED: 'true', STOA_AUTHENTICATION__SECRET: 'a-secret-of-thirty-two-bytes-or-so' } });
  try {
    for (let tries = 0; tries < 3; tries += 1) {
      assert.equal(await refusal(connect(own, '/admin', { username: 'admin', password: 'wrong' })), 'invalid credentials');
    }
    assert.match(await refusal(connect(own, '/admin', { username: 'admin', password: 'changeit' })), /^rate_limited: /);
    assert.match(await refusal(connect(none, '/admin', { username: 'admin', password: 'changeit' })), /^unauthorized: /);
  } finally {
    await Promise.all([own.stop(), none.stop()]);
  }
});
