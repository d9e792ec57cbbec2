// A page that is opened after something happened: it tells of it, and shows how things stand now.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { LIMIT, agent, animated, entries, launch, open } from './page.mjs';
import { publish, startStoa } from './stoa.mjs';

let browser;
let stoa;

before(async () => {
  [browser, stoa] = await Promise.all([launch(), startStoa()]);
  const about = { agent_id: 'early', task_id: 'hew', task_name: 'Hew a column' };
  await publish(
    stoa,
    { type: 'agent_registered', data: { agent_id: 'early', name: 'Chloe' } },
    { type: 'decision_logged', data: { agent_id: 'early', decision_id: 'd0', what: 'Use limestone', why: 'It is near' } },
    // More than the page looks back: what was decided before is kept none the less.
    ...Array.from({ length: 300 }, (_, n) => ({ type: 'task_progress', data: { ...about, progress: n / 4 } })),
    { type: 'decision_logged', data: { agent_id: 'early', decision_id: 'd1', what: 'Use marble', why: 'It lasts' } },
    { type: 'agent.message.appended', data: { agent_id: 'early', run_id: 'r1', message_id: 'm1', role: 'assistant', content: 'Live according ' } },
    { type: 'agent.message.appended', data: { agent_id: 'early', run_id: 'r1', message_id: 'm1', role: 'assistant', content: 'to nature' } },
    { type: 'agent_status_changed', data: { agent_id: 'early', old_status: 'idle', new_status: 'blocked' } },
    { type: 'task_completed', data: about },
    { type: 'agent_status_changed', data: { agent_id: 'early', old_status: 'blocked', new_status: 'idle' } },
  );
}, LIMIT);

after(async () => {
  await browser?.close();
  await stoa?.stop();
}, LIMIT);

/** Checks that the past is told once, and that the state is the last one. */
async function toldOnce(page) {
  await entries(page).filter({ hasText: 'Chloe finished “Hew a column”' }).waitFor();
  await entries(page).filter({ hasText: 'Use marble' }).waitFor();
  const panel = (name) => page.getByRole('region', { name, exact: true });
  await panel('Decisions').getByText('Use marble').waitFor();
  await panel('Decisions').getByText('Use limestone').waitFor();
  assert.equal(await panel('Decisions').getByRole('listitem').count(), 2);
  assert.equal(await page.getByTestId('message').locator('.content').textContent(), 'Live according to nature');
  await page.locator('[data-testid=agent-node][data-agent-id=early][data-status=idle]').waitFor({ state: 'attached' });
  assert.equal(await page.locator('[data-task-id=hew][data-status=done]').count(), 1);
}

test('who comes when all is over reads what happened, and nothing moves for it', LIMIT, async () => {
  const { page, troubles, close } = await open(browser, stoa.url);
  await toldOnce(page);
  assert.equal(await agent(page, 'early').getAttribute('data-anim-count'), '0');
  await page.reload();
  await toldOnce(page);
  assert.deepEqual(troubles, []);
  await close();
});

test('from there on it is live', LIMIT, async () => {
  const { page, close } = await open(browser, stoa.url);
  await toldOnce(page);
  await publish(
    stoa,
    { type: 'agent.message.appended', data: { agent_id: 'early', run_id: 'r1', message_id: 'm1', role: 'assistant', content: ', they say' } },
    { type: 'agent_status_changed', data: { agent_id: 'early', old_status: 'idle', new_status: 'working' } },
  );
  await animated(page, 'early', 'working', 0);
  await page.getByTestId('message').filter({ hasText: /Live according to nature, they say$/ }).waitFor();
  await entries(page).filter({ hasText: 'Chloe is working' }).waitFor();
  assert.equal(await entries(page).filter({ hasText: 'Chloe is working' }).count(), 1);
  const stats = await (await fetch(`${stoa.url}/api/v1/ws/stats`)).json();
  assert.equal(stats.total_connections, 1, 'the connection that asked where to begin is gone');
  await close();
});
