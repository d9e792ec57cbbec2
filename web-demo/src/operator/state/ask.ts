/** One request to the server, and its outcome as the page tells them apart. No outcome is thrown. */
import { number, record, text } from '../../state/read';
import type { Json } from '../../state/types';

/** The time after which an answer no longer counts as coming. */
const PATIENCE_MS = 10_000;
/** The wait after a refusal for too many requests, where the server does not say one. */
const LIMITED_MS = 15_000;

export type Outcome =
  | { kind: 'ok'; data: Json; tookMs: number }
  /** The server asks for a token, or does not believe the one that it was shown. */
  | { kind: 'unauthorized'; code: string; message: string }
  | { kind: 'forbidden'; code: string; message: string }
  | { kind: 'limited'; waitMs: number; message: string }
  /** This server does not tell it. */
  | { kind: 'absent'; message: string }
  | { kind: 'away'; message: string }
  /** The page itself gave the request up. */
  | { kind: 'dropped' };

export interface Request {
  path: string;
  token: string;
  method?: 'GET' | 'POST' | 'DELETE';
  body?: Json;
  signal?: AbortSignal;
  /** A status beside those of success whose body is an answer too. */
  alsoOk?: number;
}

/** The parts of `fetch` that are used, so that tests can stand in for the net. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** The address of a path below the page's own address: a proxy may serve it below a path. */
function address(path: string): string {
  return new URL(path, document.baseURI).href;
}

export async function ask(request: Request, send: Fetch = fetch, resolve: (path: string) => string = address): Promise<Outcome> {
  const late = AbortSignal.timeout(PATIENCE_MS);
  const begun = performance.now();
  try {
    const response = await send(resolve(request.path), {
      method: request.method ?? 'GET',
      // The token stands in a header only: addresses end up in logs and histories.
      headers: {
        ...(request.token ? { authorization: `Bearer ${request.token}` } : {}),
        ...(request.body ? { 'content-type': 'application/json' } : {}),
      },
      body: request.body ? JSON.stringify(request.body) : undefined,
      signal: request.signal ? AbortSignal.any([request.signal, late]) : late,
      cache: 'no-store',
      credentials: 'same-origin',
    });
    const body = await response.text();
    return outcome(response, body, performance.now() - begun, request.alsoOk);
  } catch (error) {
    if (request.signal?.aborted) return { kind: 'dropped' };
    return { kind: 'away', message: late.aborted ? `no answer within ${PATIENCE_MS / 1000} s` : words(error) };
  }
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function parsed(body: string): Json {
  try {
    return record(JSON.parse(body));
  } catch {
    return {};
  }
}

function outcome(response: Response, body: string, tookMs: number, alsoOk?: number): Outcome {
  const data = parsed(body);
  const refusal = record(data.error);
  const said = { code: text(refusal, 'code'), message: text(refusal, 'message') || `the server answered ${response.status}` };
  if (response.ok || response.status === alsoOk) return { kind: 'ok', data, tookMs };
  switch (response.status) {
    case 401: return { kind: 'unauthorized', ...said };
    case 403: return { kind: 'forbidden', ...said };
    case 404: return { kind: 'absent', message: said.message };
    case 429: return { kind: 'limited', waitMs: wait(response), message: said.message };
    default: return { kind: 'away', message: said.message };
  }
}

/** The server's own word on when it may be asked again. */
function wait(response: Response): number {
  const seconds = number({ after: Number(response.headers.get('retry-after') ?? NaN) }, 'after');
  return seconds !== null && seconds > 0 ? seconds * 1000 : LIMITED_MS;
}
