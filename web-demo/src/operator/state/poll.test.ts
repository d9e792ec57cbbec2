import { describe, expect, it } from 'vitest';
import type { Outcome } from './ask';
import { Poll, backoff } from './poll';

/** A clock that a test moves, and a server whose answers it chooses. */
function table() {
  const waits: { act: () => void; ms: number }[] = [];
  const answers: ((outcome: Outcome) => void)[] = [];
  const taken: Outcome[] = [];
  const signals: AbortSignal[] = [];
  const rule = { goesOn: true };
  const poll = new Poll(
    1_000,
    (signal) => {
      signals.push(signal);
      return new Promise((answer) => answers.push(answer));
    },
    (outcome) => {
      taken.push(outcome);
      return rule.goesOn;
    },
    { set: (act, ms) => waits.push({ act, ms }), clear: () => waits.splice(0), random: () => 1 },
  );
  return {
    poll, taken, rule, waits, signals,
    asked: () => answers.length,
    async answer(outcome: Outcome) {
      answers.at(-1)?.(outcome);
      await Promise.resolve();
      await Promise.resolve();
    },
    next: () => waits.shift()?.act(),
  };
}

const ok: Outcome = { kind: 'ok', data: {}, tookMs: 1 };
const away: Outcome = { kind: 'away', message: 'nobody' };

describe('a figure that is asked for again and again', () => {
  it('waits its time after an answer', async () => {
    const t = table();
    t.poll.start();
    expect(t.asked()).toBe(1);
    await t.answer(ok);
    expect(t.waits.map(({ ms }) => ms)).toEqual([1_000]);
    t.next();
    expect(t.asked()).toBe(2);
  });

  it('waits longer each time that nobody answers, and its time again after an answer', async () => {
    const t = table();
    t.poll.start();
    const waits: number[] = [];
    for (const outcome of [away, away, away, ok, away]) {
      await t.answer(outcome);
      waits.push(t.waits[0]?.ms ?? NaN);
      t.next();
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 1_000, 1_000]);
  });

  it('is slower for good after a refusal for too many requests, and waits as long as it is told', async () => {
    const t = table();
    t.poll.start();
    await t.answer({ kind: 'limited', waitMs: 7_000, message: '' });
    expect(t.waits[0]?.ms).toBe(7_000);
    t.next();
    await t.answer(ok);
    expect(t.waits[0]?.ms).toBe(2_000);
  });

  it('ends when its taker says so, and begins again when it is begun', async () => {
    const t = table();
    t.rule.goesOn = false;
    t.poll.start();
    await t.answer(ok);
    expect(t.waits).toEqual([]);
    t.poll.hurry();
    expect(t.asked()).toBe(1);
    t.poll.start();
    expect(t.asked()).toBe(2);
  });

  it('takes no answer to a question from before it was stopped or begun anew', async () => {
    const t = table();
    t.poll.start();
    t.poll.stop();
    expect(t.signals[0]?.aborted).toBe(true);
    await t.answer(ok);
    expect([t.taken, t.waits]).toEqual([[], []]);
    t.poll.start();
    t.poll.start();
    await t.answer(ok);
    expect([t.taken.length, t.waits.length]).toEqual([1, 1]);
  });

  it('hurries only if the last question found nobody', async () => {
    const t = table();
    t.poll.start();
    await t.answer(ok);
    t.poll.hurry();
    expect(t.asked()).toBe(1);
    t.next();
    await t.answer(away);
    t.poll.hurry();
    expect(t.asked()).toBe(3);
    expect(t.waits).toEqual([]);
  });

  it('never waits longer than half a minute', () => {
    expect(backoff(2_000, 100, 1)).toBe(30_000);
    expect(backoff(2_000, 100, 0)).toBe(22_500);
  });
});
