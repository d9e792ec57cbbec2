// Text that would run something where a page puts it into HTML: a real browser runs none of it.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { io } from 'socket.io-client';
import { next, startStoa, within } from '../js/server.mjs';
import { LIMIT, launch, open } from './page.mjs';
import { publish } from './stoa.mjs';

/** Each would call `ran()` with its own number. */
const VECTORS = [
  '<img src=x onerror=ran(0)>',
  '<svg onload=ran(1)>',
  '<svg><animate onbegin=ran(2) attributeName=x dur=1s>',
  '<details open ontoggle=ran(3)>x</details>',
  '<iframe srcdoc="<script>parent.ran(4)</script>"></iframe>',
  '<input autofocus onfocus=ran(5)>',
  '<!--><img src=x onerror=ran(6)>-->',
  '</strong></pre><img/src=x/onerror=ran(7)//',
  '<style onload=ran(8)>a{}</style>',
  '<video><source onerror=ran(9)></video>',
  '" onmouseover="ran(10)',
  '\' onmouseover = \'ran(11)',
  '"><img src=x onerror=ran(12)>',
];

let browser;

before(async () => {
  browser = await launch();
}, LIMIT);

after(() => browser?.close(), LIMIT);

/** The vectors as a front-end receives them, in the message of an update: one of Seneca's pages, or any other. */
async function received(stoa, { asPage = true } = {}) {
  const socket = io(stoa.url, { transports: ['websocket'], forceNew: true });
  const texts = [];
  await next(socket, 'connection_established');
  const whole = next(socket, 'progress_update', ({ message }) => texts.push(message) === VECTORS.length);
  if (asPage) {
    const confirmed = next(socket, 'subscription_confirmed');
    socket.emit('subscribe_pipeline_flow', {});
    await confirmed;
  }
  await publish(stoa, ...VECTORS.map((message, n) => ({ type: 'task.progress', data: { task_id: `t${n}`, progress: n, message } })));
  await whole;
  socket.disconnect();
  return texts;
}

/** An empty page of somebody else's, without the headers by which Stoa's own pages are guarded beside. */
async function emptyPage() {
  const server = createServer((_, answer) => {
    answer.writeHead(200, { 'Content-Type': 'text/html' });
    answer.end('<!doctype html><html lang="en"><title>empty</title>');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}/`, stop: () => server.close() };
}

/** The texts that ran something in a page that builds HTML of them, as text of elements and in attributes. */
async function ranIn(texts) {
  const empty = await emptyPage();
  const { page, close } = await open(browser, empty.url);
  const ran = await within('all marks', page.evaluate(async (all) => {
    const numbers = new Set();
    window.ran = (n) => numbers.add(n);
    const show = (html) => {
      const box = document.createElement('div');
      document.body.append(box);
      box.innerHTML = html;
      box.querySelectorAll('*').forEach((element) => element.dispatchEvent(new Event('mouseover')));
    };
    for (const text of all) {
      show(`<strong>${text}</strong><br>`);
      show(`<pre style="font-size: 12px">${JSON.stringify({ text }, null, 2)}</pre>`);
      show(`<b title="${text}">x</b>`);
      show(`<b title='${text}'>x</b>`);
    }
    // Marks as slow as the slowest of them: a picture that is not there, a frame, an animation's start.
    const until = (make) => new Promise((resolve) => {
      window.done = resolve;
      show(make);
    });
    await until('<img src=y onerror=done()>');
    await until('<iframe srcdoc="<script>parent.done()</script>"></iframe>');
    await until('<svg><animate onbegin=done() attributeName=x dur=1s>');
    await until('<details open ontoggle=done()>x</details>');
    return [...numbers].sort((a, b) => a - b);
  }, texts));
  await close();
  empty.stop();
  return ran;
}

test('nothing runs, and what is read is what was said', LIMIT, async () => {
  const stoa = await startStoa();
  try {
    const texts = await received(stoa);
    assert.deepEqual(texts.map((text) => text.replaceAll('\u2060', '')), VECTORS);
    assert.deepEqual(await ranIn(texts), []);
    assert.deepEqual(await received(stoa, { asPage: false }), VECTORS, 'others get what was said');
  } finally {
    await stoa.stop();
  }
});

test('turned off, the same texts do run: the test above would notice', LIMIT, async () => {
  const stoa = await startStoa({ env: { STOA_CONTENT_FILTERING__SANITIZE_CONTENT: 'false' } });
  try {
    const texts = await received(stoa);
    assert.deepEqual(texts, VECTORS);
    const ran = await ranIn(texts);
    // A page takes the focus only once, and not all of these elements run where they stand.
    assert.ok(ran.length >= 9, `only ${ran} ran`);
  } finally {
    await stoa.stop();
  }
});
