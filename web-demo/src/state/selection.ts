/** The reader's choice: one project or all, one agent's events, one thing opened. The address keeps it. */
import { computed, ref, watch } from 'vue';
import { keyOf } from './keys';

export type OpenKind = 'event' | 'agent' | 'task' | 'run' | 'project' | 'agents' | 'tasks' | 'runs' | 'projects';

export interface Opened {
  kind: OpenKind;
  /** Empty for a list. */
  id: string;
  /** Empty for none. */
  projectId: string;
}

/** The project that the page is narrowed to; empty for all. */
export const selectedProject = ref('');
/** The key of the agent whose entries the feed shows; empty for all. */
export const selectedAgent = ref('');
/** The agent that the pointer or the focus is on, in a list or on the stage. */
export const pointedAgent = ref('');
export const opened = ref<Opened | null>(null);
export const openedKey = computed(() => (opened.value ? keyOf(opened.value.kind === 'project' ? '' : opened.value.projectId, opened.value.id) : ''));

export const isOpen = (kind: OpenKind, key: string): boolean => opened.value?.kind === kind && openedKey.value === key;

/** The element that had the focus when something was opened: the focus goes back there. */
let opener: HTMLElement | null = null;

export function open(kind: OpenKind, thing: { id: string; projectId: string } = { id: '', projectId: '' }): void {
  if (!opened.value) opener = document.activeElement instanceof HTMLElement ? document.activeElement : null;
  opened.value = { kind, id: thing.id, projectId: thing.projectId };
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

const KINDS: readonly string[] = ['event', 'agent', 'task', 'run', 'project', 'agents', 'tasks', 'runs', 'projects'];

/** Takes over what the address says. */
function read(): void {
  const said = new URLSearchParams(location.hash.slice(1));
  selectedProject.value = said.get('project') ?? '';
  const kind = said.get('open') ?? '';
  opened.value = KINDS.includes(kind) ? { kind: kind as OpenKind, id: said.get('id') ?? '', projectId: said.get('of') ?? '' } : null;
  if (opened.value?.kind === 'agent') selectedAgent.value = openedKey.value;
}

function write(): void {
  const says = new URLSearchParams();
  if (selectedProject.value) says.set('project', selectedProject.value);
  if (opened.value) {
    says.set('open', opened.value.kind);
    if (opened.value.id) says.set('id', opened.value.id);
    if (opened.value.projectId) says.set('of', opened.value.projectId);
  }
  const hash = says.toString();
  if (hash === location.hash.slice(1)) return;
  history.replaceState(null, '', `${location.pathname}${location.search}${hash ? `#${hash}` : ''}`);
}

/** From now on the address and the page say the same. */
export function keepInAddress(): void {
  read();
  window.addEventListener('hashchange', read);
  watch([selectedProject, opened], write);
}
