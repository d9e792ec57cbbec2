// The parts that the tests of Seneca's pages share: a Stoa for each, and the sums of the recorded run.
import assert from 'node:assert/strict';
import test from 'node:test';
import { LIMIT, startStoa } from './server.mjs';
import { conversations } from './seneca-lines.mjs';
import { VueUi } from './seneca-vue.mjs';

/** An agent of the story and of the run. */
export const AGENT = 'agent_backend_1';
/** The run's project. */
export const PROJECT = 'ce517e104762ce7ff5c06a0f8ffda938';
/** The run's agents. */
export const agents = [...new Set(conversations.map((line) => line.worker_id).filter(Boolean))].sort();
/** The run's decisions. */
export const decisions = conversations.filter((line) => line.event === 'pm_decision');
/** The average confidence. */
export const confidence = decisions.reduce((sum, line) => sum + line.confidence_score, 0) / decisions.length;

/** A test with a Stoa of its own; what it gives to `keep` is closed at the end. */
export function page(name, body, options) {
  test(name, LIMIT, async () => {
    const stoa = await startStoa(options);
    const open = [];
    const keep = (one) => {
      open.push(one);
      return one;
    };
    try {
      await body(stoa, keep);
    } finally {
      open.forEach((one) => one.close());
      await stoa.stop();
    }
  });
}

/** The Vue UI, subscribed. */
export async function openVue(stoa, keep) {
  const ui = keep(new VueUi(stoa.url));
  await ui.until('the subscription', () => ui.confirmed.length === 1);
  assert.equal(ui.confirmed[0].type, 'conversations');
  assert.equal(ui.confirmed[0].status, 'active');
  return ui;
}
