/** Whether an update may be kept as it came: hundreds are, so none of them may be large. */
const MOST = 32 * 1024;

/** Stops at the first value that is too much, so that a large update costs no more than a small one. */
export function isLight(value: unknown): boolean {
  let left = MOST;
  const walk = (part: unknown): boolean => {
    left -= typeof part === 'string' ? part.length + 16 : 16;
    if (left < 0) return false;
    if (typeof part !== 'object' || part === null) return true;
    for (const [key, inner] of Object.entries(part)) {
      left -= key.length;
      if (!walk(inner)) return false;
    }
    return true;
  };
  return walk(value);
}
