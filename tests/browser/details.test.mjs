// The details of everything that can be opened: events, agents, tasks, projects, runs; by pointer, by keyboard and by
// address.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fingers, fits, grave, picture } from './looks.mjs';
import { LIMIT, agent, connection, entries, launch, open } from './page.mjs';
import { publish, startStoa } from './stoa.mjs';

let browser;
let stoa;

const project_id = 'shop';
const run = (type, data) => ({ type, project_id, data: { execution_id: 'x1', name: 'Nightly build', agent_id: 'ada', ...data } });

before(async () => {
  [browser, stoa] = await Promise.all([launch(), startStoa()]);
  await publish(
    stoa,
    { type: 'project.created', project_id, data: { project_name: 'Checkout', total_tasks: 3 } },
    { type: 'agent.registered', project_id, data: { agent_id: 'ada', name: 'Ada', role: 'Architect' } },
    { type: 'task.assigned', project_id, data: { agent_id: 'ada', task_id: 't7', task_name: 'Paint the porch' } },
    { type: 'blocker.reported', project_id, data: { agent_id: 'ada', task_id: 't7', description: 'The paint is out' } },
    { type: 'llm.call.finished', project_id, data: { agent_id: 'ada', model: 'big-4', tokens: 1200, cost: 0.02 } },
    { type: 'my_chat_message', data: { text: 'Hello <b>there</b>' } },
    { type: 'task.created', project_id: 'unnamed-project', data: { task_id: 'T9' } },
    run('workflow.run.started', {}),
    run('workflow.node.started', { node_id: 'fetch', node_name: 'Fetch' }),
    run('workflow.node.completed', { node_id: 'fetch', node_name: 'Fetch' }),
    run('workflow.node.started', { node_id: 'compile', node_name: 'Compile' }),
    run('workflow.run.progress', { progress: 40, usage: { input_tokens: 200, output_tokens: 100 } }),
  );
}, LIMIT);

after(async () => {
  await browser?.close();
  await stoa?.stop();
}, LIMIT);

const details = (page, kind) => page.locator(`[data-testid=details][data-kind=${kind}]`);

async function ready(page) {
  await connection(page, 'connected');
  await entries(page).filter({ hasText: 'Hello' }).waitFor();
}

test('an event tells what was published, and opens to all of it', LIMIT, async () => {
  const { page, troubles, close } = await open(browser, stoa.url, { permissions: ['clipboard-read', 'clipboard-write'] });
  await ready(page);
  await entries(page).filter({ hasText: 'The paint is out' }).waitFor();
  await entries(page).filter({ hasText: 'Hello <b>there</b>' }).waitFor();
  await entries(page).filter({ hasText: 'T9' }).waitFor();
  const call = entries(page).filter({ hasText: 'Llm call finished' });
  assert.match(await call.textContent(), /big-4/);
  assert.match(await call.textContent(), /tokens 1200/);

  await call.getByRole('button').click();
  const panel = details(page, 'event');
  await panel.waitFor();
  const json = JSON.parse(await panel.locator('pre').textContent());
  assert.deepEqual([json.data.tokens, json.source_type], [1200, 'llm.call.finished']);
  assert.ok((await panel.textContent()).includes(json.id));
  assert.match(page.url(), /#open=event&id=/);
  // The focus is in the panel, and back where it was once that is closed.
  await page.waitForFunction(() => document.activeElement?.id === 'details-title');
  await panel.getByTestId('copy').click();
  await panel.getByRole('button', { name: 'Copied' }).waitFor();
  assert.deepEqual(JSON.parse(await page.evaluate(() => navigator.clipboard.readText())), json);
  await page.keyboard.press('Escape');
  await panel.waitFor({ state: 'detached' });
  assert.ok(await page.evaluate(() => document.activeElement?.textContent.includes('Llm call finished')), 'the focus is lost');
  assert.deepEqual(troubles, []);
  await close();
});

test('what was published is text wherever it is shown', LIMIT, async () => {
  const { page, troubles, close } = await open(browser, stoa.url);
  await ready(page);
  await entries(page).filter({ hasText: 'Hello' }).getByRole('button').click();
  const panel = details(page, 'event');
  await panel.locator('pre').filter({ hasText: 'Hello <b>there</b>' }).waitFor();
  await panel.getByRole('heading', { name: 'My chat message: Hello <b>there</b>' }).waitFor();
  assert.equal(await page.evaluate(() => [...document.querySelectorAll('b')].filter((element) => element.textContent === 'there').length), 0);
  assert.deepEqual(troubles, []);
  await close();
});

test('from row to row with the arrow keys, and from event to event in the panel', LIMIT, async () => {
  const { page, close } = await open(browser, stoa.url);
  await ready(page);
  const buttons = entries(page).getByRole('button');
  await buttons.first().focus();
  await page.keyboard.press('ArrowDown');
  const second = await buttons.nth(1).textContent();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), second);
  assert.equal(await entries(page).locator('button[tabindex="0"]').count(), 1);
  await page.keyboard.press('Enter');
  const title = page.locator('#details-title');
  const before = await title.textContent();
  await page.getByTestId('older').click();
  await page.waitForFunction((text) => document.querySelector('#details-title').textContent !== text, before);
  await close();
});

