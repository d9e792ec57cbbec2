// Seneca's `/conversations` page.
import { io } from 'socket.io-client';
import { Page, get } from './seneca-page.mjs';

export class ConversationsPage extends Page {
  isConnected = false;
  conversations = [];
  shown = [];
  activeAgents = [];
  stats = { messagesPerHour: 0, activeAgents: 0, avgConfidence: 0 };
  thought = null;
  /** The replies that the page itself does not look at. */
  replies = [];

  constructor(url, filters = {}) {
    super(io(`${url}/conversations`, { forceNew: true, transports: ['websocket'] }));
    this.url = url;
    this.filters = {
      agentId: '',
      types: { worker_message: true, pm_decision: true, pm_thinking: true, blocker: true },
      timeRange: 60,
      ...filters,
    };
    this.listen('connect', () => {
      this.isConnected = true;
      this.socket.emit('subscribe', { filters: this.filters });
    });
    this.listen('disconnect', () => {
      this.isConnected = false;
    });
    for (const name of ['connected', 'subscribed', 'unsubscribed']) {
      this.listen(name, (reply) => this.replies.push([name, reply]));
    }
    this.listen('conversation', (line) => {
      this.conversations.unshift(line);
      if (this.conversations.length > 1000) this.conversations.pop();
      this.shown = this.filter(this.conversations);
      this.count();
      if (this.shown[0] === line) this.printBubble(line);
    });
    this.listen('marcus_thinking', (data) => {
      this.thought = this.print`${data.thought}`;
    });
    this.listen('agents_update', (data) => {
      this.activeAgents = data.agents;
      this.count();
      this.activeAgents.map((agent) => this.print`${agent.id} ${agent.name}`);
    });
  }

  async load() {
    const { timeRange, agentId } = this.filters;
    const query = new URLSearchParams({ limit: 50, offset: 0, time_range: timeRange });
    if (agentId) query.append('agent_id', agentId);
    const { body } = await get(this.url, `/api/conversations/recent?${query}`);
    if (!body.success) return;
    this.conversations = body.conversations;
    this.shown = this.filter(body.conversations);
    this.hasMore = body.total > 50;
    this.stats.avgConfidence = body.statistics.average_decision_confidence;
    this.stats.activeAgents = body.statistics.unique_agents;
  }

  /** A line without a `type` counts as a worker's; one of another type than the four is hidden. */
  filter(lines) {
    return lines.filter((line) => this.filters.types[line.type || 'worker_message']);
  }

  count() {
    const since = Date.now() - 3_600_000;
    this.stats.messagesPerHour = this.conversations.filter((line) => new Date(line.timestamp) > since).length;
    const agents = new Set();
    for (const line of this.conversations) {
      for (const who of [line.source, line.target]) if (who && who.includes('agent')) agents.add(who);
    }
    this.stats.activeAgents = agents.size;
    const decisions = this.conversations.filter((line) => line.type === 'pm_decision' && line.metadata?.confidence_score);
    if (decisions.length > 0) {
      const sum = decisions.reduce((total, line) => total + (line.metadata.confidence_score || 0), 0);
      this.stats.avgConfidence = sum / decisions.length;
    }
  }

  bubbleClass(line) {
    if (line.source && line.source.includes('agent')) return 'agent';
    return line.source === 'marcus' ? 'marcus' : 'system';
  }

  /** One `.message-bubble`. */
  printBubble(line) {
    const { metadata } = line;
    const out = [
      this.print`${this.bubbleClass(line)}: ${line.source} → ${line.target}`,
      this.print`${new Date(line.timestamp).toLocaleString()}`,
      this.print`${line.message}`,
    ];
    if (metadata && Object.keys(metadata).length > 0) {
      if (metadata.task_id) out.push(this.print`task ${metadata.task_id}`);
      if (metadata.confidence_score) out.push(this.print`${(metadata.confidence_score * 100).toFixed(0)}% confident`);
      if (metadata.status) out.push(this.print`${metadata.status}`);
      const common = ['task_id', 'confidence_score', 'status', 'alternatives'];
      for (const [key, value] of Object.entries(metadata)) {
        if (!common.includes(key) && value) out.push(this.print`${key}: ${value}`);
      }
    }
    if (line.type === 'pm_decision' && metadata.alternatives) {
      for (const other of metadata.alternatives) {
        out.push(this.print`[${other.id}] ${other.name} (${(other.score * 100).toFixed(0)}% match)`);
      }
    }
    return out;
  }

  /** The whole page: every bubble and the figures beside them. */
  render() {
    return this.attempt('page', null, () => {
      const bubbles = this.shown.map((line) => this.printBubble(line));
      const { messagesPerHour, activeAgents, avgConfidence } = this.stats;
      const figures = this.print`${messagesPerHour}/h, ${activeAgents} agents, ${(avgConfidence * 100).toFixed(0)}%`;
      return { bubbles, figures };
    });
  }
}
