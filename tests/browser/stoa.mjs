// A real Stoa for a test: started on a free port with the built page, ended by its own process id.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const binary = process.env.STOA_BIN ?? `${root}target/debug/stoa`;
const page = `${root}web-demo/dist`;

export async function startStoa({ port = 0, demo = false, env = {} } = {}) {
  if (!existsSync(`${page}/index.html`)) throw new Error('the page is not built: run `npm ci && npm run build` in web-demo');
  const child = spawn(binary, ['serve', '--port', String(port), ...(demo ? ['--demo'] : [])], {
    cwd: root,
    env: { ...process.env, STOA_LOG__FORMAT: 'json', STOA_JOURNAL__KIND: 'memory', STOA_SERVER__WEB_ROOT: page, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const logs = [];
  // `close`, not `exit`: then the last words are in the log too.
  const ended = once(child, 'close');
  const address = await new Promise((resolve, reject) => {
    const read = (line) => {
      logs.push(line);
      const found = /"address":"([^"]+)"/.exec(line);
      if (found) resolve(found[1]);
    };
    createInterface({ input: child.stdout }).on('line', read);
    createInterface({ input: child.stderr }).on('line', read);
    child.once('error', reject);
    ended.then(() => reject(new Error(`stoa ended before it listened:\n${logs.join('\n')}`)), reject);
  });
  return {
    url: `http://${address}`,
    port: Number(address.split(':').pop()),
    logs,
    async stop(signal = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await ended;
    },
  };
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
