/** Two or three letters for each disc, no two of one group alike. */
import type { Agent } from '../state/types';

/** From the best to what is left when that is taken. */
function* candidates(name: string): Generator<string> {
  const words = name.replace(/\bagent\b/i, '').split(/[\s_.:-]+/).filter(Boolean);
  const first = words[0] ?? '?';
  const last = words.length > 1 ? (words.at(-1) ?? '') : '';
  // `Docs 1` and `DevOps 1` must not both be `D1`.
  if (/^\d+$/.test(last)) {
    for (let letters = 2; letters <= 3; letters += 1) yield first.slice(0, letters) + last.slice(-2);
    yield first.charAt(0) + first.slice(-1) + last.slice(-2);
  } else {
    if (last) yield (first.charAt(0) + last.charAt(0)).toUpperCase();
    yield first.slice(0, 2);
    for (let i = 2; i < Math.min(first.length, 8); i += 1) yield first.charAt(0) + first.charAt(i);
  }
  for (let n = 2; ; n += 1) yield first.charAt(0).toUpperCase() + String(n);
}

export function initials(agents: Agent[]): string[] {
  const taken = new Set<string>();
  return agents.map(({ name }) => {
    for (const sign of candidates(name)) {
      if (taken.has(sign.toLowerCase())) continue;
      taken.add(sign.toLowerCase());
      return sign;
    }
    return '';
  });
}
