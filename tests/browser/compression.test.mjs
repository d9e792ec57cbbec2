// Compression of messages in a real browser, which offers it by itself: its own WebSocket, and the demo page.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { within } from '../js/server.mjs';
import { LIMIT, agent, connection, launch, open } from './page.mjs';
import { publish, startStoa } from './stoa.mjs';

const TEXT = 'the same words again and again, '.repeat(150);

let browser;

before(async () => {
  browser = await launch();
}, LIMIT);

after(() => browser?.close(), LIMIT);

async function counted(stoa, start) {
  const text = await (await fetch(`${stoa.url}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(start));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').pop()), 0);
}

/** Runs in the page: publishes over a WebSocket of the browser's, and gives back what comes of it. */
async function talk(texts) {
  const socket = new WebSocket(`ws://${location.host}/socket.io/?EIO=4&transport=websocket`);
  const came = [];
  await new Promise((resolve, reject) => {
    socket.onclose = ({ code }) => reject(new Error(`closed with ${code}`));
    socket.onmessage = ({ data }) => {
      if (data.startsWith('0')) socket.send('40{"role":"producer"}');
      if (data === '2') socket.send('3');
      if (data.startsWith('42["connection_established"')) {
        texts.forEach((what, n) => socket.send(`42${n}${JSON.stringify(['publish', { type: 'decision.logged', id: `d${n}`, data: { what } }])}`));
      }
      if (data.startsWith('42["decision_event"')) came.push(JSON.parse(data.slice(2))[1].decision);
      if (came.length === texts.length) resolve();
    };
  });
  socket.onclose = null;
  socket.close();
  return { came, extensions: socket.extensions };
}

test('the browser’s WebSocket: both ways, each message by itself', LIMIT, async () => {
  const stoa = await startStoa();
  try {
    const { page, close } = await open(browser, stoa.url);
    const texts = [TEXT, 'few words', `${TEXT}again`, TEXT.toUpperCase()];
    const { came, extensions } = await within('all decisions', page.evaluate(talk, texts));
    assert.deepEqual(came, texts);
    assert.match(extensions, /^permessage-deflate/);
    assert.ok(await counted(stoa, 'stoa_messages_compressed_total') >= 3);
    assert.ok(await counted(stoa, 'stoa_messages_inflated_total') >= 3);
    assert.equal(await counted(stoa, 'stoa_connections_killed_total'), 0);
    await close();
  } finally {
    await stoa.stop();
  }
});

test('the page is served compressed: its snapshot, and updates that are large enough', LIMIT, async () => {
  const stoa = await startStoa();
  try {
    await publish(stoa, ...Array.from({ length: 40 }, (_, n) => ({ type: 'agent.registered', data: { agent_id: `a${n}`, name: `Agent ${n}`, status: 'working' } })));
    const { page, troubles, close } = await open(browser, stoa.url);
    await connection(page, 'connected');
    await page.waitForFunction(() => document.querySelectorAll('.agent-disc').length === 40);
    assert.ok(await counted(stoa, 'stoa_deliveries_compressed_total') >= 1, 'the snapshot');
    await publish(stoa, { type: 'agent.registered', data: { agent_id: 'late', name: 'Late', status: 'working', note: TEXT } });
    await agent(page, 'late').waitFor({ state: 'attached' });
    assert.ok(await counted(stoa, 'stoa_compression_offers_total{outcome="agreed"}') >= 1);
    assert.deepEqual(troubles, []);
    await close();
  } finally {
    await stoa.stop();
  }
});
