/** Instances of an app that share Redis share what a provider has left for them, and what it has told one of them. */
import { createTollgate, type Tollgate } from '@tollgate/core';
import { redisStore } from '@tollgate/core/redis';
import { manualClock } from '@tollgate/core/testing';
import { createUpstream, type Provider } from '@tollgate/upstream';
import { Redis } from 'ioredis';
import { describeWithRedis, useRedis } from '../helpers/redis-server.js';
import { answered, fakeTransport, key, post, provider, type Script, warnings } from './support.js';

const AT = 'http://one.test/v1';

describeWithRedis('instances that share Redis', () => {
  const url = useRedis();
  const open: { close(): Promise<void> }[] = [];
  beforeEach(() => void warnings());
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });

  /** Two instances, by one clock. */
  function instances(scripts: readonly Script[], of: Partial<Provider>, name: string, shardBy?: 'tenant') {
    const clock = manualClock();
    const ask = scripts.map((script) => {
      const client = new Redis(url());
      const store = redisStore(client, { clock: 'gate', prefix: name, ...(shardBy && { shardBy }) });
      const gate = createTollgate({ store, clock, limits: [] });
      const { fetch } = fakeTransport(script);
      const providers = [provider('one', AT, [key('k1')], of)];
      const llm = createUpstream({ gate: gate as Tollgate, providers, fetch, maxWait: '0s' });
      open.push(llm, gate, { close: async () => client.disconnect() });
      return async (body: object = {}) => {
        const response = await post(llm.as({ subject: { user: 'u' } }).fetch, AT, body);
        await response.text();
        return response.status;
      };
    });
    return { clock, here: ask[0], there: ask[1] };
  }

  test('count together what a key may', async () => {
    const { here, there, clock } = instances(
      [answered, answered],
      { limits: { default: { minute: { requests: 2 } } } },
      'together',
    );
    expect([await here(), await there(), await here(), await there()]).toEqual([200, 200, 429, 429]);
    clock.advance(30_000);
    expect([await there(), await here()]).toEqual([200, 429]);
  });

  test('count together what a key may, whatever their store is sharded by', async () => {
    const limits = { default: { minute: { requests: 2 } } };
    const { here, there } = instances([answered, answered], { limits }, 'sharded', 'tenant');
    expect([await here(), await there(), await here(), await there()]).toEqual([200, 200, 429, 429]);
  });

  test('let a key rest that has been throttled at one of them', async () => {
    const throttled = { status: 429, headers: { 'retry-after': '20' } };
    const { here, there, clock } = instances([() => throttled, answered], {}, 'resting');
    expect([await here(), await there(), await there({ model: 'large-1' })]).toEqual([429, 429, 200]);
    clock.advance(20_000);
    expect(await there()).toBe(200);
  });
});
