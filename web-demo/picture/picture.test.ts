/**
 * One picture: a page that watched a stream shows what a page shows that is opened at its end. Against a real server, with the
 * page's own reducer: what is folded live is held against the server's snapshot, all of it but what only one of the two can know.
 */
import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { io, type Socket } from 'socket.io-client';
// @ts-expect-error: written for plain Node.
import { PATIENCE_MS, publish, startStoa } from '../../tests/js/server.mjs';
import { isNews } from '../src/state/families';
import { applyUpdate } from '../src/state/reduce';
import { Parts, applySnapshot, emptyState } from '../src/state/snapshot';
import { text } from '../src/state/read';
import type { State } from '../src/state/types';
import { REAL, WATCHED, random, real, watched, type Told } from './streams';

const LIMIT = 240_000;
/** Events in a request of a program that sends many at once. */
const MANY = 200;
/** Events in a request, by turns: windows end between small ones. */
const BATCHES = [MANY, 1, 3];
const SECRET = 'a secret of this test alone, long enough';

interface Server {
  url: string;
  stop(): Promise<void>;
}

/** The words of those who say who they are; none where nobody is asked. */
interface Tokens {
  reader?: string;
  producer?: string;
  /** Of one who speaks for its projects only. */
  limited?: string;
}

function token(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ exp: Math.floor(Date.now() / 1000) + 3600, ...claims })}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}

/** A page without its looks: the state that it would show. */
class Page {
  readonly state: State = emptyState();
  private readonly parts = new Parts();
  private readonly socket: Socket;
  private heard: () => void = () => {};
  private ready = false;
  private trouble = '';

  constructor(url: string, token?: string) {
    this.socket = io(url, { transports: ['websocket'], forceNew: true, reconnection: false, auth: { snapshot: true, ...(token ? { token } : {}) } });
    this.socket.on('connect_error', (error: Error) => {
      this.trouble = error.message;
    });
    this.socket.on('snapshot', (payload: unknown) => {
      const whole = this.parts.add(payload);
      if (!whole) return;
      applySnapshot(this.state, whole, 0);
      this.ready = true;
      this.heard();
    });
    this.socket.onAny((type: string, payload: unknown) => {
      if (this.ready && isNews(type)) applyUpdate(this.state, type, payload, 0);
      this.heard();
    });
  }

  /** Waits until this is so; it is asked again whenever something was heard. */
  async until(what: string, isSo: () => boolean): Promise<void> {
    if (isSo()) return;
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${what}: it did not come; the page is at ${this.state.cursor} ${this.trouble}`)), PATIENCE_MS);
      this.heard = () => {
        if (!isSo()) return;
        clearTimeout(late);
        this.heard = () => {};
        resolve();
      };
    });
  }

  async open(): Promise<this> {
    await this.until('the snapshot', () => this.ready);
    return this;
  }

  close(): void {
    this.socket.disconnect();
  }
}

/** All that the page knows of its things. */
function shown(state: State): Record<string, unknown> {
  const of = (things: Map<string, unknown>): Record<string, unknown> => Object.fromEntries([...things].sort(([a], [b]) => (a < b ? -1 : 1)));
  return {
    agents: of(state.agents), tasks: of(state.tasks), projects: of(state.projects), runs: of(state.runs), inputs: of(state.inputs), artifacts: of(state.artifacts), health: state.health,
    projectHealth: of(state.projectHealth),
  };
}

async function post(server: Server, events: object[], token?: string): Promise<string> {
  const { status, body } = await publish(server.url, events, token);
  // Some of what real producers write is no event.
  expect([202, 400], JSON.stringify(body)).toContain(status);
  return text(body, 'cursor');
}

/** Publishes the stream, and gives the place at its end. */
async function tell(server: Server, stream: Told[], tokens: Tokens, batch: number): Promise<string> {
  for (let from = 0, to = 0; from < stream.length; from = to) {
    const limited = stream[from]?.limited ?? false;
    while (to < stream.length && to < from + batch && stream[to]?.limited === limited) to += 1;
    await post(server, stream.slice(from, to).map(({ event }) => event), limited ? tokens.limited : tokens.producer);
  }
  return post(server, [{ type: 'picture.end', data: {} }], tokens.producer);
}

async function same(server: Server, pages: Page[], stream: Told[], tokens: Tokens = {}, batch = MANY): Promise<void> {
  const end = await tell(server, stream, tokens, batch);
  for (const page of pages) await page.until(`the end of the stream, ${end}`, () => page.state.cursor === end);
  const reloaded = await new Page(server.url, tokens.reader).open();
  // A large state is written aside: what came meanwhile follows it.
  await reloaded.until(`the end of the stream, ${end}`, () => reloaded.state.cursor === end);
  const wanted = shown(reloaded.state);
  reloaded.close();
  for (const page of pages) expect(shown(page.state)).toEqual(wanted);
}

describe('the streams of real producers', () => {
  it.each(REAL)('%s', { timeout: LIMIT }, async (name) => {
    const server = (await startStoa()) as Server;
    const page = await new Page(server.url).open();
    try {
      await same(server, [page], real(name).map((event) => ({ event, limited: false })));
      expect(page.state.seen).toBeGreaterThan(0);
    } finally {
      page.close();
      await server.stop();
    }
  });
});

describe('the streams of stoa.watch()', () => {
  let server: Server;
  let page: Page;
  beforeAll(async () => {
    server = (await startStoa()) as Server;
    page = await new Page(server.url).open();
  }, LIMIT);
  afterAll(async () => {
    page?.close();
    await server?.stop();
  }, LIMIT);

  it.each(WATCHED)('%s', { timeout: LIMIT }, async (name) => {
    const before = page.state.seen;
    await same(server, [page], watched(name).map((event) => ({ event, limited: false })));
    expect(page.state.seen).toBeGreaterThan(before);
  });
});

describe('random streams', () => {
  const STREAMS = 80;
  const tokens = { reader: token({ sub: 'ann', role: 'admin' }), producer: token({ sub: 'team', role: 'producer' }), limited: token({ sub: 'tenant', role: 'producer', projects: ['p*', 'q*'] }) };
  let server: Server;
  /** It is there from the beginning to the end. */
  let first: Page;

  beforeAll(async () => {
    server = (await startStoa({ env: { STOA_AUTHENTICATION__REQUIRED: 'true', STOA_AUTHENTICATION__SECRET: SECRET, STOA_TRANSFORM__THROTTLE_MS: '10', STOA_TRANSFORM__USAGE_THROTTLE_MS: '20' } })) as Server;
    first = await new Page(server.url, tokens.reader).open();
  }, LIMIT);
  afterAll(async () => {
    first?.close();
    await server?.stop();
  }, LIMIT);

  it.each(Array.from({ length: STREAMS }, (_, seed) => seed + 1))('of seed %i', { timeout: LIMIT }, async (seed) => {
    // One that is opened in the middle of all.
    const fresh = await new Page(server.url, tokens.reader).open();
    try {
      await same(server, [first, fresh], random(seed), tokens, BATCHES[seed % BATCHES.length]);
    } finally {
      fresh.close();
    }
  });
});
