/**
 * The connection: one Socket.IO client, its state for the header, its latency, and the cursor to resume from.
 * It never gives up: a refused or lost connection is tried again for as long as the page is open.
 */
import { io } from 'socket.io-client';
import { computed, reactive } from 'vue';
import { NOTHING, Opening, PAST_DECISIONS, PAST_EVENTS } from './opening';
import { pastDecisions, placeToBegin } from './state/past';
import { Parts } from './state/snapshot';
import { number, record, text } from './state/read';
import type { Json, Update } from './state/types';
import { state, takeCursor, takeOpening, takeSnapshot, takeUpdate } from './state/store';

const PING_EVERY_MS = 2000;
const PING_PATIENCE_MS = 5000;
const KEPT_SAMPLES = 30;
// After so many failed tries the page says "offline" in place of "reconnecting", and goes on trying.
const OFFLINE_AFTER = 3;
const RETRY_REFUSED_MS = 4000;
const PRIMED_AFTER_MS = 1500;
// The page begins without its past rather than not at all.
const HISTORY_PATIENCE_MS = 5000;
const STATE_PATIENCE_MS = 15_000;
const HISTORY_PAGE = 1000;
const ANSWER_PATIENCE_MS = 10_000;
const TOKEN_KEY = 'stoa-token';
/** The codes of refusals that another token would mend. */
const TOKEN_CODES = ['unauthorized', 'token_expired'];

export const connection = reactive({
  state: 'reconnecting' as 'connected' | 'reconnecting' | 'offline',
  /** False until the first welcome: the header then says "connecting", not "reconnecting". */
  everConnected: false,
  latencyMs: null as number | null,
  samples: [] as number[],
  server: '',
  transport: '',
  /** The reason why the server refused, in its own words. */
  refusal: '',
  needsToken: false,
  /** Whether one was shown in vain. */
  tokenRefused: false,
  /** Whether the token was good, and has expired. */
  tokenOver: false,
  /** The server asked who we are: whoever publishes has to say so as well. */
  proved: false,
  /** Whether we may answer what agents ask. */
  mayAct: false,
  /** The time at which the server was last heard; told while it is not. */
  heardAt: 0,
  /** True once the first snapshot is in: only then "nothing here yet" is known to be true. */
  primed: false,
});

/** Whether the page shows a state that may be out of date. */
export const isStale = computed(() => connection.everConnected && connection.state !== 'connected');

function startingToken(): string {
  const url = new URL(location.href);
  const given = url.searchParams.get('token');
  if (given) {
    sessionStorage.setItem(TOKEN_KEY, given);
    // A token in the address bar ends up in screenshots and histories.
    url.searchParams.delete('token');
    history.replaceState(null, '', url);
  }
  return given ?? sessionStorage.getItem(TOKEN_KEY) ?? '';
}

let token = startingToken();
let failures = 0;
/** The cursor at which the page begins: null while it is unknown, empty where there is no past to tell. */
let place: string | null = null;
let decisions: Update[] = [];
/** The updates since then, until there is a state to go with them. */
let opening: Opening | null = null;
const parts = new Parts();

const socket = io({
  // Under the page's own address: a proxy may serve it below a path.
  path: new URL('socket.io/', document.baseURI).pathname,
  autoConnect: false,
  transports: ['websocket', 'polling'],
  tryAllTransports: true,
  reconnectionDelay: 500,
  reconnectionDelayMax: 5000,
  auth: (give) => {
    // The role counts only where nobody has to show a token: then whoever opens the page may answer what agents ask.
    const who = { name: 'Stoa demo', role: 'operator', ...(token ? { token } : {}) };
    const cursor = state.value.cursor || place;
    opening = !state.value.cursor && place ? new Opening() : null;
    if (place === null) give({ ...who, filters: NOTHING });
    else give({ ...who, snapshot: true, ...(cursor ? { cursor } : {}) });
  },
});

async function ask(event: string, what: Json, patienceMs: number): Promise<Json> {
  const answer = record(await socket.timeout(patienceMs).emitWithAck(event, what));
  if (answer.status === 'error') throw new Error(text(record(answer.error), 'message'));
  return answer;
}

/** Events as they were published, oldest first, by what history can be asked for. */
export async function askHistory(what: Json): Promise<Json[]> {
  const { events } = await ask('get_history', what, HISTORY_PATIENCE_MS);
  return Array.isArray(events) ? events.map(record) : [];
}

/** All events that fit, the newest first, up to so many; `cut` says whether there are older ones. */
export async function askWholeHistory(what: Json, most: number): Promise<{ events: Json[]; cut: boolean }> {
  const found: Json[] = [];
  let before = '';
  while (found.length < most) {
    const page = { ...what, order: 'desc', limit: Math.min(HISTORY_PAGE, most - found.length), ...(before ? { before } : {}) };
    const { events, next } = await ask('get_history', page, HISTORY_PATIENCE_MS);
    if (Array.isArray(events)) found.push(...events.map(record));
    before = typeof next === 'string' ? next : '';
    if (!before) return { events: found, cut: false };
  }
  return { events: found, cut: true };
}

/** Answers the question of an agent; throws with the server's own words. */
export async function answerQuestion(requestId: string, projectId: string, value: unknown): Promise<void> {
  const project = projectId ? { project_id: projectId } : {};
  await ask('agent_action', { action: 'answer', params: { request_id: requestId, value }, ...project }, ANSWER_PATIENCE_MS);
}

/** Not reactive: it changes with every update. */
let heardAt = 0;

function lost(): void {
  connection.heardAt = heardAt;
  connection.latencyMs = null;
  connection.state = failures >= OFFLINE_AFTER || !navigator.onLine ? 'offline' : 'reconnecting';
}

