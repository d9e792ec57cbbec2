// The workflow guide's example clients in a real browser, as they stand; and an `EventSource` on a stream of a project.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { until } from '../js/guarded.mjs';
import { LIMIT, launch, open } from './page.mjs';
import { publish, startStoa } from './stoa.mjs';

const EXECUTION = '123e4567-e89b-12d3-a456-426614174000';
const progress = (percent) => ({ type: 'workflow.run.updated', data: {
  execution_id: EXECUTION, status: 'running', progress_percentage: percent, completed_nodes: 3, total_nodes: 7, current_node: 'node-3' } });

let browser;
let pages;
let stoa;
let bundle;

before(async () => {
  [browser, stoa] = await Promise.all([launch(), startStoa()]);
  // A page of the user's own: Stoa's answers forbid scripts in them to connect anywhere.
  pages = createServer((_, answer) => {
    answer.writeHead(200, { 'Content-Type': 'text/html' });
    answer.end('<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>empty</title>');
  });
  await new Promise((resolve) => { pages.listen(0, '127.0.0.1', resolve); });
  // The document's address becomes the server's; nothing else of its text changes.
  const here = {
    name: 'address',
    setup: ({ onLoad }) => onLoad({ filter: /guide\/(client\.mjs|hook\.ts)$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      const address = 'ws://localhost:8000/';
      assert.ok(text.includes(address));
      return { contents: text.replace(address, `ws://${stoa.address}/`), loader: path.endsWith('.ts') ? 'ts' : 'js' };
    }),
  };
  bundle = await build({
    entryPoints: [fileURLToPath(new URL('guide/page.mjs', import.meta.url))], bundle: true, write: false, format: 'iife', plugins: [here],
    define: { 'process.env.NODE_ENV': '"production"' },
  });
}, LIMIT);

after(async () => {
  await browser?.close();
  await stoa?.stop();
  pages?.close();
}, LIMIT);

const emptyPage = () => open(browser, `http://127.0.0.1:${pages.address().port}/`);

/** A page with the clients in it. */
async function withClients() {
  const opened = await emptyPage();
  await opened.page.evaluate(bundle.outputFiles[0].text);
  return opened;
}

test('the JavaScript class shows executions and their nodes', LIMIT, async () => {
  const { page, troubles, close } = await withClients();
  const handled = (type, times = 1) => page.waitForFunction(
    ([wanted, least]) => window.handled.filter((one) => one === wanted).length >= least, [type, times]);
  await page.evaluate(() => window.startClass());
  await handled('connection');
  await page.evaluate((id) => window.client.subscribeToExecution(id), EXECUTION);
  await handled('subscription');
  await publish(stoa, progress(45.5));
  await publish(stoa, { type: 'workflow.node.started', data: {
    execution_id: EXECUTION, node_execution_id: 'abc', node_id: 'node-1', node_name: 'Agent', status: 'running', message: 'Processing' } });
  await handled('execution_update');
  await handled('node_update');
  const shown = await page.evaluate(() => {
    const get = (id) => document.getElementById(id);
    return [get('execution-progress').style.width, get('execution-progress').textContent, get('execution-status').textContent,
      get('execution-status').className, get('node-node-1').className, get('node-node-1').textContent];
  });
  assert.deepEqual(shown, ['45.5%', '46%', 'running', 'status-running', 'node status-running', 'running']);
  await page.evaluate(() => window.client.ping());
  await handled('pong');
  await page.evaluate((id) => window.client.unsubscribeFromExecution(id), EXECUTION);
  await handled('subscription', 2);
  assert.deepEqual(troubles, []);
  await close();
});

test('the React hook shows an execution', LIMIT, async () => {
  const { page, troubles, close } = await withClients();
  await page.evaluate((id) => window.startHook(id), EXECUTION);
  await page.waitForFunction(() => document.getElementById('hook')?.dataset.connected === 'true');
  // The hook says nothing when it is subscribed: the room is there when it is.
  const rooms = async () => (await (await fetch(`${stoa.url}/api/v1/ws/rooms`)).json()).active_rooms;
  await until('the room of the execution', async () => (await rooms()).includes(`execution:${EXECUTION}`));
  await publish(stoa, progress(71));
  await page.waitForFunction(() => document.getElementById('hook').textContent === 'running 71 3/7');
  assert.deepEqual(troubles, []);
  await page.evaluate(() => window.root.unmount());
  await close();
});

test('an EventSource goes on where it was when the server is killed', LIMIT, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'stoa-'));
  const env = { STOA_JOURNAL__KIND: 'sqlite', STOA_JOURNAL__PATH: join(folder, 'stoa.db') };
  let server = await startStoa({ env });
  const { page, close } = await emptyPage();
  await page.evaluate((url) => {
    window.seen = [];
    const source = new EventSource(`${url}/api/stream/projects/p1/ingest/j1`);
    source.onmessage = ({ data, lastEventId }) => window.seen.push({ ...JSON.parse(data), lastEventId });
  }, server.url);
  const until = (type, least) => page.waitForFunction(
    ([wanted, times]) => window.seen.filter((one) => one.type === wanted).length >= times, [type, least]);
  await until('connection', 1);
  const job = (stage) => ({ id: 'j1', project_id: 'p1', stage });
  await publish(server, { type: 'ingest.job.created', job: job('A') }, { type: 'ingest.job.failed', job: job('B'), errorMessage: 'no such file' });
  await until('ingest.job.failed', 1);
  const { port } = server;
  await server.stop('SIGKILL');
  server = await startStoa({ env, port });
  await publish(server, { type: 'ingest.job.completed', job: job('C') });
  await until('ingest.job.completed', 1);
  await until('connection', 2);
  const seen = await page.evaluate(() => window.seen);
  const events = seen.filter(({ type }) => type.startsWith('ingest.'));
  assert.deepEqual(events.map(({ type, job: { stage } }) => [type, stage]),
    [['ingest.job.created', 'A'], ['ingest.job.failed', 'B'], ['ingest.job.completed', 'C']]);
  assert.equal(events[1].errorMessage, 'no such file');
  for (const event of events) {
    assert.deepEqual(event.job.project_id, 'p1');
    assert.ok(event.timestamp && event.id && event.source_type === event.type);
    assert.equal(event.lastEventId, event.cursor);
  }
  await close();
  await server.stop();
  await rm(folder, { recursive: true });
});
