/** Names of things. An id is unique within its project only, so a thing is known by both. */

/** The key of a thing in the page's maps; `projectId` is empty for one that belongs to no project. */
export function keyOf(projectId: string, id: string): string {
  return projectId === '' ? id : `${projectId}\u0000${id}`;
}

export function partsOf(key: string): { projectId: string; id: string } {
  const at = key.indexOf('\u0000');
  return at < 0 ? { projectId: '', id: key } : { projectId: key.slice(0, at), id: key.slice(at + 1) };
}

/** The first of these keys that `map` has, else the first of them. */
export function known<T>(map: ReadonlyMap<string, T>, ...keys: string[]): string {
  return keys.find((key) => map.has(key)) ?? keys[0] ?? '';
}

/** The names of project managers that are no agents of their own. */
export const PM_IDS: readonly string[] = ['pm-agent', 'pm_agent', 'marcus'];
