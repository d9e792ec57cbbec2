/**
 * The page's view of the server: what is asked, how often, and what the answers say of the connection. Everything is asked over
 * HTTP; an operator's requests count for `[rate_limiting]`, so all questions together stay at about seventy a minute.
 */
import { computed, reactive, ref, shallowReactive } from 'vue';
import { readAnalytics, readConnections, readParts, readRooms } from './analytics';
import type { Analytics, Connection, Part } from './analytics';
import { ask } from './ask';
import type { Outcome, Request } from './ask';
import { Poll } from './poll';
import { add } from './series';
import type { Point } from './series';
import { readAlerts, readHealth, readPerformance } from './shapes';
import type { Alerts, Health, Performance } from './shapes';
import { sentence } from './words';
import { keepToken, keptToken, mayBeAdmin } from './token';
import type { Json } from '../../state/types';

const SPAN_MS = 5 * 60_000;
const EVERY_MS = { performance: 2_000, health: 4_000, alerts: 8_000, slow: 15_000, connections: 8_000, parts: 5_000 };
/** The live connections that are asked for at once. */
const MOST_CONNECTIONS = 500;

export const session = reactive({
  access: 'asking' as 'asking' | 'in' | 'closed' | 'forbidden',
  /** The server's own words on why it told nothing. */
  sentence: '',
  code: '',
  isAway: false,
  why: '',
  /** The time at which the figures last came. */
  heardAt: 0,
  tookMs: null as number | null,
  isPaused: false,
  hasToken: false,
  /** Whether connections are listed: only admins may see them. */
  isAdmin: null as boolean | null,
});

export const figures = shallowReactive({
  performance: null as Performance | null,
  health: null as Health | null,
  alerts: null as Alerts | null,
  analytics: null as Analytics | null,
  /** Whether this server has analytics for this reader, and else why not. */
  analyticsRefused: '',
  rooms: null as { names: string[]; total: number } | null,
  parts: null as { status: string; parts: Part[] } | null,
  connections: null as { rows: Connection[]; total: number } | null,
});

export const series = shallowReactive({ events: [] as Point[], updates: [] as Point[], deliveries: [] as Point[], p95: [] as Point[], cpu: [] as Point[] });

/** The wall clock, for what is so and so long ago; it stands while nobody looks. */
export const clock = ref(Date.now());

/** The time that charts show: what is known, but no less than a minute and no more than is kept. */
export const span = computed(() => {
  const first = series.events[0]?.at ?? clock.value;
  const minutes = Math.min(SPAN_MS / 60_000, Math.max(1, Math.ceil((clock.value - first) / 60_000)));
  return { ms: minutes * 60_000, words: minutes === 1 ? 'minute' : `${minutes} minutes`, ago: `${minutes} min ago` };
});

/** Whether the figures shown may be out of date: the server is away, or it no longer tells this reader. */
export const isStale = computed(() => session.heardAt > 0 && (session.isAway || session.access !== 'in'));

let token = '';
/** The words by which live connections are narrowed, as the admin's question takes them. */
let narrowed = '';
/** Whether the other questions are asked as well: only a reader who was told the figures is let see the rest. */
let othersRun = false;

const request = (path: string, more: Partial<Request> = {}): Promise<Outcome> => ask({ path, token, ...more });

function heard(tookMs: number): void {
  const { isAway: wasAway } = session;
  Object.assign(session, { access: 'in', sentence: '', code: '', isAway: false, why: '', heardAt: Date.now(), tookMs });
  clock.value = Date.now();
  if (!othersRun) {
    othersRun = true;
    for (const poll of others) poll.start();
    // Without a token nobody is an admin, and a token that says another role would only be refused.
    session.isAdmin = mayBeAdmin(token) ? session.isAdmin : false;
    if (session.isAdmin !== false) connections.start();
  } else if (wasAway) all.forEach((poll) => poll.hurry());
}

/** Takes what concerns the whole page; true if the question is to be asked again. */
function general(outcome: Outcome): boolean {
  switch (outcome.kind) {
    case 'unauthorized':
    case 'forbidden':
      Object.assign(session, {
        access: outcome.kind === 'forbidden' ? 'forbidden' : 'closed', sentence: outcome.message, code: outcome.code, tookMs: null, isAway: false,
      });
      stopAll();
      return false;
    // A proxy without the server behind it, or an older server: it may be another one the next time.
    case 'absent':
    case 'away':
      Object.assign(session, { isAway: true, why: outcome.message, tookMs: null });
      return true;
    default:
      return true;
  }
}

function takePerformance(outcome: Outcome): boolean {
  if (outcome.kind !== 'ok') return general(outcome);
  heard(outcome.tookMs);
  const told = readPerformance(outcome.data);
  figures.performance = told;
  const at = Date.now();
  const note = (name: keyof typeof series, value: number | null): void => {
    if (value !== null) series[name] = add(series[name], { at, value }, SPAN_MS);
  };
  note('events', told.rates.events);
  note('updates', told.rates.updates);
  note('deliveries', told.rates.deliveries);
  note('p95', told.latency.p95);
  note('cpu', told.cpu);
  return true;
}

