// A real Stoa for a test of the page: the same as for the clients' tests, with the built page.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startStoa as start } from '../js/server.mjs';

const page = fileURLToPath(new URL('../../web-demo/dist', import.meta.url));

export async function startStoa({ port = 0, demo = false } = {}) {
  if (!existsSync(`${page}/index.html`)) throw new Error('the page is not built: run `npm ci && npm run build` in web-demo');
  return start({ port, args: demo ? ['--demo'] : [], env: { STOA_SERVER__WEB_ROOT: page } });
}

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
