// The operator's page against a real server: its figures are those of the API, after acts that the test knows of.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { io } from 'socket.io-client';
import { until } from '../js/guarded.mjs';
import { next } from '../js/server.mjs';
import { bar, openOperator, says, status } from './operator.mjs';
import { LIMIT, launch } from './page.mjs';
import { publish, startStoa } from './stoa.mjs';

let browser;
let stoa;

before(async () => {
  [browser, stoa] = await Promise.all([launch(), startStoa()]);
}, LIMIT);

after(async () => {
  await browser?.close();
  await stoa?.stop();
}, LIMIT);

const told = async (at, path) => (await fetch(`${at.url}${path}`)).json();

/** A client of Socket.IO that has come in. */
async function client(at, auth = {}, transports = ['websocket']) {
  const socket = io(at.url, { transports, upgrade: false, forceNew: true, auth, reconnection: false });
  await next(socket, 'connection_established');
  return socket;
}

test('the figures shown are those of the API, after acts that are known', LIMIT, async () => {
  const own = await startStoa();
  const sockets = [];
  const stop = new AbortController();
  try {
    for (const auth of [{ name: 'one' }, { name: 'two', rooms: ['project:shop'] }, { name: 'three', role: 'operator' }]) sockets.push(await client(own, auth));
    sockets.push(await client(own, { name: 'four' }, ['polling']));
    const stream = await fetch(`${own.url}/api/v1/stream`, { signal: stop.signal });
    await stream.body.getReader().read();
    const heard = Promise.all(sockets.map((socket) => {
      let count = 0;
      return next(socket, 'task_update', () => (count += 1) === 7);
    }));
    await publish(own, ...Array.from({ length: 7 }, (_, n) => ({ type: 'task.completed', project_id: 'shop', data: { task_id: `t${n}`, agent_id: 'a' } })));
    await heard;

    const { page, troubles, close } = await openOperator(browser, own);
    await status(page, 'live');
    for (const [key, wanted] of [['websocket', 3], ['polling', 1], ['sse', 1]]) await says(page, bar('transport', key), 'data-count', wanted);
    for (const [key, wanted] of [['socketio', 4], ['sse', 1]]) await says(page, bar('door', key), 'data-count', wanted);
    await says(page, bar('role', 'operator'), 'data-count', 1);
    assert.equal(await page.getByTestId('connections-total').textContent(), '5');
    await says(page, '[data-testid=rate-events]', 'data-total', 7);
    const figures = await told(own, '/api/v1/performance');
    assert.equal(figures.total_events, 7);
    await says(page, '[data-testid=rate-updates]', 'data-total', figures.total_updates);
    await says(page, '[data-testid=rate-deliveries]', 'data-total', figures.total_deliveries);
    await says(page, '[data-testid=latency-high]', 'data-count', figures.latency_ms.high.count);
    assert.ok(figures.latency_ms.high.count > 0);
    const { total_rooms } = await told(own, '/api/v1/ws/rooms');
    assert.equal(await page.getByTestId('rooms-total').textContent(), String(total_rooms));
    const health = await told(own, '/api/v1/health');
    await says(page, '[data-testid=health]', 'data-score', health.health_score);
    assert.equal((await page.getByTestId('health-status').textContent()).toLowerCase(), health.health_status);
    await page.getByTestId('part-journal').filter({ hasText: 'Ok' }).waitFor();

    // Analytics are asked for once in a quarter of a minute, so they are read anew.
    await page.reload();
    const { event_types, rooms, connections_opened } = await told(own, '/api/v1/analytics');
    assert.deepEqual(event_types.map(({ type, updates }) => [type, updates]), [['task.completed', 7]]);
    await says(page, '[data-testid=table-types] [data-key="task.completed"] td', 'data-value', 7);
    assert.ok(rooms.length > 0);
    for (const { room, members } of rooms) await says(page, `[data-testid=table-rooms] [data-key="${room}"] td`, 'data-value', members);
    await page.getByTestId('session-opened').filter({ hasText: new RegExp(`${connections_opened}\\s*$`) }).waitFor();
    assert.equal(connections_opened, 5);

    // A client that leaves is gone from the page, and the next events are added.
    sockets[0].disconnect();
    await says(page, bar('transport', 'websocket'), 'data-count', 2);
    await publish(own, { type: 'task.completed', project_id: 'shop', data: { task_id: 't9', agent_id: 'a' } });
    await says(page, '[data-testid=rate-events]', 'data-total', 8);
    assert.deepEqual(troubles, []);
    await close();
  } finally {
    stop.abort();
    for (const socket of sockets) socket.disconnect();
    await own.stop();
  }
});

test('the alerts that hold are shown with what to do, and no others', LIMIT, async () => {
  const own = await startStoa();
  try {
    const run = (type) => ({ type, project_id: 'shop', data: { run_id: 'r1', status: type.split('.').at(-1), message: 'Pay <b>now</b>?' } });
    await publish(own, { ...run('agent.run.waiting_for_human') });
    await until('the alert', async () => (await told(own, '/api/v1/alerts')).total === 1);
    const { page, troubles, close } = await openOperator(browser, own);
    await status(page, 'live');
    await says(page, '[data-testid=alerts]', 'data-total', 1);
    const alert = page.getByTestId('alert');
    await alert.filter({ hasText: 'Run r1 waits for a person: Pay <b>now</b>?' }).waitFor();
    await alert.filter({ hasText: 'Run waiting in shop, since' }).waitFor();
    await publish(own, run('agent.run.completed'));
    await says(page, '[data-testid=alerts]', 'data-total', 0);
    await page.getByTestId('alerts').filter({ hasText: 'No alert holds.' }).waitFor();
    assert.deepEqual(troubles, []);
    await close();
  } finally {
    await own.stop();
  }
});

