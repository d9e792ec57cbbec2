// kill -9 again and again: an observer made of the few lines of the README has every acknowledged event once, or united
// into a later one of its key, and needs no snapshot.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { io } from 'socket.io-client';
import { LIMIT, PATIENCE_MS, publish, startStoa } from './server.mjs';

const ROUNDS = Number(process.env.STOA_CRASH_ROUNDS ?? 5);
const EVENTS_A_ROUND = 800;
const ways = [['websocket'], ['polling', 'websocket'], ['polling']];

/** Waits for conditions without asking in between: whoever changes something says so. */
class Changes {
  waiting = new Set();

  happened() {
    for (const look of this.waiting) look();
  }

  until(what, holds) {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => done(() => reject(new Error(`not in time: ${what()}`))), PATIENCE_MS);
      const done = (settle) => {
        clearTimeout(late);
        this.waiting.delete(look);
        settle();
      };
      const look = () => holds() && done(resolve);
      this.waiting.add(look);
      look();
    });
  }
}

/** One screen over all its connections. */
function observe(url, transports, changes) {
  const seen = { updates: [], resumed: [], snapshots: 0, hellos: 0, cursors: [] };
  const brisk = { transports, forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 100 };

  // These are the lines of the README.
  let cursor; // the place of the last update that came
  const socket = io(url, {
    ...brisk,
    auth: (send) => send({ name: 'dashboard', cursor }), // asked again at every reconnect
  });
  socket.onAny((name, update) => {
    cursor = update?.cursor ?? cursor;
  });

  socket.on('resumed', (resumed) => seen.resumed.push(resumed));
  socket.on('snapshot', () => { seen.snapshots += 1; });
  socket.on('connection_established', () => { seen.hellos += 1; });
  const shown = ['decision_event', 'progress_update', 'message_appended', 'agent_status_change', 'agent_update'];
  for (const name of shown) socket.on(name, (update) => seen.updates.push({ name, update }));
  socket.onAny(() => changes.happened());
  return { socket, seen };
}

/** Publishes until told to stop; what was not acknowledged is published again, under the same ids. */
async function produce(url, who, production, changes) {
  const socket = io(url, {
    auth: { name: who, role: 'producer', filters: { types: ['none'] } },
    forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 100,
  });
  try {
    for (let n = 0; !production.stop; n += 1) {
      const events = [
        { type: 'decision.logged', id: `${who}-d${n}`, data: { what: 'x' } },
        { type: 'task.progress', id: `${who}-p${n}`, data: { task_id: `t-${who}`, progress: n } },
        { type: 'agent.message.appended', id: `${who}-m${n}`, data: { run_id: who, message_id: `m-${who}`, role: 'assistant', content: `${n} ` } },
        { type: 'agent.status.changed', id: `${who}-s${n}`, data: { agent_id: who, old_status: `s${n - 1}`, new_status: `s${n}` } },
      ];
      for (let receipt; receipt?.status !== 'ok';) {
        // A connection that ends answers at once with an error; the next try waits for the next connection.
        receipt = await socket.timeout(PATIENCE_MS).emitWithAck('publish', events).catch(() => undefined);
        if (receipt) assert.deepEqual([receipt.status, receipt.rejected], ['ok', []]);
        else production.again += 1;
      }
      for (const { id } of events) production.acknowledged.add(id);
      changes.happened();
    }
  } finally {
    socket.close();
  }
}

async function kept(url) {
  const events = [];
  for (let after = ''; after !== null;) {
    const page = await (await fetch(`${url}/api/v1/events?limit=1000${after}`)).json();
    assert.equal(page.complete, true);
    events.push(...page.events);
    after = page.next && `&after=${page.next}`;
  }
  return events;
}

const count = (updates) => updates.reduce((sum, { update }) => sum + (update.coalesced ?? 1), 0);