test('an event is found again by its address, also after it left the feed', LIMIT, async () => {
  const { page, close } = await open(browser, stoa.url);
  await ready(page);
  await entries(page).filter({ hasText: 'Llm call finished' }).getByRole('button').click();
  await details(page, 'event').locator('pre').waitFor();
  await page.reload();
  await details(page, 'event').locator('pre').filter({ hasText: 'big-4' }).waitFor();
  await close();
});

test('an agent opens, is marked, and leads to its task and project', LIMIT, async () => {
  const { page, troubles, close } = await open(browser, stoa.url);
  await ready(page);
  await agent(page, 'ada').click();
  const panel = details(page, 'agent');
  await panel.getByText('· Architect').waitFor();
  await page.locator('[data-agent-id=ada].selected').waitFor({ state: 'attached' });
  await panel.locator('pre').filter({ hasText: '"agent_id": "ada"' }).waitFor();
  assert.match(page.url(), /open=agent&id=ada&of=shop/);
  await panel.getByRole('button', { name: 'Paint the porch blocked', exact: true }).click();
  const task = details(page, 'task');
  await task.locator('.blocker').filter({ hasText: 'The paint is out' }).waitFor();
  await task.getByRole('button', { name: 'Project Checkout' }).click();
  await details(page, 'project').getByText('0 done').waitFor();
  await page.getByTestId('details-close').click();
  await page.getByTestId('details').waitFor({ state: 'detached' });

  await page.locator('[data-testid=task-node][data-task-id=t7]').click();
  await details(page, 'task').waitFor();
  assert.deepEqual(troubles, []);
  await close();
});

test('a run has an inside, which grows while one looks', LIMIT, async () => {
  const { page, close } = await open(browser, stoa.url);
  await ready(page);
  const row = page.locator('[data-testid=run][data-run-id=x1]');
  await row.filter({ hasText: 'Ada' }).filter({ hasText: 'Checkout' }).click();
  const panel = details(page, 'run');
  const steps = panel.getByTestId('run-step');
  await steps.filter({ hasText: 'Fetch' }).waitFor();
  await steps.filter({ hasText: 'Compile' }).filter({ hasText: 'running' }).waitFor();
  await panel.getByRole('definition').filter({ hasText: /^300$/ }).waitFor();
  await publish(stoa, run('workflow.node.completed', { node_id: 'compile', node_name: 'Compile' }), run('workflow.node.started', { node_id: 'ship', node_name: 'Ship' }));
  await steps.filter({ hasText: 'Ship' }).waitFor();
  await steps.filter({ hasText: 'Compile' }).filter({ hasNotText: 'running' }).waitFor();
  await page.reload();
  await steps.filter({ hasText: 'Ship' }).waitFor();
  assert.equal(await steps.count(), 3);
  await close();
});

