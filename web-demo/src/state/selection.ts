/** The reader's choice: one project or all, one run or all, one agent's events, one thing opened. The address keeps it (`address.ts`). */
import { computed, ref } from 'vue';
import { keyOf } from './keys';

export type OpenKind = 'event' | 'agent' | 'task' | 'run' | 'project' | 'question' | 'agents' | 'tasks' | 'runs' | 'projects' | 'artifacts';

export interface Opened {
  kind: OpenKind;
  /** Empty for a list. */
  id: string;
  /** Empty for none. */
  projectId: string;
  /** The cursor of an event, by which it is found however old it is; empty where nobody knows it. */
  cursor?: string;
}

/** The project that the page is narrowed to; empty for all. */
export const selectedProject = ref('');
/** The key of the run that the page is narrowed to; empty for all. */
export const selectedRun = ref('');
/** The key of the agent whose entries the feed shows; empty for all. */
export const selectedAgent = ref('');
/** The agent that the pointer or the focus is on, in a list or on the stage. */
export const pointedAgent = ref('');
export const opened = ref<Opened | null>(null);
export const openedKey = computed(() => (opened.value ? keyOf(opened.value.kind === 'project' ? '' : opened.value.projectId, opened.value.id) : ''));

export const isOpen = (kind: OpenKind, key: string): boolean => opened.value?.kind === kind && openedKey.value === key;

/** The element that had the focus when something was opened: the focus goes back there. */
let opener: HTMLElement | null = null;

export function open(kind: OpenKind, thing: { id: string; projectId: string; cursor?: string } = { id: '', projectId: '' }): void {
  if (!opened.value) opener = document.activeElement instanceof HTMLElement ? document.activeElement : null;
  opened.value = { kind, id: thing.id, projectId: thing.projectId, ...(thing.cursor ? { cursor: thing.cursor } : {}) };
}

/** Opens an agent and narrows the feed to it; again, and both are as before. */
export function chooseAgent(agent: { key: string; id: string; projectId: string }): void {
  if (selectedAgent.value === agent.key && isOpen('agent', agent.key)) return close();
  selectedAgent.value = agent.key;
  open('agent', agent);
}

export function close(): void {
  if (opened.value?.kind === 'agent' && selectedAgent.value === openedKey.value) selectedAgent.value = '';
  opened.value = null;
  if (opener?.isConnected) opener.focus({ preventScroll: true });
  opener = null;
}
