/** The figures as the server tells them, read leniently: a field that is missing is null, and nothing is made up. */
import { number, record, text } from '../../state/read';
import type { Json } from '../../state/types';

export const PRIORITIES = ['critical', 'high', 'normal', 'low'] as const;
export type Priority = (typeof PRIORITIES)[number];

const TRANSPORTS = ['websocket', 'polling', 'sse'];
const DOORS = ['socketio', 'sse', 'guide', 'streams', 'visualization', 'pipeline'];
const ROLES = ['observer', 'producer', 'operator', 'admin'];

export interface Spread {
  count: number;
  average: number | null;
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

export interface Latency extends Spread {
  priority: Priority;
  budget: number | null;
  within: number | null;
}

export interface Breaker {
  name: string;
  state: string;
  failures: number;
  opened: number;
  retryInMs: number | null;
  lastError: string;
}

/** A name and how many: of a door, a role, a feature. */
export interface Count {
  name: string;
  count: number;
}

export interface Performance {
  rates: { events: number; updates: number; deliveries: number };
  totals: { events: number; updates: number; deliveries: number };
  latency: Spread;
  byPriority: Latency[];
  connect: Spread;
  success: number | null;
  connections: Count[];
  doors: Count[];
  roles: Count[];
  breakerState: string;
  breakers: Breaker[];
  memory: number | null;
  memoryPeak: number | null;
  cpu: number | null;
  cores: number | null;
  network: { inRate: number; outRate: number; inBytes: number; outBytes: number };
  queues: { hubLag: number; journal: number; behind: number; held: Count[] };
  degradation: { step: number; since: number | null; entered: Count[] };
  uptimeMs: number | null;
}

export interface Issue {
  code: string;
  severity: 'warning' | 'critical';
  message: string;
  action: string;
}

/** Something that operators are told without asking, while it holds. */
export interface Alert {
  id: string;
  code: string;
  severity: string;
  message: string;
  action: string;
  project: string;
  since: number | null;
}

export interface Alerts {
  rows: Alert[];
  total: number;
  isEnabled: boolean;
}

export interface Grade {
  value: number | null;
  /** The most that there may be, where the value is a number of things. */
  limit: number | null;
  grade: string;
}

export interface Health {
  score: number | null;
  status: string;
  issues: Issue[];
  grades: Record<string, Grade>;
}

/** The number at these names, 0 where there is none. */
export const amount = (source: Json, ...names: string[]): number => number(source, ...names) ?? 0;

/** An array of objects; what is none is left out. */
export function records(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(record) : [];
}

/** The moment of an ISO text. */
export function moment(value: unknown): number | null {
  const at = typeof value === 'string' ? Date.parse(value) : NaN;
  return Number.isNaN(at) ? null : at;
}

/** The counts of an object, those that are known first and in their own order: JSON has none. */
export function counts(value: unknown, known: readonly string[] = []): Count[] {
  const source = record(value);
  const place = (name: string): number => (known.includes(name) ? known.indexOf(name) : known.length);
  const names = Object.keys(source).sort((a, b) => place(a) - place(b) || a.localeCompare(b));
  return names.map((name) => ({ name, count: amount(source, name) }));
}

function spread(value: unknown): Spread {
  const source = record(value);
  return {
    count: amount(source, 'count'), average: number(source, 'average'),
    p50: number(source, 'p50'), p95: number(source, 'p95'), p99: number(source, 'p99'),
  };
}

function breaker(source: Json): Breaker {
  return {
    name: text(source, 'name'), state: text(source, 'state') || 'closed', failures: amount(source, 'failures'), opened: amount(source, 'opened'),
    retryInMs: number(source, 'retry_in_ms'), lastError: text(source, 'last_error'),
  };
}

export function readPerformance(told: Json): Performance {
  const [latency, memory, cpu, network] = [record(told.latency_ms), record(told.memory), record(told.cpu), record(told.network)];
  const [queues, degradation] = [record(told.queues), record(told.degradation)];
  const uptime = number(told, 'uptime_seconds');
  return {
    rates: { events: amount(told, 'events_per_second'), updates: amount(told, 'updates_per_second'), deliveries: amount(told, 'deliveries_per_second') },
    totals: { events: amount(told, 'total_events'), updates: amount(told, 'total_updates'), deliveries: amount(told, 'total_deliveries') },
    latency: {
      count: PRIORITIES.reduce((sum, priority) => sum + amount(record(latency[priority]), 'count'), 0),
      average: number(told, 'average_latency_ms'), p50: number(told, 'p50_latency_ms', 'p50'),
      p95: number(told, 'p95_latency_ms', 'p95'), p99: number(told, 'p99_latency_ms', 'p99'),
    },
    byPriority: PRIORITIES.map((priority) => {
      const source = record(latency[priority]);
      return { priority, ...spread(source), budget: number(source, 'budget_ms'), within: number(source, 'within_budget') };
    }),
    connect: spread(told.connect_ms),
    success: number(told, 'success_rate'),
    connections: counts(told.connections, TRANSPORTS), doors: counts(told.connections_by_door, DOORS), roles: counts(told.connections_by_role, ROLES),
    breakerState: text(told, 'circuit_breaker_state'), breakers: records(told.circuit_breakers).map(breaker),
    memory: number(memory, 'rss_bytes') ?? number(told, 'memory_usage'), memoryPeak: number(memory, 'peak_rss_bytes'),
    cpu: number(cpu, 'percent') ?? number(told, 'cpu_usage'), cores: number(cpu, 'cores'),
    network: {
      inRate: amount(network, 'in_bytes_per_second'), outRate: amount(network, 'out_bytes_per_second'),
      inBytes: amount(network, 'in_bytes'), outBytes: amount(network, 'out_bytes'),
    },
    queues: {
      hubLag: amount(queues, 'hub_lag_events'), journal: amount(queues, 'journal_waiting'), behind: amount(queues, 'observers_behind'),
      held: counts(queues.held_updates, PRIORITIES),
    },
    degradation: { step: amount(degradation, 'step'), since: moment(degradation.since), entered: counts(degradation.entered) },
    uptimeMs: uptime === null ? null : uptime * 1000,
  };
}

export function readHealth(told: Json): Health {
  const grades = record(told.grades);
  return {
    score: number(told, 'health_score'), status: text(told, 'health_status'), grades: readGrades(grades),
    issues: records(told.issue_details).map((issue) => ({
      code: text(issue, 'code'), severity: issue.severity === 'critical' ? 'critical' : 'warning',
      message: text(issue, 'message'), action: text(issue, 'action'),
    })),
  };
}

export function readGrades(grades: Json): Record<string, Grade> {
  return Object.fromEntries(Object.keys(grades).map((name) => {
    const grade = record(grades[name]);
    return [name, { value: number(grade, 'value'), limit: number(grade, 'limit'), grade: text(grade, 'grade') }];
  }));
}

export function readAlerts(told: Json): Alerts {
  const rows = records(told.alerts).map((alert) => ({
    id: text(alert, 'id'), code: text(alert, 'code'), severity: text(alert, 'severity'), message: text(alert, 'message'),
    action: text(alert, 'action'), project: text(alert, 'project_id'), since: moment(alert.since),
  }));
  return { rows, total: Math.max(amount(told, 'total'), rows.length), isEnabled: told.enabled !== false };
}
