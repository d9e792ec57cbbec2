// Clients that come back to their sessions, and what they are sent meanwhile.
import assert from 'node:assert/strict';
import { io } from 'socket.io-client';
import { PATIENCE_MS, next } from './server.mjs';

export const ways = { websocket: { transports: ['websocket'] }, 'polling, then upgrade': {}, polling: { transports: ['polling'] } };
export const call = (socket, event, argument) => socket.timeout(PATIENCE_MS).emitWithAck(event, argument);
export const decision = (what, project = 'p1') => ({ type: 'decision.logged', project_id: project, data: { what } });
export const asks = (more = {}) => ({ auth: { recovery: true, filters: { types: ['decision.*', 'note', 'gone', 'blob'] }, ...more } });

/** A socket that comes back only when it is told to; `said` has all that it was sent, by name. */
export function watch(socket) {
  const said = [];
  socket.onAny((name, ...args) => said.push({ name, args }));
  /** Connects and waits for an event; a refusal is thrown. */
  const connected = async (event) => {
    const came = event === 'connect' ? new Promise((resolve) => socket.once('connect', resolve)) : next(socket, event);
    const refused = new Promise((_, reject) => socket.once('connect_error', reject));
    const state = () => `${socket.nsp}: no ${event}; ${socket.io.engine.transport.name}, ${socket.io.engine.readyState}`;
    let timer;
    const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(state())), PATIENCE_MS); });
    socket.connect();
    const first = await Promise.race([came, refused, late]);
    clearTimeout(timer);
    socket.off('connect_error');
    return first;
  };
  /** The greeting on the server's own namespaces; an application's has none. */
  const greeted = () => connected('connection_established');
  // A socket beside another one comes with it.
  const entered = async () => socket.connected || connected('connect');
  const gone = () => next(socket, 'disconnect');
  const cut = async () => {
    const left = gone();
    socket.io.engine.close();
    await left;
  };
  const named = (wanted) => said.filter(({ name }) => name === wanted).map(({ args }) => args);
  const decisions = () => named('decision_event').map(([update]) => update.decision);
  return { socket, said, greeted, entered, gone, cut, named, decisions };
}

/** A client of its own connection. */
export const observe = (url, options = {}) => watch(io(url, { forceNew: true, reconnection: false, autoConnect: false, ...options }));

export async function emit(stoa, emission) {
  const response = await fetch(`${stoa.url}/api/v1/emit`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(emission),
  });
  assert.equal(response.status, 202, await response.text());
}

/** The clients that came with the secret of a session, by what became of them. */
export async function outcomes(stoa, bearer) {
  const headers = bearer ? { authorization: `Bearer ${bearer}` } : {};
  const text = await (await fetch(`${stoa.url}/metrics`, { headers })).text();
  return Object.fromEntries([...text.matchAll(/^stoa_recoveries_total\{outcome="(\w+)"\} (\d+)/gm)].map(([, name, count]) => [name, Number(count)]));
}
