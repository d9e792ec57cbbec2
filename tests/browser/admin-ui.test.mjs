// Socket.IO's own Admin UI, as its package brings it, in a real browser against a real server.
import assert from 'node:assert/strict';
import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { io } from 'socket.io-client';
import { next } from '../js/server.mjs';
import { LIMIT, launch, open } from './page.mjs';
import { startStoa } from './stoa.mjs';

const FILES = fileURLToPath(new URL('node_modules/@socket.io/admin-ui/ui/dist', import.meta.url));
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.png': 'image/png', '.svg': 'image/svg+xml' };
/** The bcrypt hash of `changeit`. */
const HASH = '$2a$04$tRtZiMp8GpPVC2evX4jnieS0Nj.z2gbwi/Diaw6MwpmGonzTxju/y';

let browser;
let stoa;
let files;

before(async () => {
  files = createServer((request, response) => {
    const path = join(FILES, normalize(new URL(request.url, 'http://x').pathname).replace(/\/$/, '/index.html'));
    if (!path.startsWith(FILES) || !existsSync(path)) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' });
    return createReadStream(path).pipe(response);
  });
  await new Promise((done) => files.listen(0, '127.0.0.1', done));
  const env = { STOA_ADMIN_UI__USERNAME: 'admin', STOA_ADMIN_UI__PASSWORD_BCRYPT: HASH, STOA_ADMIN_UI__MODE: 'development' };
  [browser, stoa] = await Promise.all([launch(), startStoa({ env })]);
}, LIMIT);

after(async () => {
  await browser?.close();
  files?.close();
  await stoa?.stop();
}, LIMIT);

for (const parser of [null, 'MessagePack parser']) {
  test(`with ${parser ?? 'its usual parser'} the UI logs in after a wrong password, shows the server and its sockets, and comes back by its session`, LIMIT, async () => {
    const { page, close } = await open(browser, `http://127.0.0.1:${files.address().port}/`);
    const field = (label) => page.locator('.v-dialog--active .v-text-field', { hasText: label }).locator('input');
    const connect = page.locator('.v-dialog--active button', { hasText: 'Connect' });
    await field('Server URL').fill(stoa.url);
    await field('Username').fill('admin');
    const frames = [];
    page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => frames.push(typeof payload)));
    if (parser) {
      await page.locator('.v-dialog--active').getByText('Advanced options').click();
      await page.locator('.v-dialog--active .v-select', { hasText: 'Parser' }).click();
      await page.locator('.v-menu__content .v-list-item', { hasText: parser }).click();
    }
    await field('Password').fill('wrong');
    await connect.click();
    await page.getByText('Invalid credentials').waitFor();
    await field('Password').fill('changeit');
    await connect.click();
    await page.getByText('Servers', { exact: true }).first().waitFor();
    await page.locator('.v-dialog--active').waitFor({ state: 'detached' });
    const client = io(stoa.url, { transports: ['websocket'], forceNew: true, auth: { name: 'watched' } });
    try {
      const { client_id: id } = await next(client, 'connection_established');
      await page.locator('a', { hasText: 'Sockets' }).first().click();
      await page.locator('.v-select', { hasText: 'Select namespace' }).click();
      await page.locator('.v-menu__content .v-list-item').filter({ hasText: /^\s*\/\s*$/ }).click();
      await page.getByText(id).first().waitFor();
      await page.screenshot({ path: fileURLToPath(new URL('screenshots/admin-ui.png', import.meta.url)) });
      await page.reload();
      await page.getByText('connected', { exact: true }).first().waitFor();
      await page.locator('a', { hasText: 'Clients' }).first().click();
      await page.getByText(id.slice(-12)).first().waitFor();
      assert.ok(client.connected);
      // Frames that are no text are msgpack here: the UI is sent no bytes.
      assert.equal(frames.includes('object'), parser !== null, frames.join());
    } finally {
      client.close();
      await close();
    }
  });
}
