/** One figure of the server that is asked for again and again: slower while it fails, and not at all while nobody looks. */
import type { Outcome } from './ask';

const MOST_WAIT_MS = 30_000;
/** A server that counts requests is asked so much more slowly after each refusal, up to the last factor. */
const MOST_SLOWER = 8;

export interface Timers {
  set: (act: () => void, ms: number) => unknown;
  clear: (timer: unknown) => void;
  /** A number from 0 to 1, so that many pages do not come back in the same moment. */
  random: () => number;
}

const timers: Timers = {
  set: (act, ms) => setTimeout(act, ms),
  clear: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
  random: Math.random,
};

/** The wait before a server that did not answer so many times in a row is asked again: twice as long each time. */
export function backoff(everyMs: number, failures: number, random: number): number {
  const wait = Math.min(MOST_WAIT_MS, everyMs * 2 ** Math.min(failures, 16));
  return wait * (0.75 + random / 4);
}

export class Poll {
  private failures = 0;
  private slower = 1;
  private isOn = false;
  private running: AbortController | null = null;
  private timer: unknown = null;
  /** Counts beginnings and ends: an answer to a question from before the last of them counts for nothing. */
  private era = 0;

  constructor(
    private readonly everyMs: number,
    private readonly ask: (signal: AbortSignal) => Promise<Outcome>,
    /** Takes the outcome; `false` ends the asking until it is begun again. */
    private readonly take: (outcome: Outcome) => boolean,
    private readonly by: Timers = timers,
  ) {}

  /** Begins, or begins anew: the next question is asked at once. */
  start(): void {
    this.stop();
    this.failures = 0;
    this.isOn = true;
    void this.turn();
  }

  stop(): void {
    this.era += 1;
    this.isOn = false;
    this.running?.abort();
    this.running = null;
    this.by.clear(this.timer);
    this.timer = null;
  }

  /** Waits no longer if the last question found no server: another question was just answered. */
  hurry(): void {
    if (this.isOn && this.failures > 0 && this.running === null) this.start();
  }

  private async turn(): Promise<void> {
    const { era } = this;
    const running = new AbortController();
    this.running = running;
    const outcome = await this.ask(running.signal);
    if (this.era !== era) return;
    this.running = null;
    const wait = this.wait(outcome);
    const goesOn = this.take(outcome);
    // The outcome may have begun or ended the asking by itself.
    if (this.era !== era) return;
    if (goesOn) this.timer = this.by.set(() => void this.turn(), wait);
    else this.isOn = false;
  }

  private wait(outcome: Outcome): number {
    if (outcome.kind === 'away') {
      this.failures += 1;
      return backoff(this.everyMs, this.failures - 1, this.by.random());
    }
    this.failures = 0;
    if (outcome.kind === 'limited') {
      this.slower = Math.min(MOST_SLOWER, this.slower * 2);
      return Math.max(outcome.waitMs, this.everyMs * this.slower);
    }
    return this.everyMs * this.slower;
  }
}
