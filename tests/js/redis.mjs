// A real Redis or Valkey on a free port, which keeps nothing.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { createClient } from 'redis';
import { PATIENCE_MS, within } from './server.mjs';

const program = ['redis-server', 'valkey-server'].find((name) => !spawnSync(name, ['--version']).error);

const freePort = () => new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

export async function until(what, look) {
  const ends = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() < ends, `waited in vain: ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 10); });
  }
}

/** Starts one, and waits until it answers: its address, `connection()` for clients that end with it, and `stop()`. */
export async function startRedis() {
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  const child = spawn(program, ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], {
    cwd: tmpdir(), stdio: 'ignore',
  });
  const ended = once(child, 'exit');
  const end = () => child.kill('SIGKILL');
  process.once('exit', end);
  const closing = [];
  const connection = async () => {
    const made = createClient({ url });
    made.on('error', () => {});
    await made.connect();
    closing.push(() => made.destroy?.() ?? made.disconnect());
    return made;
  };
  await until('Redis', () => connection().catch(() => undefined));
  return {
    url,
    connection,
    async stop() {
      for (const close of closing.reverse()) await close();
      end();
      process.off('exit', end);
      await within('the end of Redis', ended);
    },
  };
}
