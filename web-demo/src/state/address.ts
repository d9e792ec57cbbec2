/**
 * The address and the page say the same: what is chosen and opened stands behind `#`, so that it can be sent to others, survives a
 * reload, and the browser's Back goes to what was open before.
 */
import { watch } from 'vue';
import { keyOf, partsOf } from './keys';
import { opened, openedKey, selectedAgent, selectedProject, selectedRun, type Opened, type OpenKind } from './selection';

const KINDS: readonly string[] = ['event', 'agent', 'task', 'run', 'project', 'question', 'agents', 'tasks', 'runs', 'projects', 'artifacts'] satisfies OpenKind[];

export interface Said {
  project: string;
  /** A key. */
  run: string;
  opened: Opened | null;
}

export function said(hash: string): Said {
  const says = new URLSearchParams(hash.replace(/^#/, ''));
  const kind = says.get('open') ?? '';
  const project = says.get('project') ?? '';
  const run = says.get('run') ?? '';
  const cursor = says.get('at') ?? '';
  return {
    project, run: run && keyOf(says.get('in') ?? project, run),
    opened: KINDS.includes(kind) ? { kind: kind as OpenKind, id: says.get('id') ?? '', projectId: says.get('of') ?? '', ...(cursor ? { cursor } : {}) } : null,
  };
}

export function hashOf({ project, run, opened: open }: Said): string {
  const says = new URLSearchParams();
  if (project) says.set('project', project);
  if (run) {
    const { projectId, id } = partsOf(run);
    says.set('run', id);
    if (projectId !== project) says.set('in', projectId);
  }
  if (open) {
    says.set('open', open.kind);
    if (open.id) says.set('id', open.id);
    if (open.projectId) says.set('of', open.projectId);
    if (open.cursor) says.set('at', open.cursor);
  }
  return says.toString();
}

function read(): void {
  const here = said(location.hash);
  selectedProject.value = here.project;
  selectedRun.value = here.run;
  const wasAgent = opened.value?.kind === 'agent' ? openedKey.value : '';
  if (JSON.stringify(here.opened) !== JSON.stringify(opened.value)) opened.value = here.opened;
  if (here.opened?.kind === 'agent') selectedAgent.value = openedKey.value;
  else if (wasAgent === selectedAgent.value) selectedAgent.value = '';
}

function write(): void {
  const hash = hashOf({ project: selectedProject.value, run: selectedRun.value, opened: opened.value });
  // What somebody wrote by hand may say the same in other words.
  if (hash === hashOf(said(location.hash))) return;
  history.pushState(null, '', `${location.pathname}${location.search}${hash ? `#${hash}` : ''}`);
}

/** From now on the address and the page say the same. */
export function keepInAddress(): void {
  read();
  window.addEventListener('hashchange', read);
  window.addEventListener('popstate', read);
  watch([selectedProject, selectedRun, opened], write);
}
