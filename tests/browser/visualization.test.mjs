// The script of the visualization's Streamlit component, as it stands in its document but for the port, in a real browser.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { LIMIT, launch } from './page.mjs';
import { publish, startStoa } from './stoa.mjs';

/** The component's frame: it tells the page around it of the connection and of each update. */
const frame = (port) => `
        <script>
            const ws = new WebSocket('ws://localhost:${port}');
            
            ws.onopen = () => {
                window.parent.postMessage({type: 'websocket_status', connected: true}, '*');
            };
            
            ws.onclose = () => {
                window.parent.postMessage({type: 'websocket_status', connected: false}, '*');
            };
            
            ws.onmessage = (event) => {
                const update = JSON.parse(event.data);
                window.parent.postMessage({type: 'visualization_update', data: update}, '*');
            };
        </script>`;

/** The page around the frame keeps what it is told. */
const around = `<!doctype html><title>dashboard</title>
  <script>window.told = []; window.addEventListener('message', (event) => window.told.push(event.data));</script>
  <iframe src="/frame"></iframe>`;

let browser;
let stoa;
let dashboard;

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

before(async () => {
  const port = await freePort();
  browser = await launch();
  stoa = await startStoa({ env: { STOA_DOORS__VISUALIZATION_PORT: String(port) } });
  dashboard = createServer((request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(request.url === '/frame' ? frame(port) : around);
  }).listen(0, '127.0.0.1');
  await once(dashboard, 'listening');
}, LIMIT);

after(async () => {
  dashboard?.close();
  await browser?.close();
  await stoa?.stop();
}, LIMIT);

test('the component tells its page of the connection and of each update', LIMIT, async () => {
  const page = await browser.newPage();
  await page.goto(`http://localhost:${dashboard.address().port}/`);
  await page.waitForFunction(() => window.told.some((message) => message.connected === true));
  // A page is no member before its connection is answered in the hub, so updates are sent until one comes.
  const update = { type: 'node_update', target_id: 'n1', changes: { status: 'completed' }, priority: 'high' };
  const seen = page.waitForFunction(() => window.told.find((message) => message.type === 'visualization_update'));
  let got;
  seen.then((handle) => (got = handle));
  while (!got) {
    await publish(stoa, update);
    await Promise.race([seen, new Promise((resolve) => setTimeout(resolve, 100))]);
  }
  const { data } = await got.jsonValue();
  assert.equal(data.update_type, 'node_update');
  assert.equal(data.target_id, 'n1');
  assert.equal(data.priority, 'high');
  assert.deepEqual(data.changes, { status: 'completed' });
  assert.deepEqual(data.metadata, {});
  await page.close();
});
