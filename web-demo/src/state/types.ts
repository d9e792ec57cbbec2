/**
 * What the page knows. Entities are never changed in place: an update replaces the object, so a component
 * that holds one re-renders only when its own entity changed.
 */

export type Priority = 'critical' | 'high' | 'normal' | 'low';

export type Animation = 'pulse' | 'fade' | 'flow' | 'progress' | 'flash' | 'celebrate' | 'alert' | 'none';

/** How a thing stands, whatever word its producer used for it: decides colours, nothing else. */
export type Tone = 'active' | 'idle' | 'blocked' | 'done' | 'offline';

export interface Agent {
  id: string;
  name: string;
  role: string;
  /** The producer's own word, in lower case. */
  status: string;
  taskId: string | null;
  /** When it was last heard of, for the list and to choose whom to drop from a crowded stage. */
  at: number;
}

export type TaskStatus = 'todo' | 'in_progress' | 'blocked' | 'done';

export interface Task {
  id: string;
  name: string;
  status: TaskStatus;
  agentId: string | null;
  /** 0–100, or null while nobody said. */
  progress: number | null;
  at: number;
}

export interface Project {
  id: string;
  name: string;
  /** 0–100, or null while nobody said. */
  progress: number | null;
  done: number | null;
  total: number | null;
  status: string;
  at: number;
}

export interface Run {
  id: string;
  name: string;
  status: string;
  progress: number | null;
  current: string;
  at: number;
}

export interface Health {
  severity: string;
  status: string;
  message: string;
  /** How great the risk is that producers see for their project; no word on how the system is. */
  risk: string;
  at: number;
}

export interface Decision {
  id: string;
  decision: string;
  rationale: string;
  confidence: number | null;
  agentId: string | null;
  at: number;
}

/** One message, its deltas joined in the order they came. */
export interface Message {
  id: string;
  runId: string;
  /** Who writes it, where the producer says so. */
  agentId: string | null;
  role: string;
  content: string;
  at: number;
}

export type Family = 'agents' | 'tasks' | 'project' | 'decisions' | 'system' | 'runs' | 'messages' | 'other';

export interface FeedEntry {
  /** Unique within this page's life; an event's id is not (one event gives several updates). */
  key: number;
  id: string;
  type: string;
  sourceType: string;
  family: Family;
  priority: Priority;
  at: number;
  agentId: string | null;
  text: string;
  /** The message it tells a part of: later parts join its line in the place of making new ones. */
  messageId: string;
  /** How many events this one stands for. */
  coalesced: number;
  /** It happened before the page was opened: told, but not announced. */
  past: boolean;
  /** Everything the text filter looks at, in lower case, made once. */
  haystack: string;
}

/** Something to be seen moving on the stage. */
export interface Effect {
  /** The update's type: a message flows the other way than a task. */
  type: string;
  animation: Animation;
  kind: string;
  id: string;
  agentId: string | null;
  taskId: string | null;
  /** Ids between which something flows; empty if the hint names none. */
  from: string;
  to: string;
  durationMs: number;
  intensity: number;
}

export interface State {
  cursor: string | null;
  agents: Map<string, Agent>;
  tasks: Map<string, Task>;
  projects: Map<string, Project>;
  runs: Map<string, Run>;
  health: Health | null;
  /** Newest first. */
  decisions: Decision[];
  /** Oldest first; the map keeps the order of the first delta. */
  messages: Map<string, Message>;
  /** Updates seen by this page, each coalesced one counted as the events it stands for. */
  seen: number;
}

export interface Outcome {
  /** Absent when the update is only a sibling of one that is already in the feed. */
  entry: FeedEntry | null;
  effect: Effect | null;
}

export type Json = Record<string, unknown>;

/** An update as it came: its name and its payload. */
export type Update = [type: string, payload: unknown];