/** Asks where to begin, and begins there: a connection is told what comes after the place with which it was made. */
async function begin(): Promise<void> {
  try {
    const ask = (what: object): Promise<unknown> => socket.timeout(HISTORY_PATIENCE_MS).emitWithAck('get_history', { order: 'desc', ...what });
    const [events, ...rest] = await Promise.all([
      ask({ limit: PAST_EVENTS }), ask({ limit: PAST_DECISIONS, type: 'decision.*' }), ask({ limit: PAST_DECISIONS, type: 'pm.decision' }),
    ]);
    decisions = pastDecisions(...rest);
    place = placeToBegin(events);
  } catch {
    // Lost meanwhile: the next connection asks again. Else it is the present that counts.
    if (!socket.connected) return;
    place = '';
  }
  socket.disconnect().connect();
}

/** The past is told; with the state of now the page can be shown. */
async function open(opened: Opening): Promise<void> {
  try {
    const answer = await socket.timeout(STATE_PATIENCE_MS).emitWithAck('get_state', {});
    if (opening !== opened) return;
    if (record(answer).status === 'error') throw new Error('no state');
    // A large state comes in parts, each a snapshot of its own.
    if ((number(record(answer), 'parts') ?? 1) === 1) show(opened, answer);
  } catch {
    if (opening !== opened || !socket.connected) return;
    place = '';
    socket.disconnect().connect();
  }
}

function show(opened: Opening, snapshot: unknown): void {
  opening = null;
  takeOpening(snapshot, decisions, opened.past, opened.to);
  for (const [type, payload] of opened.held) takeUpdate(type, payload);
  connection.primed = true;
}

socket.on('connect', () => {
  failures = 0;
  heardAt = Date.now();
  if (place === null) {
    void begin();
    return;
  }
  connection.state = 'connected';
  connection.everConnected = true;
  connection.refusal = '';
  connection.needsToken = false;
  connection.transport = socket.io.engine.transport.name;
  measure();
});

socket.on('disconnect', (reason) => {
  // Our own doing: another connection is on its way.
  if (reason === 'io client disconnect') return;
  lost();
  // The client library does not come back by itself when the server closed the session.
  if (reason === 'io server disconnect') setTimeout(() => socket.connect(), RETRY_REFUSED_MS);
});

socket.on('connect_error', (error) => {
  failures += 1;
  if (!socket.active) {
    // "code: sentence"; the sentence is for people.
    const [, code = '', sentence = error.message] = /^([a-z_]+): (.*)$/s.exec(error.message) ?? [];
    connection.refusal = sentence;
    connection.needsToken = TOKEN_CODES.includes(code);
    connection.tokenRefused = connection.needsToken && token !== '';
    connection.tokenOver = code === 'token_expired';
    failures = OFFLINE_AFTER;
    if (!connection.needsToken) setTimeout(() => socket.connect(), RETRY_REFUSED_MS);
  }
  lost();
});

// The machine may be off the net and still reach a server on itself.
window.addEventListener('offline', () => {
  if (!socket.connected) lost();
});

socket.on('connection_established', (payload: unknown) => {
  const hello = record(payload);
  const server = record(hello.server);
  connection.proved = text(hello, 'expires_at') !== '';
  connection.mayAct = ['operator', 'admin'].includes(text(hello, 'role'));
  connection.server = [text(server, 'name'), text(server, 'version')].filter(Boolean).join(' ');
  if (place === null || opening) return;
  // A server that sends neither snapshot nor replay has nothing to tell.
  setTimeout(() => (connection.primed = true), PRIMED_AFTER_MS);
  // The event's cursor is not ours yet: missed updates are still on their way, and would be lost if this connection
  // broke now.
});

socket.on('snapshot', (payload: unknown) => {
  const whole = parts.add(payload);
  if (!whole) return;
  if (opening) return show(opening, whole);
  takeSnapshot(whole);
  connection.primed = true;
});

socket.on('resumed', (payload: unknown) => {
  const resumed = record(payload);
  if (opening) {
    if (opening.caughtUp(resumed)) void open(opening);
    return;
  }
  if (resumed.complete !== false && text(resumed, 'to')) takeCursor(text(resumed, 'to'));
  connection.primed = true;
});

socket.onAny((type: string, payload: unknown) => {
  heardAt = Date.now();
  // The end of our token is no news of the team; the prompt says it.
  const isOurs = type === 'error' && TOKEN_CODES.includes(text(record(payload), 'code'));
  if (isOurs || place === null) return;
  if (opening) opening.take(type, payload);
  else takeUpdate(type, payload);
});

async function measure(): Promise<void> {
  if (!socket.connected) return;
  const from = performance.now();
  try {
    await socket.timeout(PING_PATIENCE_MS).emitWithAck('ping', { at: Date.now() });
  } catch {
    return;
  }
  if (!socket.connected) return;
  const took = performance.now() - from;
  heardAt = Date.now();
  connection.latencyMs = took;
  connection.samples = [...connection.samples, took].slice(-KEPT_SAMPLES);
  connection.transport = socket.io.engine.transport.name;
}

export function connect(): void {
  socket.connect();
  setInterval(() => void measure(), PING_EVERY_MS);
}

/** Tries again with the token that the reader typed; it is kept for this tab only. */
export function useToken(given: string): void {
  token = given.trim();
  sessionStorage.setItem(TOKEN_KEY, token);
  connection.needsToken = false;
  connection.refusal = '';
  lost();
  connection.state = 'reconnecting';
  socket.disconnect().connect();
}
