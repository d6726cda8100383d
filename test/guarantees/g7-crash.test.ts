/** G7 crash: what an instance leaves when it is killed is seen by those that go on. */
import { concurrency, createTollgate, slidingWindow } from '@tollgate/core';
import { redisStore } from '@tollgate/core/redis';
import { manualClock } from '@tollgate/core/testing';
import { Redis } from 'ioredis';
import { describeWithRedis, useRedis } from '../helpers/redis-server.js';

const LEASE = 60_000;

describeWithRedis('G7 crash', () => {
  const url = useRedis();

  it('leaves estimates charged, and slots until their leases end', async () => {
    const clock = manualClock();
    const instances = [0, 1].map(() => {
      const client = new Redis(url());
      const gate = createTollgate({
        clock,
        store: redisStore(client, { prefix: `crash ${process.pid}`, clock: 'gate', timeoutMs: 60_000 }),
        limits: [
          slidingWindow({ name: 'day', limit: 10, window: '1d' }),
          concurrency({ name: 'runs', limit: 2, lease: `${LEASE}ms` }),
        ],
      });
      return { client, gate };
    });
    const [killed, other] = instances;
    const used = async () =>
      Object.fromEntries((await other.gate.inspect({})).limits.map(({ layer, used }) => [layer, used]));

    for (let i = 0; i < 2; i++) expect((await killed.gate.admit({ permits: 3 })).admitted).toBe(true);
    killed.client.disconnect();
    expect(await used()).toEqual({ day: 6, runs: 2 });
    expect((await other.gate.admit({ permits: 1 })).admitted).toBe(false);
    clock.advance(2 * LEASE);
    expect(await used()).toEqual({ day: 6, runs: 0 });
    expect((await other.gate.admit({ permits: 4 })).admitted).toBe(true);
    expect((await other.gate.admit({ permits: 1 })).admitted).toBe(false);
    await other.gate.close();
    await other.client.quit();
  });
});
