/** The words and colours for what the server names by a code. */
import type { Tone } from '../../state/types';
import { seconds } from './quantity';

/** The tones of `tokens.css`. */
export type Look = Tone | 'gold' | 'accent';

const NAMES: Record<string, string> = {
  websocket: 'WebSocket', polling: 'Polling', sse: 'Server-sent events', socketio: 'Socket.IO', guide: 'Workflow guide', streams: 'Event streams',
  visualization: 'Visualization', pipeline: 'Pipeline', jwks: 'Token keys (JWKS)', http: 'HTTP',
};

/** A code as a word: `half_open` becomes "Half open". */
export function named(code: string): string {
  const known = NAMES[code];
  if (known) return known;
  const words = code.replace(/[_.]/g, ' ').trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A sentence of the server, which begins small and ends without a stop, as one of the page. */
export function sentence(said: string): string {
  return `${said.charAt(0).toUpperCase()}${said.slice(1).replace(/[.\s]+$/, '')}${said ? '.' : ''}`;
}

/** Of a state, a status or a grade, in whichever part of the server it is said. */
const LOOKS: Record<string, Look> = {
  healthy: 'done', excellent: 'done', ok: 'done', closed: 'done', ready: 'done', normal: 'done', stable: 'done',
  good: 'active', degraded: 'gold', half_open: 'gold', stale: 'gold', warning: 'gold', stopping: 'gold', flapping: 'gold', burst: 'gold', silence: 'gold',
  error: 'blocked', needs_attention: 'blocked', unhealthy: 'blocked', critical: 'blocked', open: 'blocked', down: 'blocked', missing: 'blocked', failed: 'blocked',
  error_cascade: 'blocked', not_ready: 'blocked',
};

export const look = (code: string): Look => LOOKS[code] ?? 'idle';

/** The steps by which the server takes load off itself, in order. */
export const STEPS = [
  { name: 'normal', title: 'Normal', text: 'Everything is sent as it comes.' },
  { name: 'larger_batches', title: 'Larger batches', text: 'More updates wait for one another and go out together.' },
  { name: 'low_coalesced', title: 'Low priority coalesced', text: 'Of updates of low priority only the newest is sent.' },
  { name: 'low_refused', title: 'Low priority refused', text: 'Producers of events of low priority are told “overloaded”.' },
];

/** The flow of messages, as the server sees it. */
export const FLOWS: Record<string, string> = {
  normal: 'Messages flow steadily.',
  burst: 'Many more messages than usual.',
  silence: 'Unusually quiet: the steady flow has stopped.',
  error_cascade: 'Many deliveries or requests fail in a row.',
};

export const GRADES = [
  { name: 'message_latency', title: 'Message latency' },
  { name: 'connection_success', title: 'Connection success' },
  { name: 'reconnection_rate', title: 'Reconnections' },
  { name: 'concurrent_users', title: 'Connections' },
];

/** The bounds of durations as a scale of words: "up to 10 s", "10 s to 1 min", …, "over 1 h". */
export function spans(bounds: readonly (number | null)[]): string[] {
  return bounds.map((upTo, i) => {
    const from = bounds[i - 1] ?? null;
    if (upTo === null) return from === null ? 'Any' : `Over ${seconds(from)}`;
    return from === null ? `Up to ${seconds(upTo)}` : `${seconds(from)} to ${seconds(upTo)}`;
  });
}
