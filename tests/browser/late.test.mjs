// A page that is opened late shows the same as one that was there from the first event on.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { LIMIT, entries, launch, open } from './page.mjs';
import { publish, startStoa } from './stoa.mjs';

let browser;
let stoa;

before(async () => {
  [browser, stoa] = await Promise.all([launch(), startStoa()]);
}, LIMIT);

after(async () => {
  await browser?.close();
  await stoa?.stop();
}, LIMIT);

const decisions = async (page) => {
  const panel = page.getByRole('region', { name: 'Decisions', exact: true });
  await panel.getByText('Use marble').waitFor();
  // The time is said as it is from now.
  return panel.getByRole('listitem').evaluateAll((rows) => rows.map((row) => [...row.querySelectorAll('.what, .why, .who span')].map((part) => part.textContent)));
};
const told = (page) => entries(page).evaluateAll((rows) => rows.map((row) => row.querySelector('.text')?.textContent ?? row.textContent));

test('the first event and what was decided are told to who comes later', LIMIT, async () => {
  const about = { project_id: 'shop' };
  const { page, troubles, close } = await open(browser, stoa.url);
  await page.getByTestId('empty').waitFor();
  await publish(stoa, { type: 'project.created', ...about, data: { project_id: 'shop', project_name: 'The new shop' } });
  // A project in which nothing goes on yet is shown.
  await page.locator('[data-testid=hub-node][data-project-id=shop]').waitFor();
  await page.getByTestId('hub-label').filter({ hasText: 'The new shop' }).waitFor();
  await publish(
    stoa,
    { type: 'agent.registered', ...about, data: { agent_id: 'writer', agent_name: 'Wanda' } },
    { type: 'decision.logged', ...about, data: { agent_id: 'writer', decision_id: 'd1', what: 'Use marble', why: 'It lasts' } },
  );
  const live = await decisions(page);
  assert.deepEqual(live, [['Use marble', 'It lasts', 'Wanda']]);
  await entries(page).nth(2).waitFor();
  const before = await told(page);
  assert.equal(before.length, 3);
  await page.reload();
  await entries(page).nth(2).waitFor();
  assert.deepEqual(await told(page), before);
  // More than the page looks back: a decision keeps its agent and its project.
  await publish(stoa, ...Array.from({ length: 300 }, (_, n) => ({ type: 'task.progress', ...about, data: { task_id: `t${n}`, progress: 40 } })));
  await page.reload();
  assert.deepEqual(await decisions(page), live);
  assert.deepEqual(troubles, []);
  await close();
});
