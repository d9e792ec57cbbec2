// Seneca's pipeline dashboard, and the older pages that ask for flows and for the summary.
import { io } from 'socket.io-client';
import { Page, get } from './seneca-page.mjs';

export class PipelineDashboard extends Page {
  dashboard = { active_flows: [], system_metrics: {}, health_summary: {}, alerts: [] };

  constructor(url) {
    super(io(url, { forceNew: true }));
    this.url = url;
    this.listen('connect', () => {});
    this.listen('dashboard_update', (data) => {
      this.dashboard = data;
      this.render();
    });
    this.listen('flow_update', (data) => {
      const at = this.dashboard.active_flows.findIndex((flow) => flow.flow_id === data.flow_id);
      if (at !== -1) this.dashboard.active_flows[at] = data;
      this.render();
    });
  }

  async load() {
    const { body } = await get(this.url, '/api/pipeline/monitor/dashboard');
    if (!body.success) return;
    for (const key of ['active_flows', 'system_metrics', 'health_summary', 'alerts']) this.dashboard[key] = body[key];
  }

  render() {
    const { active_flows: flows, system_metrics: metrics } = this.dashboard;
    const figures = [
      this.print`Active Flows ${flows.length}`,
      this.print`Flows/Hour ${metrics.flows_per_hour}`,
      this.print`Success Rate ${metrics.success_rate}%`,
      this.print`Avg Completion ${Math.round(metrics.avg_completion_time)}m`,
    ];
    const cards = flows.map((flow) => [
      this.print`${flow.flow_id}`,
      this.print`health-${flow.health_status.status}`,
      this.print`width ${flow.progress_percentage}%`,
      this.print`Stage: ${flow.current_stage}`,
      ...(flow.eta ? [this.print`ETA: ${new Date(flow.eta).toLocaleTimeString()}`] : []),
    ]);
    return { figures, cards };
  }
}

/** The older index and pipeline pages, in one: what they ask for when they connect and what they read of the answers. */
export class OldPages extends Page {
  summary = null;
  flows = null;
  confirmed = [];
  events = 0;

  constructor(url, asks = ['subscribe_conversations', 'subscribe_pipeline_flow']) {
    super(io(url, { forceNew: true }));
    this.listen('connect', () => asks.forEach((name) => this.socket.emit(name, {})));
    this.listen('subscription_confirmed', (reply) => this.confirmed.push(reply));
    this.listen('conversation_summary', (summary) => {
      this.summary = summary;
      this.print`${summary.active_workers} ${summary.tasks_in_progress} ${summary.decision_count}`;
      this.print`${(summary.avg_confidence * 100).toFixed(0)}%`;
    });
    this.listen('active_flows_update', (data) => {
      this.flows = data.flows.map((flow) => {
        this.print`${flow.id} ${flow.project_name} ${new Date(flow.started_at).toLocaleString()} ${flow.event_count}`;
        return flow;
      });
    });
    for (const name of ['conversation_event', 'assignment_event', 'blocker_event']) {
      this.listen(name, (event) => {
        this.events += 1;
        this.print`${event.source} ${event.target} ${event.message} ${new Date(event.timestamp).toLocaleString()}`;
      });
    }
  }
}
