import { describe, expect, it } from 'vitest';
import { ask } from './ask';
import type { Fetch } from './ask';
import { mayBeAdmin, pasted } from './token';

const at = (path: string): string => `http://stoa.test/${path}`;
const answering = (status: number, body: unknown, headers: Record<string, string> = {}): Fetch =>
  async () => new Response(typeof body === 'string' ? body : JSON.stringify(body), { status, headers });
const error = (code: string, message: string) => ({ error: { code, message } });
const asked = (send: Fetch, more = {}) => ask({ path: 'api/v1/performance', token: '', ...more }, send, at);

describe('one request', () => {
  it('shows the token in a header and nowhere else', async () => {
    const seen: { url: string; init: RequestInit }[] = [];
    const send: Fetch = async (url, init) => {
      seen.push({ url, init });
      return new Response('{"a": 1}');
    };
    expect(await asked(send, { token: 'secret' })).toMatchObject({ kind: 'ok', data: { a: 1 } });
    await asked(send);
    expect(seen.map(({ url }) => url)).toEqual([at('api/v1/performance'), at('api/v1/performance')]);
    expect(seen.map(({ init }) => init.headers)).toEqual([{ authorization: 'Bearer secret' }, {}]);
  });

  it('tells refusals apart, in the words of the server', async () => {
    expect(await asked(answering(401, error('token_expired', 'the token is over')))).toEqual({ kind: 'unauthorized', code: 'token_expired', message: 'the token is over' });
    expect(await asked(answering(403, error('forbidden', 'no')))).toEqual({ kind: 'forbidden', code: 'forbidden', message: 'no' });
    expect(await asked(answering(404, error('not_found', 'nothing here')))).toEqual({ kind: 'absent', message: 'nothing here' });
    expect(await asked(answering(429, error('rate_limited', 'slowly'), { 'retry-after': '3' }))).toEqual({ kind: 'limited', waitMs: 3_000, message: 'slowly' });
    expect(await asked(answering(429, ''))).toMatchObject({ kind: 'limited', waitMs: 15_000 });
  });

  it('takes a server or a proxy that fails for one that is away', async () => {
    expect(await asked(answering(502, '<h1>Bad gateway</h1>'))).toEqual({ kind: 'away', message: 'the server answered 502' });
    expect(await asked(async () => Promise.reject(new TypeError('Failed to fetch')))).toEqual({ kind: 'away', message: 'Failed to fetch' });
  });

  it('reads a status that is an answer too', async () => {
    expect(await asked(answering(503, { status: 'not_ready' }), { alsoOk: 503 })).toMatchObject({ kind: 'ok', data: { status: 'not_ready' } });
  });

  it('says that it was dropped if the page gave it up', async () => {
    const mine = new AbortController();
    mine.abort();
    expect(await asked(async () => Promise.reject(new Error('aborted')), { signal: mine.signal })).toEqual({ kind: 'dropped' });
  });
});

describe('a token', () => {
  it('is read out of what somebody pasted', () => {
    expect(['  abc.def\n', 'Bearer abc.def', 'Authorization: Bearer abc.def', 'two words', 'mit ümlaut', ''].map(pasted))
      .toEqual(['abc.def', 'abc.def', 'abc.def', '', '', '']);
  });

  it('tells by its role whether it is worth asking what only admins are told', () => {
    const jwt = (claims: object): string => `h.${btoa(JSON.stringify(claims)).replace(/=/g, '').replace(/\+/g, '-').replace(/\//g, '_')}.s`;
    expect([jwt({ role: 'admin' }), jwt({ role: 'operator' }), jwt({}), 'stoa_key', 'a.%.b', ''].map(mayBeAdmin)).toEqual([true, false, false, true, true, false]);
  });
});
