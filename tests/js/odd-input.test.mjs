// Texts that JavaScript's own JSON writer makes of honest values: halves of surrogate pairs (it writes NaN as null itself). And
// packets of writers that write NaN and Infinity as they are.
import assert from 'node:assert/strict';
import test from 'node:test';
import v4 from 'socket.io-client';
import v3 from 'socket.io-client-3';
import v2 from 'socket.io-client-2';
import { LIMIT, PATIENCE_MS, call, startStoa } from './server.mjs';

const event = (n, data) => ({ type: 'loss.measured', data: { n, ...data } });
const odd = [
  event(0, {}),
  event(1, { loss: NaN, best: -Infinity, all: [1, Infinity] }),
  event(2, { text: 'cut \ud83d here', whole: '\u{1f600}' }),
  event(3, {}),
];
const read = [
  { n: 0 },
  { n: 1, loss: null, best: null, all: [1, null] },
  { n: 2, text: 'cut \ufffd here', whole: '\u{1f600}' },
  { n: 3 },
];
/** As Python or Go write it: no JSON, for which the client's own writer is bypassed. */
const RAW = '["publish",{"type":"loss.measured","data":{"n":1,"loss":NaN,"best":-Infinity,"all":[1,Infinity]}}]';

function until(socket, count) {
  return new Promise((resolve, reject) => {
    const seen = [];
    const late = setTimeout(() => reject(new Error(`only ${seen.length} came`)), PATIENCE_MS);
    socket.on('generic_update', (update) => {
      seen.push(update.data);
      if (seen.length < count) return;
      clearTimeout(late);
      resolve(seen);
    });
  });
}

async function mended(url, what) {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`stoa_input_mended_total\\{what="${what}"\\} (\\d+)`).exec(text)?.[1] ?? 0);
}

for (const [name, io] of [['4', v4], ['3', v3], ['2', v2]]) {
  for (const transports of [['websocket'], ['polling']]) {
    test(`odd values from socket.io-client ${name}, ${transports}`, LIMIT, async () => {
      const stoa = await startStoa();
      const hello = { auth: { role: 'producer' }, query: { role: 'producer' } };
      const socket = io(stoa.url, { forceNew: true, reconnection: false, transports, ...hello });
      try {
        let gone = false;
        socket.on('disconnect', () => { gone = true; });
        const came = until(socket, 2 * odd.length + 1);
        for (const one of odd) assert.equal((await call(socket, 'publish', one)).accepted, 1);
        const together = await call(socket, 'publish', odd);
        assert.deepEqual([together.accepted, together.rejected], [odd.length, []]);
        assert.equal(await mended(stoa.url, 'surrogate'), 2);
        assert.equal(await mended(stoa.url, 'number'), 0);
        // The packet as another writer makes it, by the same connection.
        const { engine } = socket.io;
        (engine._sendPacket ?? engine.sendPacket).call(engine, 'message', `2${RAW}`, {});
        assert.deepEqual(await came, [...read, ...read, read[1]]);
        assert.equal(await mended(stoa.url, 'number'), 3);
        assert.ok(!gone);
      } finally {
        socket.close();
        await stoa.stop();
      }
    });
  }
}
