/** A table that is asked for names that others made: it has its own and not those of every object (`constructor`). */
export function table<T>(entries: Record<string, T>): Readonly<Record<string, T | undefined>> {
  return Object.assign(Object.create(null) as Record<string, T | undefined>, entries);
}
