// The operator's page: what a test looks at, and the requests that it makes.
import assert from 'node:assert/strict';
import { open } from './page.mjs';

/** Opens the page; `asked` are the requests that it makes of the server, beside its own files. */
export async function openOperator(browser, stoa, options = {}) {
  const opened = await open(browser, 'about:blank', options);
  const asked = [];
  opened.page.on('request', (request) => {
    const { pathname, search } = new URL(request.url());
    if (request.resourceType() === 'fetch') asked.push({ path: pathname, search, method: request.method(), headers: request.headers() });
  });
  await opened.page.goto(`${stoa.url ?? stoa}/operator`);
  return { ...opened, asked };
}

/** Waits until the page says so of its connection: live, away, closed, forbidden, paused. */
export const status = (page, state) => page.locator(`[data-testid=status][data-state=${state}]`).waitFor();

/** Waits until the element says this number in an attribute. */
export const says = (page, selector, attribute, wanted) =>
  page.waitForFunction(
    ([of, name, value]) => document.querySelector(of)?.getAttribute(name) === value,
    [selector, attribute, String(wanted)],
  );

/** The count that a list of bars has for a name. */
export const bar = (name, key) => `[data-testid=by-${name}] [data-key=${key}]`;

export const form = (page) => page.getByTestId('sign-in');
export const field = (page) => page.getByLabel('Operator’s token', { exact: true });

export async function signIn(page, token) {
  await field(page).fill(token);
  await field(page).press('Enter');
}

/** The troubles beside refusals with this status, which browsers write to the console by themselves. */
export const beside = (troubles, status) =>
  troubles.filter((trouble) => !trouble.startsWith(`${status}: `) && !trouble.includes(`status of ${status} `));

/** Checks that no address of a request has the token in it, and that each of the others had it in a header. */
export function secret(asked, token) {
  assert.deepEqual(asked.filter(({ search }) => search.includes(token)), []);
  assert.ok(asked.some(({ headers }) => headers.authorization === `Bearer ${token}`), 'the token was shown in no header');
}
