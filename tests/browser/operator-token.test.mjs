// The operator's page of a server that asks for tokens: who is shown what, and what becomes of the token.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { io } from 'socket.io-client';
import { briefly, endOf, token, until } from '../js/guarded.mjs';
import { next } from '../js/server.mjs';
import { beside, field, form, openOperator, says, secret, signIn, status } from './operator.mjs';
import { LIMIT, launch } from './page.mjs';
import { startGuarded, startStoa } from './stoa.mjs';

const SECRET = 'the-secret-of-this-start-and-no-other';

let browser;
let stoa;

before(async () => {
  [browser, stoa] = await Promise.all([launch(), startGuarded()]);
}, LIMIT);

after(async () => {
  await browser?.close();
  await stoa?.stop();
}, LIMIT);

const operator = (user = 'olga', ttl = '10m') => token('--role', 'operator', '--user', user, '--projects', '*', '--ttl', ttl);
const admin = () => token('--role', 'admin', '--user', 'root');
const row = (page, user) => page.getByTestId('live-row').filter({ has: page.getByText(user, { exact: true }) });

/** A client that is somebody, until it is sent away. */
async function somebody(user) {
  const socket = io(stoa.url, { transports: ['websocket'], forceNew: true, reconnection: false, auth: { token: token('--user', user, '--projects', '*') } });
  await next(socket, 'connection_established');
  return socket;
}

test('the page asks for a token, says what is wrong with a wrong one, and shows the figures with a right one', LIMIT, async () => {
  const { page, troubles, asked, close } = await openOperator(browser, stoa);
  await status(page, 'closed');
  await form(page).getByText('This page is for operators').waitFor();
  assert.equal(await page.getByTestId('figures').count(), 0);
  assert.equal(asked.length, 1, 'one refusal is enough');

  // Nothing else has the focus: it can be typed at once. What can be no token is not sent.
  await page.waitForFunction(() => document.activeElement?.getAttribute('aria-label') === 'Operator’s token');
  await page.keyboard.type('two words');
  await page.keyboard.press('Enter');
  await form(page).getByText('A token is one word without spaces').waitFor();
  assert.equal(asked.length, 1);

  const right = operator();
  const forged = `${right.slice(0, right.lastIndexOf('.'))}.${operator('other').split('.')[2]}`;
  await signIn(page, forged);
  await form(page).getByText('The server does not take this token').waitFor();
  await form(page).getByText(/signature/).waitFor();

  await signIn(page, `Bearer ${right}`);
  await status(page, 'live');
  await form(page).waitFor({ state: 'detached' });
  await page.getByTestId('health').and(page.locator('[data-score]')).waitFor();
  assert.ok(!(await page.content()).includes(right.split('.')[2]), 'the token is not on the page');
  assert.equal(page.url(), `${stoa.url}/operator`);
  secret(asked, right);
  assert.deepEqual(await page.evaluate(() => [Object.keys(localStorage).filter((key) => key.includes('token')), document.cookie]), [[], '']);

  // It is kept for the tab, and forgotten with all that it opened.
  await page.reload();
  await status(page, 'live');
  await page.getByTestId('forget').click();
  await status(page, 'closed');
  assert.equal(await page.getByTestId('figures').count(), 0);
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  await page.reload();
  await status(page, 'closed');
  assert.deepEqual(beside(troubles, 401), []);
  await close();
});

test('a token of another role is told that it is not enough, and an operator’s is', LIMIT, async () => {
  const { page, troubles, close } = await openOperator(browser, stoa);
  await signIn(page, token('--user', 'ann', '--projects', '*'));
  await status(page, 'forbidden');
  await form(page).getByText('This token is not for the operator’s page').waitFor();
  await form(page).getByText(/role operator or admin/).first().waitFor();
  assert.equal(await page.getByTestId('figures').count(), 0);
  await signIn(page, operator());
  await status(page, 'live');
  await page.getByText('Single connections are shown to admins.').waitFor();
  assert.deepEqual(beside(beside(troubles, 401), 403), []);
  await close();
});

test('a token that ends while the page is open: the figures are marked as old, and go on with the next token', LIMIT, async () => {
  const { page, close } = await openOperator(browser, stoa);
  await briefly(async (seconds) => {
    const brief = operator('olga', `${seconds}s`);
    await signIn(page, brief);
    await page.getByTestId('figures').waitFor();
    await status(page, 'closed');
    assert.ok(Date.now() >= endOf(brief), 'not before its time');
  }, 4);
  await form(page).getByText('Your token is over').waitFor();
  await page.getByTestId('stale').filter({ hasText: /As of \d\d:\d\d:\d\d/ }).waitFor();
  assert.equal(await page.getByTestId('figures').count(), 1);
  await signIn(page, operator());
  await status(page, 'live');
  await page.getByTestId('stale').waitFor({ state: 'detached' });
  await close();
});

