/**
 * One picture: a page that watched a stream shows what a page shows that is opened at its end. Against a real server, with the
 * page's own reducer: what is folded live is held against the server's snapshot, all of it but what only one of the two can know.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { io, type Socket } from 'socket.io-client';
// @ts-expect-error: written for plain Node.
import { PATIENCE_MS, publish, startStoa } from '../../tests/js/server.mjs';
import { isNews } from '../src/state/families';
import { applyUpdate } from '../src/state/reduce';
import { Parts, applySnapshot, emptyState } from '../src/state/snapshot';
import { text } from '../src/state/read';
import type { State, Thing } from '../src/state/types';
import { REAL, random, real, type Event } from './streams';

const LIMIT = 240_000;
const BATCH = 200;

interface Server {
  url: string;
  stop(): Promise<void>;
}

/** A page without its looks: the state that it would show. */
class Page {
  readonly state: State = emptyState();
  private readonly parts = new Parts();
  private readonly socket: Socket;
  private heard: () => void = () => {};
  private ready = false;

  constructor(url: string) {
    this.socket = io(url, { transports: ['websocket'], forceNew: true, reconnection: false, auth: { snapshot: true } });
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
      const late = setTimeout(() => reject(new Error(`${what}: it did not come; the page is at ${this.state.cursor}`)), PATIENCE_MS);
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

/**
 * All that the page shows of its things. Left out: what runs say of themselves beyond what is read off it, and whether an agent was
 * given a task since it spoke, of which only its status is shown. When a run began is told by the server of the events that a reader
 * may see together, which its updates cannot say; and reports on a project that are coalesced have the time of the last, also where an
 * earlier one told its risk.
 */
function shown(state: State): Record<string, unknown> {
  const of = (things: Map<string, Thing>, withFacts: boolean): Record<string, unknown> =>
    Object.fromEntries([...things].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, { facts, ...thing }]) => [key, { ...thing, facts: withFacts ? facts : {}, busy: undefined, startedAt: undefined }]));
  return {
    agents: of(state.agents, true), tasks: of(state.tasks, true), projects: of(state.projects, true), runs: of(state.runs, false),
    health: state.health && { ...state.health, at: 0 },
  };
}

/** Publishes the stream, and gives the place at its end. */
async function tell(server: Server, events: Event[]): Promise<string> {
  for (let i = 0; i < events.length; i += BATCH) await publish(server.url, events.slice(i, i + BATCH));
  const { body } = await publish(server.url, [{ type: 'picture.end', data: {} }]);
  return text(body, 'cursor');
}

async function same(server: Server, pages: Page[], events: Event[]): Promise<void> {
  const end = await tell(server, events);
  for (const page of pages) await page.until(`the end of the stream, ${end}`, () => page.state.cursor === end);
  const reloaded = await new Page(server.url).open();
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
      await same(server, [page], real(name));
      expect(page.state.seen).toBeGreaterThan(0);
    } finally {
      page.close();
      await server.stop();
    }
  });
});

describe('random streams', () => {
  const STREAMS = 200;
  let server: Server;
  /** It is there from the beginning to the end. */
  let first: Page;

  beforeAll(async () => {
    server = (await startStoa()) as Server;
    first = await new Page(server.url).open();
  }, LIMIT);
  afterAll(async () => {
    first?.close();
    await server?.stop();
  }, LIMIT);

  it.each(Array.from({ length: STREAMS }, (_, seed) => seed + 1))('of seed %i', { timeout: LIMIT }, async (seed) => {
    // One that is opened in the middle of all.
    const fresh = await new Page(server.url).open();
    try {
      await same(server, [first, fresh], random(seed));
    } finally {
      fresh.close();
    }
  });
});
