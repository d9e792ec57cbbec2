// The pages of the applications in tests/apps, in a real browser: on Flask-SocketIO or python-socketio, and moved to Stoa.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { LIMIT, launch, open } from './page.mjs';

const python = fileURLToPath(new URL('../.venv/bin/python', import.meta.url));
const folder = fileURLToPath(new URL('../python', import.meta.url));

let browser;
before(async () => {
  browser = await launch();
}, LIMIT);
after(() => browser?.close());

async function start(app, kind) {
  const child = spawn(python, ['-m', 'drop_in.apps', app, kind], { cwd: folder, stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const [line] = await Promise.race([
    once(lines, 'line'),
    once(child, 'close').then(([code]) => { throw new Error(`${app} on ${kind} ended with ${code}`); }),
  ]);
  return {
    ...JSON.parse(line),
    async stop() {
      const ended = once(child, 'close');
      child.stdin.end();
      await ended;
    },
  };
}

const shows = (page, selector, text) =>
  page.waitForFunction(([where, what]) => [...document.querySelectorAll(where)].some((one) => (one.value ?? one.textContent).includes(what)), [selector, text]);
const fill = async (page, selector, text) => {
  await page.fill(selector, text);
  await page.locator(selector).press('Enter');
};
const texts = (page, selector) => page.locator(selector).allTextContents();

for (const kind of ['original', 'stoa']) {
  test(`two people chat: ${kind}`, LIMIT, async (t) => {
    const server = await start('chat', kind);
    const opened = [];
    t.after(async () => {
      for (const one of opened) await one.close();
      await server.stop();
    });
    const enter = async (name) => {
      const one = await open(browser, server.pages);
      opened.push(one);
      await fill(one.page, '#name', name);
      return one;
    };
    const ada = await enter('ada');
    await shows(ada.page, '#people', 'ada');
    const bob = await enter('bob');
    for (const { page } of [ada, bob]) await shows(page, '#people', 'ada, bob');
    const other = await enter('ada');
    await shows(other.page, '#refusal', 'this name is taken: ada');

    await ada.page.fill('#text', 'hello bob');
    await shows(bob.page, '#typing', 'ada is typing');
    await ada.page.locator('#text').press('Enter');
    for (const { page } of [ada, bob]) await shows(page, '.said', 'ada: hello bob');
    await ada.page.waitForFunction(() => document.querySelector('#text').value === '');
    await shows(bob.page, 'body', 'ada: hello bob');
    await bob.page.waitForFunction(() => document.querySelector('#typing').textContent === '');

    await fill(ada.page, '#text', ' ');
    await shows(ada.page, '.problem', 'a message has to say something');

    await ada.page.fill('#whom', 'bob');
    await fill(ada.page, '#secret', 'psst');
    await shows(bob.page, '.private', 'ada to you: psst');
    await shows(ada.page, '.seen', 'bob has seen: psst');
    await shows(ada.page, '.private', 'you to bob: psst');

    const picture = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==', 'base64');
    await bob.page.setInputFiles('#picture', { name: 'dot.png', mimeType: 'image/png', buffer: picture });
    await shows(bob.page, '#receipt', `${picture.length} bytes sent`);
    // The bytes are a picture again on the other side.
    await ada.page.waitForFunction(() => document.querySelector('img[alt="dot.png of bob"]')?.naturalWidth === 1);

    await fill(bob.page, '#where', 'kitchen');
    await shows(ada.page, '#people', 'ada');
    await bob.page.waitForFunction(() => document.querySelector('#people').value === 'bob');
    await bob.page.waitForFunction(() => document.querySelector('#messages').children.length === 0);
    await fill(ada.page, '#text', 'anybody?');
    await shows(ada.page, '.said', 'ada: anybody?');
    await fill(bob.page, '#text', 'I am here');
    await shows(bob.page, '.said', 'bob: I am here');
    assert.deepEqual(await texts(bob.page, '.said'), ['bob: I am here']);

    await fill(bob.page, '#where', 'lobby');
    await shows(ada.page, '#people', 'ada, bob');
    await bob.page.click('#leave');
    await shows(bob.page, '.gone', 'You left (io server disconnect)');
    await shows(ada.page, '.left', 'bob left (server disconnect)');
    await shows(ada.page, '#people', 'ada');
    assert.deepEqual([...ada.troubles, ...bob.troubles], []);
  });

  test(`people vote: ${kind}`, LIMIT, async (t) => {
    const server = await start('votes', kind);
    const opened = [];
    t.after(async () => {
      for (const one of opened) await one.close();
      await server.stop();
    });
    const vote = async (name, choice) => {
      const one = await open(browser, server.pages);
      opened.push(one);
      await fill(one.page, '#name', name);
      await shows(one.page, '#question', 'Tea or coffee?');
      await one.page.getByRole('button', { name: choice }).click();
      await shows(one.page, '#mine', `you voted for ${choice}`);
      return one;
    };
    const ada = await vote('ada', 'tea');
    await shows(ada.page, '#result', 'tea: 1');
    const bob = await vote('bob', 'coffee');
    // The keys of an object come in any order.
    for (const { page } of [ada, bob]) for (const line of ['tea: 1', 'coffee: 1']) await shows(page, '#result', line);
    await bob.close();
    opened.pop();
    for (const line of ['tea: 1', 'coffee: 0']) await shows(ada.page, '#result', line);
    const nobody = await open(browser, server.pages);
    opened.push(nobody);
    await nobody.page.click('#enter button');
    await shows(nobody.page, '#refusal', 'voters have a name');
    assert.deepEqual(ada.troubles, []);
  });
}
