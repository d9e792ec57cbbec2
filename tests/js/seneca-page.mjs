// The common parts of Seneca's pages: a socket, handlers whose errors are kept, and a screen that notices blanks.
import assert from 'node:assert/strict';
import { PATIENCE_MS } from './server.mjs';

/** A page without a browser: it listens as the page does, and prints what the page's templates print. */
export class Page {
  /** The number of times that each event came. */
  received = {};
  /** Errors that would have gone to the browser's console, and left the page as it was. */
  thrown = [];
  /** Places on the screen that would be blank, or read `undefined` or `NaN`. */
  faults = [];
  #waiting = new Set();

  constructor(socket) {
    this.socket = socket;
    // Also what only a test listens to.
    socket.onAny(() => this.#changed());
  }

  /** Looks again, once every handler of what came has run. */
  #changed() {
    queueMicrotask(() => {
      for (const look of [...this.#waiting]) look();
    });
  }

  /** `socket.on`, as the page calls it. */
  listen(name, handler) {
    this.socket.on(name, (payload) => {
      this.received[name] = (this.received[name] ?? 0) + 1;
      this.attempt(name, payload, handler);
      this.#changed();
    });
  }

  attempt(what, payload, act) {
    try {
      return act(payload);
    } catch (error) {
      this.thrown.push(`${what}: ${error.message}, given ${JSON.stringify(payload)}`);
      return undefined;
    }
  }

  /** A template of the page: its text, after a look at every value in it. */
  print(parts, ...values) {
    let text = parts[0];
    values.forEach((value, at) => {
      const blank = value === undefined || value === null || value === '' || Number.isNaN(value);
      text += value !== null && typeof value === 'object' ? JSON.stringify(value) : String(value);
      text += parts[at + 1];
      if (blank) this.faults.push(`${parts.join('…').trim()}: value ${at + 1} is ${value === '' ? 'empty' : value}`);
    });
    if (/\bundefined\b|\bNaN\b|Invalid Date/.test(text)) this.faults.push(text);
    return text;
  }

  /** Waits until the page is so; looked at whenever something came. */
  until(what, holds) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = holds();
        if (!found) return;
        clearTimeout(late);
        this.#waiting.delete(look);
        resolve(found);
      };
      const late = setTimeout(() => {
        this.#waiting.delete(look);
        const state = JSON.stringify({ received: this.received, thrown: this.thrown.slice(0, 3) });
        reject(new Error(`never came: ${what}; so far ${state}`));
      }, PATIENCE_MS);
      this.#waiting.add(look);
      look();
    });
  }

  close() {
    this.socket.close();
  }
}

/** Nothing threw, and nothing on the screens was blank or no number. */
export function assertSound(...pages) {
  const some = (lists) => [...new Set(lists.flat())].slice(0, 8);
  assert.deepEqual({
    thrown: some(pages.map((page) => page.thrown)),
    faults: some(pages.map((page) => page.faults)),
  }, { thrown: [], faults: [] });
}

/** Does it again until it holds: what is asked for by REST may be of a moment ago. */
export async function eventually(act) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** A GET of the page. */
export async function get(url, path) {
  const response = await fetch(`${url}${path}`);
  return { status: response.status, body: await response.json() };
}
