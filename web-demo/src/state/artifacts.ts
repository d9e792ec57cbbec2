/** What agents made: files, pages, pictures, as the server lists them with their project. */
import { madeIn } from './listed';
import { number, text, time } from './read';
import type { State, Thing } from './types';

export interface Artifact {
  key: string;
  id: string;
  projectId: string;
  name: string;
  /** `text/markdown`; empty where nobody said. */
  mime: string;
  bytes: number | null;
  /** An address that a browser may open; empty for none. */
  url: string;
  path: string;
  agentId: string;
  taskId: string;
  at: number;
}

/** Only addresses of the web: others would run as scripts of this page. */
function webAddress(said: string): string {
  try {
    const url = new URL(said);
    return ['http:', 'https:'].includes(url.protocol) ? url.href : '';
  } catch {
    return '';
  }
}

function artifactOf({ key, id, projectId, name, facts, at }: Thing): Artifact {
  return {
    key, id, projectId, name: text(facts, 'name') || name, mime: text(facts, 'mime', 'mime_type'), bytes: number(facts, 'bytes', 'size'),
    url: webAddress(text(facts, 'url')), path: text(facts, 'path'), agentId: text(facts, 'agent_id'), taskId: text(facts, 'task_id'),
    at: time(facts.updated_at ?? facts.created_at, at),
  };
}

/** Of a project, or with an empty id of all; the newest first. */
export function artifactsOf(state: State, projectId: string): Artifact[] {
  return [...madeIn(state).values()].filter(({ facts, projectId: of }) => facts.status !== 'deleted' && (projectId === '' || of === projectId)).map(artifactOf).sort((a, b) => b.at - a.at);
}
