// The clients that users have, by wss:// and https://, against a Stoa that encrypts by itself.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { request } from 'node:https';
import { io } from 'socket.io-client';
import { PATIENCE_MS, next, startStoa, upgraded, within } from './server.mjs';

const folder = mkdtempSync(join(tmpdir(), 'stoa-tls-'));
const certFile = join(folder, 'cert.pem');
const keyFile = join(folder, 'key.pem');

function certify(name) {
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1',
    '-keyout', keyFile, '-out', certFile,
  ], { stdio: 'pipe' });
  return readFileSync(certFile);
}

let stoa;
let ca;

before(async () => {
  ca = certify('first');
  stoa = await startStoa({ env: { STOA_TLS__CERT_FILE: certFile, STOA_TLS__KEY_FILE: keyFile, STOA_TLS__RELOAD_INTERVAL: '600' } });
});

after(async () => {
  await stoa?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function post(body, trusted = ca) {
  return within('the answer to a POST', new Promise((resolve, reject) => {
    const asked = request(`https://localhost:${stoa.port}/api/v1/events`, {
      method: 'POST', ca: trusted, agent: false, headers: { 'content-type': 'application/json' },
    }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer));
    });
    asked.on('error', reject);
    asked.end(JSON.stringify(body));
  }));
}

for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
  test(`socket.io-client is served by ${transports.join(', then ')}`, async () => {
    const socket = io(`https://localhost:${stoa.port}`, { transports, ca, reconnection: false, forceNew: true });
    try {
      await next(socket, 'connection_established');
      if (transports.length > 1) {
        await upgraded(socket);
        assert.equal(socket.io.engine.transport.name, 'websocket');
      }
      const id = `by-${transports.join('-')}`;
      const seen = next(socket, 'agent_update', (update) => JSON.stringify(update).includes(id));
      const answer = await post({ type: 'agent_registered', data: { agent_id: id } });
      assert.equal(answer.statusCode, 202);
      assert.match(answer.headers['strict-transport-security'], /max-age=\d+/);
      await seen;
    } finally {
      socket.disconnect();
    }
  });
}

test('a client that does not know the certificate is not served', async () => {
  const socket = io(`https://localhost:${stoa.port}`, { transports: ['websocket'], reconnection: false, forceNew: true });
  try {
    await next(socket, 'connect_error');
  } finally {
    socket.disconnect();
  }
});

test('a renewed certificate is served after SIGHUP, and who is connected stays', async () => {
  const socket = io(`https://localhost:${stoa.port}`, { transports: ['websocket'], ca, reconnection: false, forceNew: true });
  try {
    await next(socket, 'connection_established');
    const renewed = certify('second');
    stoa.signal('SIGHUP');
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const answer = await post([], renewed).catch((error) => error);
      if (answer.statusCode) break;
      assert.ok(Date.now() < deadline, `not served: ${answer}`);
    }
    const pong = next(socket, 'pong');
    socket.emit('ping', {});
    await pong;
  } finally {
    socket.disconnect();
  }
});
