// A real Stoa for a test of the page: the same as for the clients' tests, with the built page.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startGuarded as startWithTokens } from '../js/guarded.mjs';
import { startStoa as startOpen } from '../js/server.mjs';

const page = fileURLToPath(new URL('../../web-demo/dist', import.meta.url));

function start(startServer, { port = 0, demo = false, env = {} }) {
  if (!existsSync(`${page}/index.html`)) throw new Error('the page is not built: run `npm ci && npm run build` in web-demo');
  return startServer({ port, args: demo ? ['--demo'] : [], env: { STOA_SERVER__WEB_ROOT: page, ...env } });
}

export const startStoa = (options = {}) => start(startOpen, options);

/** One that lets nobody in without a token. */
export const startGuarded = (options = {}) => start(startWithTokens, options);

export async function publish(stoa, ...events) {
  const response = await fetch(`${stoa.url}/api/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(events),
  });
  const answer = await response.json();
  if (response.status !== 202 || answer.accepted !== events.length) {
    throw new Error(`publish: ${response.status} ${JSON.stringify(answer)}`);
  }
}