test('an admin sees single connections and ends one, and not the other', LIMIT, async () => {
  const [gus, hera] = [await somebody('gus'), await somebody('hera')];
  try {
    const { page, troubles, asked, close } = await openOperator(browser, stoa);
    const jwt = admin();
    await signIn(page, jwt);
    await row(page, 'gus').waitFor();
    await row(page, 'hera').waitFor();
    assert.match(await page.getByTestId('live-total').textContent(), /^2 connections$/);

    // It is asked whether this is meant, and the keyboard gets back to where it was.
    const end = page.getByRole('button', { name: 'Disconnect gus', exact: true });
    await end.focus();
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement?.dataset.testid === 'keep');
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => document.activeElement?.getAttribute('aria-label') === 'Disconnect gus');
    assert.ok(gus.connected);

    const gone = next(gus, 'disconnect');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Yes, disconnect' }).click();
    await gone;
    await page.getByText('gus was disconnected.').waitFor();
    await row(page, 'gus').waitFor({ state: 'detached' });
    assert.ok(hera.connected);

    await page.getByLabel('Search user, name or address').fill('nobody');
    await page.getByText('No connection is like this.').waitFor();
    await page.getByLabel('Search user, name or address').fill('her');
    await row(page, 'hera').waitFor();
    secret(asked, jwt);
    assert.deepEqual(beside(troubles, 401), []);
    await close();
  } finally {
    gus.disconnect();
    hera.disconnect();
  }
});

test('a page that is refused for too many requests asks more slowly, and is not kept out', LIMIT, async () => {
  const own = await startGuarded({
    env: { STOA_RATE_LIMITING__ENABLED: 'true', STOA_RATE_LIMITING__MESSAGES_PER_MINUTE: '60', STOA_RATE_LIMITING__BURST_LIMIT: '2', STOA_RATE_LIMITING__STRIKES: '12' },
  });
  try {
    const { page, troubles, close } = await openOperator(browser, own);
    const asked = [];
    page.on('response', (response) => {
      if (response.url().endsWith('/api/v1/performance')) asked.push(response.status());
    });
    await signIn(page, operator());
    await status(page, 'live');
    await until('it was refused, and served again after that', () => asked.lastIndexOf(200) > asked.indexOf(429) && asked.includes(429));
    const served = () => asked.slice(asked.indexOf(429)).filter((code) => code === 200);
    await until('it was served again and again', () => served().length >= 3);
    await status(page, 'live');
    assert.deepEqual(beside(beside(troubles, 401), 429), []);
    await close();
  } finally {
    await own.stop();
  }
});

test('names that clients choose are text, whatever is in them', LIMIT, async () => {
  const name = '<img src=x onerror="document.title = 1"><script>document.title = 2</script>';
  const socket = io(stoa.url, { transports: ['websocket'], forceNew: true, auth: { token: token('--user', 'uma', '--projects', '*'), name, rooms: [`task:${encodeURIComponent(name)}`] } });
  await next(socket, 'connection_established');
  try {
    const { page, troubles, close } = await openOperator(browser, stoa);
    await signIn(page, admin());
    await page.getByTestId('live-row').filter({ hasText: name }).waitFor();
    assert.equal(await page.locator('#app img, #app script').count(), 0);
    assert.equal(await page.title(), 'Stoa: operator');
    assert.deepEqual(beside(troubles, 401), []);
    await close();
  } finally {
    socket.disconnect();
  }
});

test('a breaker that is open is shown with what failed, and an admin has the part tried again', LIMIT, async () => {
  // Nobody listens there: a port that was free a moment ago.
  const before = await startStoa();
  await before.stop();
  const own = await startStoa({
    env: {
      STOA_AUTHENTICATION__JWKS_URL: `${before.url}/keys`, STOA_AUTHENTICATION__START_SECRET: SECRET, STOA_AUTHENTICATION__JWKS_COOLDOWN: '0.1',
      STOA_AUTHENTICATION__JWKS_REFRESH: '1', STOA_BREAKERS__FAILURES: '1', STOA_BREAKERS__OPEN_FOR: '600',
    },
  });
  try {
    const { page, close } = await openOperator(browser, own);
    await says(page, '[data-testid=breaker-jwks]', 'data-state', 'open');
    await page.getByTestId('breaker-jwks').getByText(/Last error/).waitFor();
    await page.getByTestId('part-keys').filter({ hasText: 'Missing' }).waitFor();
    await page.getByTestId('issue').first().waitFor();
    // Without the secret of the start nobody is an admin.
    assert.equal(await page.getByTestId('close-jwks').count(), 0);

    // An address with the secret, as the log of the start says it: it is taken away from there.
    await page.goto(`${own.url}/operator?token=${SECRET}`);
    await status(page, 'live');
    assert.equal(page.url(), `${own.url}/operator`);
    await page.getByTestId('close-jwks').click();
    await page.getByText('Token keys (JWKS) is tried again from now on.').waitFor();
    await says(page, '[data-testid=breaker-jwks]', 'data-state', 'closed');
    await close();
  } finally {
    await own.stop();
  }
});
