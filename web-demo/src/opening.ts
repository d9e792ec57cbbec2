/**
 * The first moments of a page: what happened before it was opened, and the state to tell it with.
 *
 * The server replays the last updates and goes live. Replayed, they are news of the past: they fill the feed, the decisions
 * and the messages, but the state is the server's own, which is asked for once the replay is over. What comes live until
 * that answer is here is held, and folded on top of it: whatever of it the state knows already, the last word stays the last.
 */
import { text } from './state/read';
import type { Json, Update } from './state/types';

/** So many events back the page begins: about what the feed shows, and little to send. */
export const PAST_EVENTS = 200;
/** And so many decisions, however long ago. */
export const PAST_DECISIONS = 20;
/** Fits no update: a connection that only asks for the place to begin is told nothing, so that nothing comes twice. */
export const NOTHING = { types: ['nothing-yet'] };

export class Opening {
  /** The replayed updates. */
  readonly past: Update[] = [];
  /** The live updates since then. */
  readonly held: Update[] = [];
  /** The place up to which it was replayed; empty while it is not over. */
  to = '';

  take(type: string, payload: unknown): void {
    (this.to ? this.held : this.past).push([type, payload]);
  }

  /** The replay is over; false if the server had to leave something out and sends the state by itself. */
  caughtUp(resumed: Json): boolean {
    if (resumed.complete === false) return false;
    this.to = text(resumed, 'to');
    return this.to !== '';
  }
}
