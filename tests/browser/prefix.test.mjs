// The page behind a proxy that serves it below a path.
import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { LIMIT, agent, connection, launch, open } from './page.mjs';
import { openOperator, status } from './operator.mjs';
import { publish, startStoa } from './stoa.mjs';

const PREFIX = '/tools/stoa';
let browser;
let stoa;
let proxy;

before(async () => {
  [browser, stoa] = await Promise.all([launch(), startStoa()]);
  proxy = createServer((asked, answer) => {
    if (!asked.url.startsWith(`${PREFIX}/`)) return answer.writeHead(404).end();
    const on = request({ port: stoa.port, host: '127.0.0.1', method: asked.method, path: asked.url.slice(PREFIX.length), headers: asked.headers }, (got) => {
      answer.writeHead(got.statusCode, got.headers);
      got.pipe(answer);
    });
    on.on('error', () => answer.destroy());
    asked.pipe(on);
  });
  proxy.on('upgrade', (asked, socket) => {
    if (!asked.url.startsWith(`${PREFIX}/`)) return socket.destroy();
    const on = connect(stoa.port, '127.0.0.1', () => {
      const headers = asked.rawHeaders.reduce((lines, part, i) => (i % 2 ? `${lines}: ${part}` : `${lines}\r\n${part}`), '');
      on.write(`GET ${asked.url.slice(PREFIX.length)} HTTP/1.1${headers}\r\n\r\n`);
      on.pipe(socket).pipe(on);
    });
    for (const end of [on, socket]) end.on('error', () => {});
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
}, LIMIT);

after(async () => {
  await browser?.close();
  proxy?.closeAllConnections();
  proxy?.close();
  await stoa?.stop();
}, LIMIT);

test('the operator’s page finds its server below the same path, and the demo page beside it', LIMIT, async () => {
  const below = `http://127.0.0.1:${proxy.address().port}${PREFIX}`;
  const { page, troubles, close } = await openOperator(browser, below);
  await status(page, 'live');
  await page.getByTestId('part-hub').waitFor();
  await page.getByRole('link', { name: 'The stage' }).click();
  await page.waitForURL(`${below}/`);
  await connection(page, 'connected');
  await page.getByRole('link', { name: 'How the server is' }).click();
  await page.waitForURL(`${below}/operator`);
  await status(page, 'live');
  assert.deepEqual(troubles, []);
  await close();
});

test('it finds its server below the same path, and is live', LIMIT, async () => {
  const { page, troubles, close } = await open(browser, `http://127.0.0.1:${proxy.address().port}${PREFIX}/`);
  await connection(page, 'connected');
  await page.getByTestId('empty').filter({ hasText: `${PREFIX}/api/v1/events` }).waitFor();
  await publish(stoa, { type: 'agent.registered', data: { agent_id: 'zeno', status: 'working' } });
  await agent(page, 'zeno').waitFor({ state: 'attached' });
  assert.deepEqual(troubles, []);
  await close();
});