/** A question beside the main one: what it says of access and absence is left to that. */
function beside(path: string, everyMs: number, take: (data: Json) => void, more: Partial<Request> = {}): Poll {
  return new Poll(everyMs, (signal) => request(path, { signal, ...more }), (outcome) => {
    if (outcome.kind === 'ok') take(outcome.data);
    return outcome.kind !== 'absent' && outcome.kind !== 'unauthorized' && outcome.kind !== 'forbidden';
  });
}

const main = new Poll(EVERY_MS.performance, (signal) => request('api/v1/performance', { signal }), takePerformance);

const analytics = new Poll(EVERY_MS.slow, (signal) => request('api/v1/analytics', { signal }), (outcome) => {
  if (outcome.kind === 'ok') Object.assign(figures, { analytics: readAnalytics(outcome.data), analyticsRefused: '' });
  if (outcome.kind === 'forbidden' || outcome.kind === 'absent') figures.analyticsRefused = sentence(outcome.message);
  return outcome.kind === 'ok' || outcome.kind === 'away' || outcome.kind === 'limited';
});

const connections = new Poll(EVERY_MS.connections, (signal) => request(`api/v1/admin/connections?limit=${MOST_CONNECTIONS}${narrowed}`, { signal }), (outcome) => {
  if (outcome.kind === 'ok') figures.connections = readConnections(outcome.data);
  const refused = outcome.kind === 'unauthorized' || outcome.kind === 'forbidden';
  if (outcome.kind === 'ok' || refused) session.isAdmin = !refused;
  // A list that was asked for while the page is paused is asked for once.
  return !refused && outcome.kind !== 'absent' && !session.isPaused;
});

const others = [
  beside('api/v1/health', EVERY_MS.health, (data) => (figures.health = readHealth(data))),
  beside('api/v1/alerts', EVERY_MS.alerts, (data) => (figures.alerts = readAlerts(data))),
  beside('api/v1/ws/rooms', EVERY_MS.slow, (data) => (figures.rooms = readRooms(data))),
  // It is answered while the server is not ready, too, and says why.
  beside('readyz', EVERY_MS.parts, (data) => (figures.parts = readParts(data)), { alsoOk: 503 }),
  analytics,
];
const all = [main, connections, ...others];

function stopAll(): void {
  othersRun = false;
  for (const poll of all) poll.stop();
}

/** Asks while somebody looks, the reader has not paused it, and the server did not send the reader away. */
function follow(): void {
  const isWelcome = session.access === 'asking' || session.access === 'in';
  stopAll();
  if (isWelcome && !session.isPaused && !document.hidden) main.start();
}

export function setPaused(isPaused: boolean): void {
  session.isPaused = isPaused;
  follow();
}

/** Tries a token; an empty one is to be forgotten, with all that it opened. */
export function useToken(given: string): void {
  token = given;
  keepToken(given);
  session.hasToken = given !== '';
  Object.assign(session, { access: 'asking', sentence: '', code: '', isAdmin: null, isPaused: false });
  if (given === '') {
    session.heardAt = 0;
    Object.assign(figures, { performance: null, health: null, alerts: null, analytics: null, rooms: null, parts: null });
    Object.assign(series, { events: [], updates: [], deliveries: [], p95: [], cpu: [] });
  }
  Object.assign(figures, { connections: null, analyticsRefused: '' });
  follow();
}

/** Narrows the list of live connections to a user or an address. */
export function narrow(by: { user?: string; address?: string }): void {
  narrowed = new URLSearchParams({ ...by }).toString().replace(/^(?=.)/, '&');
  connections.start();
}

/** Ends a connection; the answer is the sentence of a refusal, or nothing if it has ended. */
export async function disconnect(id: string): Promise<string> {
  const outcome = await request(`api/v1/admin/connections/${encodeURIComponent(id)}`, { method: 'DELETE' });
  connections.start();
  // One that has left by itself is as gone as was wanted.
  if (outcome.kind === 'ok' || outcome.kind === 'absent') return '';
  return outcome.kind === 'dropped' ? 'The request was given up.' : outcome.message;
}

/** Lets a part be tried again at once whose breaker keeps it alone; the answer is the sentence of a refusal, or nothing. */
export async function closeBreaker(part: string): Promise<string> {
  const outcome = await request('api/v1/admin/breakers/close', { method: 'POST', body: { part } });
  if (outcome.kind === 'ok') return '';
  return outcome.kind === 'dropped' ? 'The request was given up.' : outcome.message;
}

export function begin(): void {
  token = keptToken();
  session.hasToken = token !== '';
  document.addEventListener('visibilitychange', follow);
  window.addEventListener('online', () => all.forEach((poll) => poll.hurry()));
  setInterval(() => {
    if (!document.hidden) clock.value = Date.now();
  }, 1_000);
  follow();
}
