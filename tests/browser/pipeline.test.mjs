// The update pipeline's example clients in a real browser: its JavaScript class and its React hook, as they stand.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { io } from 'socket.io-client';
import { until } from '../js/guarded.mjs';
import { call, next, within } from '../js/server.mjs';
import { LIMIT, launch, open } from './page.mjs';
import { publish, startStoa } from './stoa.mjs';

let browser;
let stoa;
let bundle;

before(async () => {
  const page = fileURLToPath(new URL('pipeline/page.mjs', import.meta.url));
  const options = { entryPoints: [page], bundle: true, write: false, format: 'iife', define: { 'process.env.NODE_ENV': '"production"' } };
  [browser, stoa, bundle] = await Promise.all([launch(), startStoa(), build(options)]);
}, LIMIT);

after(async () => {
  await browser?.close();
  await stoa?.stop();
}, LIMIT);

/** A page of the server's own origin with the clients in it, and where they connect to. */
async function withClients() {
  // The policy of that answer forbids connections of scripts; a page of one's own has no such policy.
  const opened = await open(browser, `${stoa.url}/healthz`, { bypassCSP: true });
  await opened.page.evaluate(bundle.outputFiles[0].text);
  return { ...opened, url: `${stoa.url.replace('http', 'ws')}/ws/dating_show/` };
}

/** Joins the performers of an agent; gives what they are asked. */
async function performer(agent) {
  const socket = io(stoa.url, { auth: { role: 'producer' }, forceNew: true });
  const asked = new Promise((resolve) => {
    socket.on('agent_action', (action, answer) => {
      answer({ done: action.action });
      resolve(action);
    });
  });
  await next(socket, 'connection_established');
  const joined = await call(socket, 'join_room', { room: `agent:${agent}:actions` });
  assert.equal(joined.status, 'ok');
  return { asked, close: () => socket.close() };
}

const changed = (agent, status) => ({ type: 'agent_update', agent_id: agent, update_type: 'state_change', data: { status, location: 'pool' } });

test('the JavaScript class shows agents and makes them act', LIMIT, async () => {
  const producer = await performer('agent_001');
  const { page, troubles, close, url } = await withClients();
  await page.evaluate((address) => window.startClass(address), url);
  await page.waitForFunction(() => window.client.socket.readyState === WebSocket.OPEN);
  // Published until it is seen: the class does not tell when its greeting came.
  const status = () => page.evaluate(() => window.shown.agent_001?.status);
  await until('the agent at work', async () => {
    await publish(stoa, changed('agent_001', 'active'));
    return (await status()) === 'active';
  });
  assert.equal(await page.evaluate(() => window.shown.agent_001.location), 'pool');
  await page.evaluate(() => window.client.sendAgentAction('agent_001', 'move', { location: 'pool' }));
  const action = await within('agent_action', producer.asked);
  assert.equal(action.action, 'move');
  assert.deepEqual(action.params, { location: 'pool' });
  assert.deepEqual(troubles.filter((trouble) => trouble.startsWith('uncaught')), []);
  producer.close();
  await close();
});

test('the React hook shows agents, its connection, and makes agents act', LIMIT, async () => {
  const producer = await performer('agent_002');
  const { page, troubles, close, url } = await withClients();
  await page.evaluate((address) => window.startHook(address), url);
  await page.getByText('Status: connected').waitFor();
  // Published until it is seen: the hook does not tell when its greeting came.
  const card = page.locator('#card-agent_002');
  await until('the card of the agent', async () => {
    await publish(stoa, changed('agent_002', 'active'));
    return (await card.count()) > 0;
  });
  await card.filter({ hasText: 'active' }).waitFor();
  await publish(stoa, changed('agent_002', 'resting'));
  await card.filter({ hasText: 'resting' }).waitFor();
  await card.click();
  assert.equal((await within('agent_action', producer.asked)).action, 'move');
  assert.deepEqual(troubles.filter((trouble) => trouble.startsWith('uncaught')), []);
  producer.close();
  await stoa.stop();
  await page.getByText('Status: disconnected').waitFor();
  await close();
});
