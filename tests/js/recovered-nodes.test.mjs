// `socket.recovered` of the stock client on several nodes: it comes back to any of them, whether the one that it was on lives or not.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { asks, call, decision, observe, outcomes, ways } from './recovering.mjs';
import { startRedis, until } from './redis.mjs';
import { LIMIT, next, publish, startStoa } from './server.mjs';

let redis;
const startNode = (name, more = {}) => startStoa({
  env: { STOA_JOURNAL__KIND: 'redis', STOA_JOURNAL__URL: redis.url, STOA_CLUSTER__NODE_ID: name, ...more },
});

before(async () => { redis = await startRedis(); }, LIMIT);
after(() => redis.stop());

/** Has a client come back to another node. */
const goTo = ({ socket }, stoa) => { socket.io.uri = stoa.url; };

for (const [way, options] of Object.entries(ways)) {
  test(`it goes from node to node: ${way}`, LIMIT, async () => {
    const nodes = [await startNode('a'), await startNode('b'), await startNode('c')];
    try {
      const client = observe(nodes[0].url, { ...asks(), ...options });
      const { socket, greeted, cut, decisions } = client;
      await greeted();
      const { id } = socket;
      assert.equal((await call(socket, 'join_room', 'project:p1')).status, 'ok');
      const expected = [];
      const back = async (to, room) => {
        await cut();
        expected.push(`${way} ${expected.length}`);
        await publish(nodes[1].url, [decision(expected.at(-1))]);
        goTo(client, to);
        const resumed = next(socket, 'resumed');
        const { recovery, rooms } = await greeted();
        assert.deepEqual(recovery, { recovered: true });
        assert.ok(rooms.includes(room), rooms.join());
        assert.equal(socket.id, id);
        assert.equal((await resumed).complete, true);
        assert.deepEqual(decisions(), expected);
      };
      await back(nodes[1], 'project:p1');
      // Its acts there hold where it was before, too.
      assert.equal((await call(socket, 'join_room', 'project:p2')).status, 'ok');
      await back(nodes[0], 'project:p2');
      await back(nodes[2], 'project:p2');
      // The node that it is on dies.
      const lost = client.gone();
      await nodes[2].stop('SIGKILL');
      await lost;
      expected.push('while no node had it');
      await publish(nodes[1].url, [decision(expected.at(-1))]);
      goTo(client, nodes[1]);
      assert.deepEqual((await greeted()).recovery, { recovered: true });
      await until('what it missed', () => decisions().length === expected.length);
      assert.deepEqual(decisions(), expected);
      assert.equal((await outcomes(nodes[1])).recovered, 2);
      socket.disconnect();
    } finally {
      for (const node of nodes) await node.stop();
      await (await redis.connection()).flushAll();
    }
  });
}

test('a client that takes another way at once leaves its former connection behind', LIMIT, async () => {
  const [one, two] = [await startNode('a'), await startNode('b')];
  try {
    const { socket, greeted } = observe(one.url, asks());
    await greeted();
    // The same session, shown by somebody else's connection while the first one lives: the session goes there.
    const other = observe(two.url, asks());
    other.socket._pid = socket._pid;
    other.socket._lastOffset = socket._lastOffset;
    assert.deepEqual((await other.greeted()).recovery, { recovered: true });
    assert.equal(other.socket.id, socket.id);
    // The node that it was on writes it no more.
    socket.io.engine.close();
    other.socket.io.engine.close();
    await until('both to be away', async () => !socket.connected && !other.socket.connected);
    const back = next(other.socket, 'connection_established');
    other.socket.connect();
    assert.deepEqual((await back).recovery, { recovered: true });
    other.socket.disconnect();
  } finally {
    await one.stop();
    await two.stop();
  }
});

test('while the engine is away, a client of another node is let in anew', LIMIT, async () => {
  const own = await startRedis();
  const node = (name) => startNode(name, { STOA_JOURNAL__URL: own.url });
  const [one, two] = [await node('a'), await node('b')];
  try {
    const client = observe(one.url, asks());
    await client.greeted();
    await client.cut();
    await own.stop();
    await until('the other node to notice', async () => (await fetch(`${two.url}/readyz`)).status === 503);
    goTo(client, two);
    assert.equal((await client.greeted()).recovery.recovered, false);
    const text = await (await fetch(`${two.url}/metrics`)).text();
    assert.match(text, /stoa_recovery_dropped_total\{reason="unclaimed"\} 1/);
    client.socket.disconnect();
  } finally {
    await one.stop();
    await two.stop();
  }
});
