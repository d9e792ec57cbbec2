// What `stoa.watch()` told of teams of several frameworks, in a real browser: the page shows them while it comes, and the same after a reload.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { picture } from './looks.mjs';
import { LIMIT, agent, connection, launch, open } from './page.mjs';
import { publish, startStoa } from './stoa.mjs';

const DATA = fileURLToPath(new URL('../data/watched/', import.meta.url));
/** Each team, with the agents that its stage has at the end. */
const TEAMS = {
  langgraph: ['planner', 'researcher', 'writer', 'editor', 'publisher', 'breaker'],
  openai_agents: ['Triage', 'Translator', 'Clerk', 'Asker'],
  llama_index: ['planner', 'hotels', 'lead', 'helper'],
};

let browser;
before(async () => {
  browser = await launch();
}, LIMIT);
after(() => browser?.close(), LIMIT);

const statuses = (page) =>
  page.$$eval('[data-testid=agent-node]', (nodes) => Object.fromEntries(nodes.map(({ dataset }) => [dataset.agentId, dataset.status]).sort()));

for (const [team, names] of Object.entries(TEAMS)) {
  test(`a team of ${team} is seen at work, and the same after a reload`, LIMIT, async () => {
    const stoa = await startStoa();
    const { page, troubles, close } = await open(browser, stoa.url);
    try {
      await connection(page, 'connected');
      const events = (await readFile(`${DATA}${team}.jsonl`, 'utf8')).trim().split('\n').map((line) => JSON.parse(line));
      for (let from = 0; from < events.length; from += 20) await publish(stoa, ...events.slice(from, from + 20));
      for (const name of names) await agent(page, `team:${name}`).waitFor({ state: 'attached' });
      const { agents } = await (await fetch(`${stoa.url}/api/v1/state`)).json();
      const ids = Object.keys(agents).sort();
      await page.waitForFunction(
        (count) => {
          const nodes = [...document.querySelectorAll('[data-testid=agent-node]')];
          return nodes.length === count && nodes.every(({ dataset }) => dataset.status === 'idle');
        },
        ids.length,
      );
      const live = await statuses(page);
      assert.equal(Object.keys(live).length, ids.length);
      await picture(page, `watched-${team}`);
      await page.reload();
      await connection(page, 'connected');
      for (const name of names) await agent(page, `team:${name}`).waitFor({ state: 'attached' });
      await page.waitForFunction((count) => document.querySelectorAll('[data-testid=agent-node]').length === count, ids.length);
      assert.deepEqual(await statuses(page), live);
      assert.deepEqual(troubles, []);
    } finally {
      await close();
      await stoa.stop();
    }
  });
}
