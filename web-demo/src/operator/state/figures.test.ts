import { describe, expect, it } from 'vitest';
import { readAnalytics, readConnections, readParts, readRooms } from './analytics';
import { bytes, count, ms, rate, seconds, share } from './quantity';
import { add, paths, roundUp, stretches, sum } from './series';
import { readHealth, readPerformance } from './shapes';
import { look, named, sentence, spans } from './words';

describe('the figures as the server tells them', () => {
  it('are read as they are', () => {
    const told = readPerformance({
      events_per_second: 3, updates_per_second: 2, deliveries_per_second: 20, total_events: 30, total_updates: 20, total_deliveries: 200,
      p95_latency_ms: 8, latency_ms: { high: { count: 4, p50: 1, p95: 2, p99: 3, budget_ms: 50, within_budget: 1 } },
      connections: { other: 0, polling: 1, sse: 0, websocket: 2 }, success_rate: 0.5, cpu: { percent: 12, cores: 2 }, memory: { rss_bytes: 5 },
      circuit_breakers: [{ name: 'jwks', state: 'open', failures: 5, opened: 1, retry_in_ms: 900, last_error: 'refused' }],
      degradation: { step: 2, since: '2026-01-01T00:00:00.000Z', entered: { low_coalesced: 1 } }, uptime_seconds: 7,
    });
    expect(told.rates).toEqual({ events: 3, updates: 2, deliveries: 20 });
    expect(told.byPriority.map(({ priority, count: of, budget }) => [priority, of, budget])).toEqual([['critical', 0, null], ['high', 4, 50], ['normal', 0, null], ['low', 0, null]]);
    expect(told.connections).toEqual([{ name: 'websocket', count: 2 }, { name: 'polling', count: 1 }, { name: 'sse', count: 0 }, { name: 'other', count: 0 }]);
    expect(told.breakers).toEqual([{ name: 'jwks', state: 'open', failures: 5, opened: 1, retryInMs: 900, lastError: 'refused' }]);
    expect(told.degradation).toEqual({ step: 2, since: Date.UTC(2026, 0, 1), entered: [{ name: 'low_coalesced', count: 1 }] });
    expect([told.success, told.cpu, told.memory, told.uptimeMs]).toEqual([0.5, 12, 5, 7_000]);
  });

  it('are null or nothing where they are missing or odd', () => {
    for (const odd of [{}, { latency_ms: 4, circuit_breakers: 'x', connections: [], degradation: null, success_rate: 'NaN', cpu: { percent: null } }]) {
      const told = readPerformance(odd);
      expect([told.success, told.cpu, told.latency.p95, told.uptimeMs, told.breakers, told.connections]).toEqual([null, null, null, null, [], []]);
      expect(readHealth(odd)).toEqual({ score: null, status: '', issues: [], grades: {} });
      expect(readAnalytics(odd)).toMatchObject({ peak: 0, averageDuration: null, types: [], messages: '' });
      expect(readConnections(odd)).toEqual({ rows: [], total: 0 });
      expect(readRooms(odd)).toEqual({ names: [], total: 0 });
      expect(readParts(odd)).toEqual({ status: '', parts: [] });
    }
  });

  it('say of health what stands against it, and what to do', () => {
    expect(readHealth({
      health_score: 61, health_status: 'unhealthy', issues: ['x'], grades: { message_latency: { value: 700, grade: 'needs_attention' } },
      issue_details: [{ code: 'a', severity: 'critical', message: 'slow', action: 'look' }, { code: 'b', severity: 'odd', message: 'm' }],
    })).toEqual({
      score: 61, status: 'unhealthy', grades: { message_latency: { value: 700, limit: null, grade: 'needs_attention' } },
      issues: [{ code: 'a', severity: 'critical', message: 'slow', action: 'look' }, { code: 'b', severity: 'warning', message: 'm', action: '' }],
    });
  });

  it('put each hour in its place and the most used first', () => {
    const told = readAnalytics({ peak_hours: [{ hour: 23, connections: 5 }, { hour: 24, connections: 9 }, { hour: '3', connections: 9 }], feature_usage: { a: 1, b: 3, c: 0 } });
    expect(told.hours.map((of, hour) => [hour, of]).filter(([, of]) => of)).toEqual([[23, 5]]);
    expect(told.features).toEqual([{ name: 'b', count: 3 }, { name: 'a', count: 1 }]);
  });

  it('list the newest connection first, and only parts that have a status', () => {
    const { rows, total } = readConnections({ total: 9, connections: [{ client_id: 'old', connected_at: '2026-01-01T00:00:00Z' }, { client_id: 'new', connected_at: '2026-01-02T00:00:00Z', user: null }] });
    expect([rows.map(({ id }) => id), total, rows[0]?.user]).toEqual([['new', 'old'], 9, '']);
    expect(readParts({ status: 'ready', parts: { hub: { status: 'ok' }, odd: {}, breakers: { status: 'closed' } } }).parts).toEqual([{ name: 'hub', status: 'ok', reason: '' }]);
  });
});