/** `[key, all of that key]`, sorted. */
function grouped(list, key) {
  const groups = new Map();
  for (const one of list) groups.set(key(one), [...(groups.get(key(one)) ?? []), one]);
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The screen that the journal leads to; [`shown`] is the same of a screen. */
function truth(events) {
  const of = (type) => events.filter((event) => event.type === type);
  return {
    decisions: of('decision.logged').map((event) => event.id).sort(),
    progress: grouped(of('task.progress'), (e) => e.data.task_id).map(([id, all]) => [id, all.length, all.at(-1).data.progress]),
    texts: grouped(of('agent.message.appended'), (e) => e.data.message_id).map(([id, all]) => [id, all.map((e) => e.data.content).join('')]),
    changes: grouped(of('agent.status.changed'), (e) => e.data.agent_id).map(([id, all]) => [id, all.length, all.at(-1).data.new_status]),
    agents: grouped(of('agent.status.changed'), (e) => e.data.agent_id).map(([id, all]) => [id, all.length, all.at(-1).data.new_status]),
  };
}

function shown({ updates }) {
  const of = (name) => updates.filter((one) => one.name === name);
  const last = (all) => all.at(-1).update;
  return {
    decisions: of('decision_event').map(({ update }) => update.id).sort(),
    progress: grouped(of('progress_update'), ({ update }) => update.task_id).map(([id, all]) => [id, count(all), last(all).progress]),
    texts: grouped(of('message_appended'), ({ update }) => update.data.message_id).map(([id, all]) => [id, all.map(({ update }) => update.data.content).join('')]),
    changes: grouped(of('agent_status_change'), ({ update }) => update.agent_id).map(([id, all]) => [id, count(all), last(all).new_status]),
    agents: grouped(of('agent_update'), ({ update }) => update.agent_id).map(([id, all]) => [id, count(all), last(all).data.status]),
  };
}

test('nothing acknowledged is lost or shown twice over kill -9', LIMIT, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'stoa-crash-'));
  const env = { STOA_JOURNAL__KIND: 'sqlite', STOA_JOURNAL__PATH: join(folder, 'stoa.db') };
  const changes = new Changes();
  const production = { stop: false, again: 0, acknowledged: new Set() };
  let stoa = await startStoa({ env });
  const { url, port } = stoa;
  const screens = ways.map((transports) => observe(url, transports, changes));
  try {
    await changes.until(() => 'hellos', () => screens.every(({ seen }) => seen.hellos > 0));
    const producing = Promise.all(['w1', 'w2'].map((who) => produce(url, who, production, changes)));
    for (let round = 0; round < ROUNDS; round += 1) {
      const before = production.acknowledged.size;
      await changes.until(() => `round ${round}`, () => production.acknowledged.size >= before + EVENTS_A_ROUND + round * 37);
      // In every second round the server also dies under those who are still catching up.
      if (round % 2 === 0) {
        await changes.until(() => 'resumed', () => screens.every(({ seen }) => seen.resumed.length >= round / 2));
      }
      await stoa.stop('SIGKILL');
      stoa = await startStoa({ env, port });
    }
    production.stop = true;
    await producing;

    // Something that is not united, so that what would come too much has come before it.
    const last = { type: 'decision.logged', id: 'last', data: { what: 'x' } };
    assert.equal((await publish(url, last)).status, 202);
    const events = await kept(url);
    const ids = new Set(events.map((event) => event.id));
    assert.equal(ids.size, events.length, 'no event is kept twice');
    for (const id of production.acknowledged) assert.ok(ids.has(id), `${id} was acknowledged and is gone`);
    const expected = truth(events);
    for (const [at, { seen }] of screens.entries()) {
      const total = () => count(seen.updates);
      const wanted = events.length + events.filter((e) => e.type === 'agent.status.changed').length;
      const ended = () => seen.updates.some(({ update }) => update.id === 'last');
      await changes.until(() => `screen ${at}: ${total()} of ${wanted}`, () => total() >= wanted && ended());
      // It comes behind all that was missed, which may be all that there is.
      await changes.until(() => `screen ${at}: resumed ${seen.resumed.length} times`, () => seen.resumed.length > ROUNDS / 2);
      assert.deepEqual(shown(seen), expected, `screen ${at} (${ways[at]})`);
      const each = new Set(seen.updates.map(({ name, update }) => `${name} ${update.id}`));
      assert.equal(each.size, seen.updates.length, 'no update came twice');
      assert.equal(seen.snapshots, 0);
      assert.ok(seen.resumed.every((resumed) => resumed.complete), JSON.stringify(seen.resumed));
    }
  } finally {
    production.stop = true;
    for (const { socket } of screens) socket.close();
    await stoa.stop('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }
});
