// A Stoa that asks for tokens, and the tokens for it: made by the program that makes them for users.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { PATIENCE_MS, startStoa } from './server.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const binary = process.env.STOA_BIN ?? `${root}target/debug/stoa`;
const SECRET = 'a secret that only these tests know';

/** The output of `stoa token`: the token or the key on stdout, the instructions for a key on stderr. */
function printed(...args) {
  const { status, stdout, stderr } = spawnSync(binary, ['token', ...args], {
    cwd: root, encoding: 'utf8', env: { ...process.env, STOA_AUTHENTICATION__SECRET: SECRET },
  });
  if (status !== 0) throw new Error(`stoa token ${args.join(' ')}: ${stderr}`);
  return { secret: stdout.trim(), note: stderr };
}

/** A token: `token('--role', 'admin')`. */
export const token = (...args) => printed(...args).secret;

/** An API key for a producer, and the lines for `config.toml` that make the server know it. */
export function apiKey(name) {
  const { secret, note } = printed('--api-key', '--name', name);
  return { key: secret, lines: note };
}

/** A server that lets nobody in without a token; limits have tests of their own. */
export const startGuarded = ({ env = {}, ...rest } = {}) => startStoa({
  ...rest,
  env: {
    STOA_AUTHENTICATION__REQUIRED: 'true',
    STOA_AUTHENTICATION__SECRET: SECRET,
    STOA_RATE_LIMITING__ENABLED: 'false',
    ...env,
  },
});

/** The time at which a token is over, in milliseconds since 1970. */
export const endOf = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url')).exp * 1000;

/** Waits until it is over by the clock, which is the server's clock as well. */
export async function over(jwt) {
  while (Date.now() <= endOf(jwt)) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** That a token was over before it could be used says something about the machine, and nothing about Stoa. */
export class TooLate extends Error {}

/** Does it with tokens that live for so few seconds; where a busy machine needs longer, once more with twice as many. */
export async function briefly(act, seconds = 2) {
  try {
    return await act(seconds);
  } catch (error) {
    if (!(error instanceof TooLate) || seconds > 16) throw error;
    return briefly(act, seconds * 2);
  }
}

/** A request with a token. */
export async function ask(stoa, method, path, bearer, body) {
  const response = await fetch(`${stoa.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${bearer}`, ...(body ? { 'content-type': 'application/json' } : {}) },
    body: body && JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

/** Waits until a look shows what is waited for. */
export async function until(what, look) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
