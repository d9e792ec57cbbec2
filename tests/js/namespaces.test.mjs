// Namespaces of an application, rooms of any name and presence, with the real client by every transport.
import assert from 'node:assert/strict';
import test from 'node:test';
import v4 from 'socket.io-client';
import v3 from 'socket.io-client-3';
import v2 from 'socket.io-client-2';
import { LIMIT, call, connected, next, startStoa } from './server.mjs';

const env = { STOA_NAMESPACES__DECLARED: '["/chat", "/jobs.v1"]' };
const ways = { websocket: { transports: ['websocket'] }, 'polling, then upgrade': {}, polling: { transports: ['polling'] } };

for (const [client, io] of Object.entries({ 4: v4, 3: v3, 2: v2 })) {
  for (const [way, options] of Object.entries(ways)) {
    test(`version ${client}, ${way}`, LIMIT, async () => {
      const stoa = await startStoa({ env });
      const manager = new io.Manager(stoa.url, { reconnectionDelay: 50, ...options });
      const [root, chat, jobs, other] = ['/', '/chat', '/jobs.v1', '/other'].map((path) => manager.socket(path));
      const refused = next(other, client === '2' ? 'error' : 'connect_error');
      try {
        for (const socket of [root, chat, jobs]) {
          socket.open();
          await connected(socket);
        }
        other.open();
        const why = await refused;
        assert.match(String(why.message ?? why), /Invalid namespace/);
        if (client !== '2') {
          const ids = [root, chat, jobs].map((socket) => socket.id);
          assert.equal(new Set(ids).size, 3, 'an id on each namespace');
          assert.ok(!ids.includes(manager.engine.id), 'none is the transport\'s');
        }
        // It leaves and comes again in one breath.
        for (let round = 0; round < 20; round += 1) {
          const again = next(chat, 'connect');
          chat.disconnect();
          chat.connect();
          await again;
        }
        // The same name is a room of its own on each.
        for (const socket of [root, chat, jobs]) {
          assert.deepEqual(await call(socket, 'join_room', 'lobby'), { status: 'ok', room: 'lobby', members: 1 });
        }
        assert.equal((await call(chat, 'say', 'hello')).error.code, 'unknown_event');
        // Presence: somebody else comes, and leaves with its connection.
        assert.equal((await call(chat, 'presence', { room: 'lobby' })).members, 1);
        const came = next(chat, 'presence', (news) => news.event === 'join');
        const guest = io(`${stoa.url}/chat`, { forceNew: true, ...options });
        await connected(guest);
        await call(guest, 'join_room', 'lobby');
        const { client_id: who, members } = await came;
        assert.equal(members, 2);
        if (client !== '2') assert.equal(who, guest.id);
        const left = next(chat, 'presence', (news) => news.event === 'leave');
        guest.disconnect();
        assert.equal((await left).client_id, who);
      } finally {
        for (const socket of [root, chat, jobs, other]) socket.disconnect();
        await stoa.stop();
      }
    });
  }
}
