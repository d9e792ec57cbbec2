// Seneca's Vue UI: its socket store, event log, canvas, metrics panel and health tab.
import { io } from 'socket.io-client';
import { Page, get } from './seneca-page.mjs';

const COLOURED = new Set([
  'worker_message', 'pm_decision', 'pm_thinking', 'kanban_request', 'kanban_response',
  'task_assignment', 'progress_update', 'blocker_report',
]);

export class VueUi extends Page {
  isConnected = false;
  events = [];
  nodes = [
    { id: 'pm-agent', type: 'pm-agent', data: { label: 'Marcus', status: 'idle', metrics: {} } },
    { id: 'kanban-board', type: 'kanban', data: { label: 'Kanban Board', status: 'connected', metrics: {} } },
    { id: 'knowledge-base', type: 'knowledge', data: { label: 'Knowledge Base', status: 'synced', metrics: {} } },
  ];
  edges = [
    { id: 'pm-kanban', source: 'pm-agent', target: 'kanban-board' },
    { id: 'pm-knowledge', source: 'pm-agent', target: 'knowledge-base' },
  ];
  /** The replies that the page itself does not look at. */
  confirmed = [];

  constructor(url) {
    super(io(url, {
      forceNew: true,
      transports: ['websocket'],
      reconnection: true,
      reconnectionAttempts: 5,
      reconnectionDelay: 1000,
      // The page comes from another port than the server.
      extraHeaders: { origin: 'http://localhost:4298' },
    }));
    this.listen('connect', () => {
      this.isConnected = true;
      this.socket.emit('subscribe_conversations', {});
    });
    this.listen('disconnect', () => {
      this.isConnected = false;
    });
    this.listen('subscription_confirmed', (reply) => this.confirmed.push(reply));
    this.listen('conversation_event', (event) => {
      this.talk(event);
      this.log(event);
    });
    this.listen('worker_registration', (data) => {
      const node = this.node(data.workerId);
      if (node) {
        const { name, role, skills } = data;
        this.update(data.workerId, { ...node.data, name, role, skills, status: 'registered' });
      }
    });
    this.listen('task_assignment', (data) => {
      this.update(data.workerId, { currentTask: data.taskId, taskName: data.taskName, status: 'working' });
      this.animate('pm-agent', data.workerId, { type: 'task_assignment' });
    });
    this.listen('progress_update', (data) => {
      const node = this.node(data.workerId);
      if (node) this.update(data.workerId, { ...node.data, progress: data.progress, lastUpdate: data.message });
    });
    this.listen('decision_event', (data) => {
      const { decision, rationale, confidence_score: confidence, timestamp } = data;
      const label = `${data.decision.substring(0, 30)}...`;
      const node = this.add('decision', label, { decision, rationale, confidence, timestamp });
      this.connect('pm-agent', node.id);
      this.printDecision(node);
    });
    this.listen('system_metrics', (data) => {
      this.update('pm-agent', { metrics: {
        decisionsToday: data.decisions_today || 0,
        avgConfidence: data.avg_confidence || 0,
        activeWorkers: data.active_workers || 0,
      } });
      this.update('kanban-board', { metrics: {
        totalTasks: data.total_tasks || 0,
        inProgress: data.tasks_in_progress || 0,
        completed: data.tasks_completed || 0,
      } });
    });
  }

  talk(event) {
    if (!event.source || !event.target) return;
    const { source } = event;
    const role = ['backend', 'frontend', 'test'].find((part) => source.includes(part));
    if ((role || source.startsWith('claude_')) && !this.node(source)) {
      const node = this.add('worker', source, { workerId: source, role: role ?? 'Developer', status: 'active', currentTask: null });
      this.connect(node.id, 'pm-agent');
    }
    this.animate(source, event.target, { type: event.event_type, message: event.message, metadata: event.metadata });
  }

  log(event) {
    const row = { ...event, id: `event-${Math.random()}`, timestamp: new Date(event.timestamp || Date.now()) };
    this.events.unshift(row);
    this.events = this.events.slice(0, 1000);
    this.printRow(row);
  }

  node(id) {
    return this.nodes.find((node) => node.id === id);
  }

  add(type, label, data) {
    const node = { id: `${type}-${Date.now()}`, type, data: { label, status: 'initializing', ...data } };
    this.nodes.push(node);
    return node;
  }

  update(id, data) {
    const at = this.nodes.findIndex((node) => node.id === id);
    if (at !== -1) this.nodes[at] = { ...this.nodes[at], data: { ...this.nodes[at].data, ...data } };
  }

  connect(source, target) {
    this.edges.push({ id: `${source}-${target}`, source, target, data: { messageCount: 0, lastMessage: null } });
  }

  animate(source, target, data) {
    const edge = this.edges.find((e) => e.source === source && e.target === target);
    if (edge) edge.data = { messageCount: edge.data.messageCount + 1, lastMessage: data };
  }

