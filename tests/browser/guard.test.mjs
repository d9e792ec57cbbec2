// The demo page of a server that asks for tokens: it asks the reader, and is never a dead page.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TooLate, ask, briefly, endOf, token, until } from '../js/guarded.mjs';
import { fits, grave, picture } from './looks.mjs';
import { LIMIT, agent, alive, connection, entries, launch, open } from './page.mjs';
import { startGuarded } from './stoa.mjs';

let browser;
/** The demo's team behind a door. */
let team;
/** A server on which only happens what a test publishes. */
let quiet;
let producer;

before(async () => {
  [browser, team, quiet] = await Promise.all([launch(), startGuarded({ demo: true }), startGuarded()]);
  producer = token('--role', 'producer');
}, LIMIT);

after(async () => {
  await browser?.close();
  await Promise.all([team?.stop(), quiet?.stop()]);
}, LIMIT);

/** A token of somebody who may see all projects; without a word about projects a token shows only what belongs to none. */
const watcher = (user, ttl = '10m') => token('--user', user, '--projects', '*', '--ttl', ttl);
const prompt = (page) => page.getByTestId('token-prompt');
const field = (page) => page.getByLabel('Token', { exact: true });

/** Waits until the page is connected with a brief token, or came too late for that. */
async function inTime(page) {
  const state = await page.waitForFunction(() => {
    const { state } = document.querySelector('[data-testid=connection]')?.dataset ?? {};
    return ['connected', 'offline'].includes(state) && state;
  });
  if (await state.jsonValue() === 'connected') return;
  await prompt(page).getByText('Your token is over').waitFor();
  throw new TooLate('it was over before the page was connected');
}

async function register(id, name) {
  const { status } = await ask(quiet, 'POST', '/api/v1/events', producer, { type: 'agent_registered', data: { agent_id: id, name } });
  assert.equal(status, 202);
}

test('who may not answer reads the question, and an operator answers it', LIMIT, async () => {
  const asked = { type: 'input.requested', data: { agent_id: 'asker', request_id: 'g1', message: 'May I?', options: ['Yes', 'No'] } };
  assert.equal((await ask(quiet, 'POST', '/api/v1/events', producer, asked)).status, 202);
  const question = (page) => page.locator('[data-testid=questions] [data-request-id=g1]');
  const reader = await open(browser, `${quiet.url}/?token=${watcher('ann')}`);
  await question(reader.page).getByText('May I?').waitFor();
  assert.equal(await reader.page.getByTestId('answer-form').count(), 0);
  const operator = await open(browser, `${quiet.url}/?token=${token('--role', 'operator', '--user', 'olga', '--projects', '*')}`);
  await question(operator.page).getByRole('button', { name: 'Yes', exact: true }).click();
  // Gone for both.
  for (const { page, troubles, close } of [operator, reader]) {
    await question(page).waitFor({ state: 'detached' });
    assert.deepEqual(troubles, []);
    await close();
  }
});

test('the page asks for a token, says what is wrong with a wrong one, and shows the team with a right one', LIMIT, async () => {
  const { page, troubles, close } = await open(browser, team.url);
  await prompt(page).getByText('This server asks for a token').waitFor();
  await connection(page, 'offline');
  await page.getByTestId('connection').filter({ hasText: 'Token needed' }).waitFor();
  assert.equal(await page.getByTestId('agent-node').count(), 0);

  // Nothing else has the focus: it can be typed at once.
  const right = watcher('ann');
  const forged = `${right.slice(0, right.lastIndexOf('.'))}.${watcher('bob').split('.')[2]}`;
  await page.waitForFunction(() => document.activeElement?.getAttribute('aria-label') === 'Token');
  await page.keyboard.type(forged);
  await page.keyboard.press('Enter');
  await prompt(page).getByText(/signature/).waitFor();

  await field(page).fill(right);
  await page.getByRole('button', { name: 'Connect' }).click();
  await connection(page, 'connected');
  await prompt(page).waitFor({ state: 'detached' });
  await alive(page, 3, 5);
  assert.ok(!(await page.content()).includes(right.split('.')[2]), 'the token is not on the page');
  assert.deepEqual(troubles, []);
  await close();
});

test('a token in the address lets in, does not stay there, and is kept for the tab', LIMIT, async () => {
  const { page, troubles, close } = await open(browser, `${team.url}/?token=${watcher('ann')}`);
  await connection(page, 'connected');
  await alive(page, 3, 5);
  assert.equal(await prompt(page).count(), 0);
  assert.equal(page.url(), `${team.url}/`);
  await page.reload();
  await connection(page, 'connected');
  await alive(page, 3, 1);
  assert.deepEqual(troubles, []);
  await close();
});