describe('quantities', () => {
  it('are short, and never rounded to all or nothing', () => {
    expect([null, 0, 1204, 123_456].map(count)).toEqual(['–', '0', '1,204', '123.5K']);
    expect([0, 0.01, 0.44, 9.96, 12.6].map(rate)).toEqual(['0', '<0.1', '0.4', '10', '13']);
    expect([null, 0.01, 3.14, 50, 12_000, 180_000].map(ms)).toEqual(['–', '<0.1 ms', '3.1 ms', '50 ms', '12.0 s', '3 min']);
    expect([0, 1023, 1024, 5_000_000].map(bytes)).toEqual(['0 B', '1023 B', '1.0 KiB', '4.8 MiB']);
    expect([null, 0, 0.0001, 0.5, 0.931, 0.9999, 1].map(share)).toEqual(['–', '0%', '<0.1%', '50%', '93.1%', '>99.9%', '100%']);
    expect([8, 59.9, 300, 7_500, 7_200, 600_000].map(seconds)).toEqual(['8 s', '60 s', '5 min', '2 h 5 min', '2 h', '7 days']);
  });

  it('have words', () => {
    expect(['sse', 'half_open', 'observer'].map(named)).toEqual(['Server-sent events', 'Half open', 'Observer']);
    expect(['closed', 'half_open', 'open', 'what'].map(look)).toEqual(['done', 'gold', 'blocked', 'idle']);
    expect(spans([10, 60, 3600, null])).toEqual(['Up to 10 s', '10 s to 1 min', '1 min to 1 h', 'Over 1 h']);
    expect(['it is full', 'Done.', ''].map(sentence)).toEqual(['It is full.', 'Done.', '']);
    expect(spans([null])).toEqual(['Any']);
  });
});

describe('a series', () => {
  const point = (at: number, value = at) => ({ at, value });

  it('keeps its span and nothing from ahead of now', () => {
    let points = [point(1), point(50)];
    points = add(points, point(101), 100);
    expect(points).toEqual([point(1), point(50), point(101)]);
    expect(add(points, point(120), 100)).toEqual([point(50), point(101), point(120)]);
    // The clock was set back.
    expect(add(points, point(60), 100)).toEqual([point(1), point(50), point(60)]);
  });

  it('breaks where nothing was measured', () => {
    expect(stretches([point(0), point(5), point(30), point(31)], 10)).toEqual([[point(0), point(5)], [point(30), point(31)]]);
    expect(stretches([])).toEqual([]);
  });

  it('is summed up and scaled', () => {
    expect(sum([])).toBeNull();
    expect(sum([point(0, 2), point(1, 6), point(2, 1)])).toEqual({ now: 1, most: 6, least: 1, average: 3 });
    expect([0, 0.3, 1, 1.01, 30, 100, 999].map(roundUp)).toEqual([1, 0.5, 1, 2, 50, 100, 1000]);
  });

  it('is drawn within its frame', () => {
    const frame = { from: 0, to: 10, top: 4, width: 100, height: 40 };
    expect(paths([point(0, 0), point(5, 2), point(10, 9)], frame)).toEqual({ line: 'M0.0 40.0L50.0 20.0L100.0 0.0', area: 'M0.0 40.0L50.0 20.0L100.0 0.0L100.0 40L0.0 40Z' });
    expect(paths([], frame)).toEqual({ line: '', area: '' });
  });
});