test('the chart of throughput draws what it was told, and says it in words', LIMIT, async () => {
  const { page, close } = await openOperator(browser, stoa);
  await status(page, 'live');
  await publish(stoa, ...Array.from({ length: 40 }, (_, n) => ({ type: 'task.completed', data: { task_id: `c${n}`, agent_id: 'a' } })));
  const chart = page.getByTestId('rate-events').getByRole('img');
  await page.waitForFunction(() => /most [1-9]/.test(document.querySelector('[data-testid=rate-events] svg')?.getAttribute('aria-label') ?? ''));
  assert.match(await chart.getAttribute('aria-label'), /^Events in per second, last minute: now .+, most .+, least .+, on average .+$/);
  await page.waitForFunction(() => /L/.test(document.querySelector('[data-testid=rate-events] .line')?.getAttribute('d') ?? ''));
  await close();
});

test('without a token the page asks nothing that only admins are told', LIMIT, async () => {
  const { page, troubles, asked, close } = await openOperator(browser, stoa);
  await status(page, 'live');
  await page.getByText('Single connections are shown to admins.').waitFor();
  await page.getByTestId('part-hub').waitFor();
  assert.deepEqual(asked.filter(({ path }) => path.startsWith('/api/v1/admin')), []);
  assert.deepEqual(troubles, []);
  await close();
});

test('while the server is away the page says since when, and goes on when it is back', LIMIT, async () => {
  let own = await startStoa();
  try {
    const { page, close } = await openOperator(browser, own);
    await status(page, 'live');
    await says(page, '[data-testid=rate-events]', 'data-total', 0);
    assert.equal(await page.getByTestId('stale').count(), 0);
    await own.stop();
    await status(page, 'away');
    await page.getByTestId('stale').filter({ hasText: /^\s*As of \d\d:\d\d:\d\d: the server does not answer/ }).waitFor();
    await page.getByTestId('status').filter({ hasText: /Server away\s*for \d+ s/ }).waitFor();
    // The last figures stay to be read, without colour.
    assert.notEqual(await page.getByTestId('figures').evaluate((element) => getComputedStyle(element).filter), 'none');

    own = await startStoa({ port: own.port });
    await status(page, 'live');
    await page.getByTestId('stale').waitFor({ state: 'detached' });
    await publish(own, { type: 'task.completed', data: { task_id: 't', agent_id: 'a' } });
    await says(page, '[data-testid=rate-events]', 'data-total', 1);
    await close();
  } finally {
    await own.stop();
  }
});

test('a server that is away from the beginning is waited for', LIMIT, async () => {
  const { page, close } = await openOperator(browser, stoa);
  await status(page, 'live');
  await page.route('**/api/v1/performance', (route) => route.abort('connectionrefused'));
  await page.reload();
  await page.getByTestId('nobody').filter({ hasText: 'The server does not answer' }).waitFor();
  await page.unroute('**/api/v1/performance');
  await status(page, 'live');
  await close();
});

test('nothing is asked while the page is paused or hidden, and at once when it is not', LIMIT, async () => {
  const { page, asked, close } = await openOperator(browser, stoa);
  await status(page, 'live');
  await page.clock.install();
  // The timers of before the clock was installed are the browser's own: begin anew under the test's clock.
  await page.reload();
  await status(page, 'live');
  await until('an answer to every question', () => asked.some(({ path }) => path === '/readyz'));

  /** The number of requests of ten minutes in which nothing is due. */
  async function quiet() {
    const before = asked.length;
    await page.clock.runFor(600_000);
    // A round trip to the page: what it would have asked, it has asked.
    await page.evaluate(() => fetch('api/v1/ws/stats').then((answer) => answer.text()));
    return asked.length - before - 1;
  }

  await page.getByTestId('pause').click();
  await status(page, 'paused');
  assert.equal(await quiet(), 0);
  const paused = asked.length;
  await page.getByTestId('pause').click();
  await status(page, 'live');
  await until('it asks again', () => asked.length > paused);

  const hide = (hidden) => page.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
  await hide(true);
  assert.equal(await quiet(), 0);
  const hidden = asked.length;
  await hide(false);
  await until('it asks again', () => asked.length > hidden);
  await close();
});

test('neither page loads the code of the other', LIMIT, async () => {
  const files = async (path) => {
    const { page, close } = await openOperator(browser, stoa);
    const loaded = [];
    page.on('response', (response) => loaded.push(new URL(response.url()).pathname));
    await page.goto(`${stoa.url}${path}`, { waitUntil: 'load' });
    await page.locator('h1').waitFor();
    await close();
    return loaded.filter((name) => /\.(js|css)$/.test(name)).map((name) => name.replace(/^.*\/(\w+)-.*(\.\w+)$/, '$1$2'));
  };
  const stage = await files('/');
  assert.ok(stage.includes('index.js'), stage.join());
  assert.deepEqual(stage.filter((name) => name.startsWith('operator')), []);
  const operator = await files('/operator');
  assert.ok(operator.includes('operator.js'), operator.join());
  assert.deepEqual(operator.filter((name) => name.startsWith('index')), []);
});
