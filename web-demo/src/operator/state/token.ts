/** The operator's token: kept for this tab only, and the same one that the demo page uses. */
import { record, text } from '../../state/read';

const KEY = 'stoa-token';

/** The token that is kept. One that somebody put into the address is taken away from there, since addresses are shown and remembered. */
export function keptToken(): string {
  const url = new URL(location.href);
  const given = url.searchParams.get('token');
  if (given !== null) {
    url.searchParams.delete('token');
    history.replaceState(null, '', url);
    if (given) keepToken(given);
  }
  try {
    return given || sessionStorage.getItem(KEY) || '';
  } catch {
    return given ?? '';
  }
}

export function keepToken(token: string): void {
  try {
    if (token) sessionStorage.setItem(KEY, token);
    else sessionStorage.removeItem(KEY);
  } catch {
    // Storage may be forbidden: the token then lasts as long as the page.
  }
}

/** The token in what somebody pasted, or nothing if it can be none: a header takes no white space and no letters beyond ASCII. */
export function pasted(given: string): string {
  const token = given.trim().replace(/^(authorization:\s*)?bearer\s+/i, '');
  return /^[\x21-\x7e]+$/.test(token) ? token : '';
}

/**
 * Whether the server may take the holder for an admin. The role in a signed token is read to ask no questions in vain, and decides
 * nothing; a token that can't be read (an API key, the secret of the start) may be anybody's.
 */
export function mayBeAdmin(token: string): boolean {
  if (token === '') return false;
  const [, claims, signature] = token.split('.');
  if (!claims || !signature) return true;
  try {
    const role = text(record(JSON.parse(atob(claims.replace(/-/g, '+').replace(/_/g, '/')))), 'role');
    return role === 'admin';
  } catch {
    return true;
  }
}