  /** One `.event-entry`. */
  printRow(row) {
    const spoken = (id) => (id?.startsWith('worker_')
      ? id.replace('worker_', 'Worker ')
      : id?.replace(/_/g, ' ').replace(/\b\w/g, (letter) => letter.toUpperCase()) || 'Unknown');
    const time = row.timestamp.toLocaleTimeString('en-US', { hour12: false });
    const colour = COLOURED.has(row.event_type || row.type) ? row.event_type : 'grey';
    return this.print`[${colour}] ${time} ${spoken(row.source)} → ${spoken(row.target)}: ${row.message}`;
  }

  /** `.vue-flow__node-decision`, and the details panel if it is chosen. */
  printDecision({ data }) {
    const lines = [
      this.print`${data.label}`,
      this.print`${Math.round((data.confidence || 0) * 100)}% confidence`,
      this.print`${data.decision}`,
    ];
    if (data.rationale) lines.push(this.print`Rationale: ${data.rationale}`);
    return lines;
  }

  /** A worker's details panel. */
  printWorker({ id, data }) {
    const lines = [this.print`ID: ${id}`, this.print`Status: ${data.status}`];
    if (data.role) lines.push(this.print`Role: ${data.role}`);
    if (data.skills && data.skills.length) lines.push(data.skills.map((skill) => this.print`${skill}`).join(', '));
    if (data.currentTask) {
      lines.push(this.print`${data.taskName || data.currentTask}`);
      if (data.progress !== undefined) lines.push(this.print`Progress ${data.progress}%`);
      if (data.lastUpdate) lines.push(this.print`${data.lastUpdate}`);
    }
    return lines;
  }

  /** `.metrics-panel` and the sums of `.filter-panel`. */
  printMetrics() {
    const { decisionsToday, avgConfidence } = this.node('pm-agent').data.metrics;
    const { totalTasks, inProgress, completed } = this.node('kanban-board').data.metrics;
    const rate = totalTasks > 0 ? Math.round((completed / totalTasks) * 100) : 0;
    const since = Date.now() - 3_600_000;
    const lastHour = this.events.filter((event) => event.timestamp.getTime() > since).length;
    return [
      this.print`${inProgress} in progress, ${rate}% completion rate`,
      this.print`${Math.round(avgConfidence * 100)}%, ${decisionsToday} decisions today`,
      this.print`Total Events: ${this.events.length}, Last Hour: ${lastHour}`,
    ];
  }
}

/** The health tab: REST when it opens. Its handler of `health_update` is there, but the UI never gets to it. */
export class HealthTab {
  data = null;
  history = [];
  error = null;

  constructor(url, page) {
    this.url = url;
    this.page = page;
  }

  /** The acts of the tab if its store let it have the socket. */
  follow() {
    this.page.listen('health_update', (data) => {
      this.data = data;
      this.history = [...this.history, data].slice(-50);
      this.render();
    });
    this.page.socket.emit('subscribe_health_updates', {});
  }

  async open() {
    const { status, body } = await get(this.url, '/api/health/current');
    if (status === 200) this.data = body;
    else if (status === 404) this.data = null;
    else this.error = 'Failed to fetch health data';
    const past = await get(this.url, '/api/health/history?hours=24');
    if (past.status === 200) this.history = past.body.history;
    this.showHistory = past.body.history.length > 0;
  }

  /** The content of the tab; an error here leaves it blank. */
  render() {
    return this.page.attempt('health tab', this.data, () => this.#lines());
  }

  #lines() {
    const print = this.page.print.bind(this.page);
    const time = (at) => (at ? new Date(at).toLocaleString('en-US') : 'N/A');
    if (this.error) return [print`${this.error}`];
    if (!this.data) return ['No health analysis available'];
    const { data } = this;
    const timeline = data.timeline_prediction;
    const lines = [
      print`health-${data.overall_health} ${data.overall_health.toUpperCase()}`,
      print`Updated: ${time(data.timestamp)}`,
      timeline.on_track ? 'On Track' : 'Off Track',
      print`Confidence: ${(timeline.confidence * 100).toFixed(0)}%`,
      print`${timeline.estimated_completion}`,
    ];
    if (timeline.critical_path_risks?.length) lines.push(...timeline.critical_path_risks.map((risk) => print`${risk}`));
    for (const risk of data.risk_factors ?? []) {
      lines.push(print`${risk.type} risk-${risk.severity} ${risk.description} Mitigation: ${risk.mitigation}`);
    }
    for (const advice of data.recommendations ?? []) {
      lines.push(print`priority-${advice.priority} ${advice.action} Expected Impact: ${advice.expected_impact}`);
    }
    for (const idea of data.resource_optimization ?? []) lines.push(print`${idea.suggestion} Impact: ${idea.impact}`);
    if (data.trends) {
      lines.push(print`trend-${data.trends.health_direction}`);
      lines.push(print`${data.trends.confidence_change > 0 ? '+' : '='} ${(data.trends.confidence_change * 100).toFixed(1)}%`);
      lines.push(print`Risks: ${data.trends.risk_change}`);
    }
    if (this.showHistory) lines.push(...this.history.map((item) => print`${time(item.timestamp)} health-${item.overall_health}`));
    return lines;
  }
}
