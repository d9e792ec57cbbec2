// A real Stoa for a test: started on a free port, stopped by its own process id.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const binary = process.env.STOA_BIN ?? `${root}target/debug/stoa`;
/** The time after which something counts as broken, on a slow and busy machine too; a test waits so long only when something is wrong. */
export const PATIENCE_MS = 45_000;
/** For a whole test, of many such waits: longer than any of them, so that it is the wait that says what was missing. */
export const LIMIT = { timeout: 240_000 };
/** Settings that let `admin` into the Admin UI with the password `changeit`, here as its bcrypt hash. */
export const ADMIN_UI = {
  STOA_ADMIN_UI__USERNAME: 'admin',
  STOA_ADMIN_UI__PASSWORD_BCRYPT: '$2a$04$tRtZiMp8GpPVC2evX4jnieS0Nj.z2gbwi/Diaw6MwpmGonzTxju/y',
};

/** The servers that run: none stays when a test's process is ended early. */
const running = new Set();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));
process.once('SIGTERM', () => process.exit(143));

export async function startStoa({ port = 0, args = [], env = {} } = {}) {
  const child = spawn(binary, ['serve', '--port', String(port), ...args], {
    cwd: root,
    // A machine that is busy with other tests is no load that Stoa should save work for.
    env: { ...process.env, STOA_LOG__FORMAT: 'json', STOA_JOURNAL__KIND: 'memory', STOA_PACE__DEGRADE: 'false', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const logs = [];
  // `close`, not `exit`: then the last words are in the log too.
  const exited = once(child, 'close').finally(() => running.delete(child));
  running.add(child);
  const address = await new Promise((resolve, reject) => {
    const read = (line) => {
      logs.push(line);
      const found = /"address":"([^"]+)"/.exec(line);
      if (found) resolve(found[1]);
    };
    createInterface({ input: child.stdout }).on('line', read);
    createInterface({ input: child.stderr }).on('line', read);
    child.once('error', reject);
    exited.then(() => reject(new Error(`stoa ended before it listened:\n${logs.join('\n')}`)), reject);
  });
  return {
    address,
    port: Number(address.split(':').pop()),
    url: `http://${address}`,
    logs,
    signal(name) {
      child.kill(name);
    },
    async stop(signal = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await within(`the end of stoa by ${signal}`, exited);
    },
  };
}

export async function publish(url, events, token) {
  const response = await fetch(`${url}/api/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify(events),
  });
  return { status: response.status, body: await response.json() };
}

/** The value of a promise; an error says what did not come, if it takes longer than anything that is in order. */
export function within(what, promise) {
  let late;
  const limit = new Promise((_, reject) => { late = setTimeout(() => reject(new Error(`${what} did not come`)), PATIENCE_MS); });
  const first = Promise.race([promise, limit]).finally(() => clearTimeout(late));
  // The error is for the test that waits: one that has ended by another error waits no more.
  first.catch(() => {});
  return first;
}

/** The first event of this name that fits; attach before it can come. */
export const next = (socket, name, fits = () => true) => within(name, new Promise((resolve) => {
  const listen = (payload) => {
    if (!fits(payload)) return;
    socket.off(name, listen);
    resolve(payload);
  };
  socket.on(name, listen);
}));

/** The same with all arguments of the event. */
export const nextOf = (socket, name, fits = () => true) => within(name, new Promise((resolve) => {
  const listen = (...args) => {
    if (!fits(...args)) return;
    socket.off(name, listen);
    resolve(args);
  };
  socket.on(name, listen);
}));

/** The answer to an event. */
export const call = (socket, event, argument) =>
  within(`the answer to ${event} on ${socket.nsp}`, new Promise((resolve) => socket.emit(event, argument, resolve)));

/** Waits until the client is on its namespace. */
export const connected = async (socket) => socket.connected || next(socket, 'connect');

/** Waits until a session that polled has become a WebSocket. */
export const upgraded = async ({ io: { engine } }) =>
  engine.transport.name === 'websocket' || within('the upgrade', new Promise((resolve) => engine.once('upgrade', resolve)));