test('each thing has its address: Back goes to what was open before, and a run can be all that is shown', LIMIT, async () => {
  const of = (run_id, type, data) => ({ type, project_id: 'port', data: { run_id, agent_id: 'bea', task_id: `${run_id}-t`, ...data } });
  const begun = (id, name) => [of(id, 'agent.run.started', { name, task_id: undefined }), of(id, 'task.assigned', { task_name: `Load ${name}` })];
  await publish(
    stoa, ...begun('p1', 'Argo'), of('p1', 'tool.started', { tool_call_id: 'k1', tool_name: 'crane' }), of('p1', 'tool.failed', { tool_call_id: 'k1', tool_name: 'crane', error: 'The rope broke' }),
    of('p1', 'llm.completed', { call_id: 'm1', model: 'big-4', input_tokens: 1500, output_tokens: 500, cost_usd: 0.25, duration_ms: 40 }),
    of('p1-part', 'agent.run.started', { name: 'Rope work', parent_run_id: 'p1', task_id: undefined }), ...begun('p2', 'Hermes'),
  );
  const { page, troubles, close } = await open(browser, `${stoa.url}/#project=port`);
  await connection(page, 'connected');
  const chooser = page.getByTestId('run-chooser');
  // One that another one began is no choice of its own.
  await page.waitForFunction(() => document.querySelectorAll('[data-testid=run-chooser] option').length === 3);
  await chooser.selectOption({ label: 'Argo' });
  await page.waitForFunction(() => document.querySelectorAll('[data-testid=task-node]').length === 1);
  assert.match(page.url(), /run=p1/);
  await page.locator('[data-testid=run][data-run-id=p1]').click();
  const rows = details(page, 'run').getByTestId('run-row');
  const told = () => rows.evaluateAll((all) => all.map(({ dataset }) => `${dataset.depth} ${dataset.kind}`));
  await rows.filter({ hasText: 'Rope work' }).waitFor();
  assert.deepEqual(await told(), ['0 run', '1 agent', '2 task', '3 model', '3 tool', '1 run']);
  await rows.filter({ hasText: 'crane' }).filter({ hasText: 'The rope broke' }).filter({ hasText: 'failed' }).waitFor();
  await rows.filter({ hasText: 'big-4' }).filter({ hasText: '2.0k · $0.25' }).waitFor();

  await rows.getByRole('button', { name: 'Load Argo', exact: true }).click();
  await details(page, 'task').waitFor();
  await page.goBack();
  await rows.getByRole('button', { name: 'crane', exact: true }).click();
  const event = details(page, 'event').locator('pre').filter({ hasText: 'The rope broke' });
  await event.waitFor();
  await page.reload();
  await event.waitFor();
  await page.goBack();
  await rows.filter({ hasText: 'crane' }).waitFor();
  await page.goForward();
  await event.waitFor();
  await page.getByTestId('details-close').click();
  await chooser.selectOption('');
  await page.waitForFunction(() => document.querySelectorAll('[data-testid=task-node]').length === 2);
  assert.deepEqual(troubles, []);
  await close();
});

for (const view of ['phone', 'desktop']) {
  for (const colorScheme of ['light', 'dark']) {
    test(`opened, it fits and can be used by all: ${view}, ${colorScheme}`, LIMIT, async () => {
      const { page, close } = await open(browser, stoa.url, { view, colorScheme });
      await ready(page);
      for (const [kind, opener] of [
        ['event', entries(page).filter({ hasText: 'Llm call' }).getByRole('button')],
        ['run', page.locator('[data-testid=run]').first()],
      ]) {
        await opener.click();
        await details(page, kind).locator('pre').waitFor();
        await page.locator('.slide-enter-active').waitFor({ state: 'detached' });
        await fits(page);
        if (view === 'phone') await fingers(page);
        await picture(page, `${colorScheme}-details-${kind}`);
        assert.deepEqual(await grave(page), []);
        await page.getByTestId('details-close').click();
        await page.getByTestId('details').waitFor({ state: 'detached' });
      }
      await close();
    });
  }
}