test('a token that ends while the page is open: it asks for another, and has what happened meanwhile', LIMIT, async () => {
  await register('early', 'Dio');
  let brief;
  const { page, troubles, close } = await briefly(async (seconds) => {
    brief = watcher('cleo', `${seconds}s`);
    const opened = await open(browser, `${quiet.url}/?token=${brief}`);
    try {
      await inTime(opened.page);
    } catch (error) {
      await opened.close();
      throw error;
    }
    return opened;
  }, 4);
  await agent(page, 'early').waitFor({ state: 'attached' });
  await prompt(page).getByText('Your token is over').waitFor();
  assert.ok(Date.now() >= endOf(brief), 'not before its time');
  await connection(page, 'offline');
  assert.equal(await entries(page).filter({ hasText: 'authenticate' }).count(), 0, 'it is no news of the team');
  // The stage is still there, and moves on with the next token.
  assert.equal(await agent(page, 'early').count(), 1);
  await register('meanwhile', 'Euclid');
  await field(page).fill(watcher('cleo'));
  await field(page).press('Enter');
  await connection(page, 'connected');
  await prompt(page).waitFor({ state: 'detached' });
  await agent(page, 'meanwhile').waitFor({ state: 'attached' });
  await entries(page).filter({ hasText: 'Euclid joined' }).waitFor();
  await register('later', 'Fay');
  await agent(page, 'later').waitFor({ state: 'attached' });
  assert.deepEqual(troubles, []);
  await close();
});

test('a token that is revoked while the page is open: it asks for another', LIMIT, async () => {
  const jwt = watcher('gus');
  const { page, close } = await open(browser, `${quiet.url}/?token=${jwt}`);
  await connection(page, 'connected');
  const { body } = await ask(quiet, 'POST', '/api/v1/admin/revocations', token('--role', 'admin', '--user', 'root'), { token: jwt });
  assert.equal(body.ended, 1);
  await prompt(page).getByText('The server does not take this token').waitFor();
  await prompt(page).getByText(/revoked/).waitFor();
  await field(page).fill(watcher('gus'));
  await field(page).press('Enter');
  await connection(page, 'connected');
  await close();
});

test('the command that an empty page shows says that publishing takes a token', LIMIT, async () => {
  const empty = await startGuarded();
  try {
    const { page, close } = await open(browser, `${empty.url}/?token=${watcher('ann')}`);
    await page.getByTestId('empty').locator('pre').filter({ hasText: 'Authorization: Bearer $TOKEN' }).waitFor();
    await close();
  } finally {
    await empty.stop();
  }
});

/** Checks that all controls stand inside the card, with room around them. */
async function inside(page) {
  const [card, button] = await Promise.all([prompt(page), page.getByRole('button', { name: 'Connect' })].map((part) => part.boundingBox()));
  assert.ok(button.x + button.width <= card.x + card.width - 12, `the button ends at ${button.x + button.width}, the card at ${card.x + card.width}`);
}

for (const view of ['phone', 'desktop']) {
  for (const colorScheme of ['light', 'dark']) {
    test(`the prompt: ${view}, ${colorScheme}`, LIMIT, async () => {
      const { page, troubles, close } = await open(browser, team.url, { view, colorScheme });
      await prompt(page).waitFor();
      await page.evaluate(() => document.fonts.ready);
      await fits(page);
      await inside(page);
      await picture(page, `${colorScheme}-prompt`);
      assert.deepEqual(await grave(page), []);

      // Over a page that was at work, and wherever its reader is on it.
      await briefly(async (seconds) => {
        await field(page).fill(watcher('ann', `${seconds}s`));
        await field(page).press('Enter');
        await inTime(page);
        // At work before it is over, too.
        const over = prompt(page).getByText('Your token is over');
        await Promise.race([alive(page, 3, 3), over.waitFor()]);
        if (await over.count()) throw new TooLate('it was over before the team was seen at work');
      }, 5);
      await page.evaluate(() => scrollTo(0, 400));
      await prompt(page).getByText('Your token is over').waitFor();
      await until('it is in sight', async () => {
        const box = await prompt(page).boundingBox();
        return box && box.y >= 0 && box.y + box.height <= page.viewportSize().height;
      });
      await fits(page);
      await picture(page, `${colorScheme}-over`);
      assert.deepEqual(await grave(page), []);
      assert.deepEqual(troubles, []);
      await close();
    });
  }
}
