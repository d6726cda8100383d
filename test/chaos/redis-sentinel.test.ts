/** A real sentinel has the replica take over while instances go on: each take is answered, and counts once if it was made. */
import { budget, createTollgate, slidingWindow } from '@tollgate/core';
import { redisStore } from '@tollgate/core/redis';
import { until } from '../helpers/redis-cluster.js';
import { type RedisSentinel, startSentinel } from '../helpers/redis-sentinel.js';
import { describeWithOwnRedis } from '../helpers/redis-server.js';

const CENT = 10_000_000;

describeWithOwnRedis('instances on a Redis by Sentinel', () => {
  let sentinel: RedisSentinel;

  beforeEach(async () => {
    sentinel = await startSentinel();
    jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    await sentinel.stop();
  });

  function open() {
    return createTollgate({
      store: redisStore(sentinel.connect(), { timeoutMs: 2_000, spendLedger: true }),
      limits: [slidingWindow({ name: 'window', limit: 1_000_000, window: '1d', onStoreError: 'closed' })],
      budgets: [budget({ name: 'spend', limit: '$1000000', per: 'month' })],
    });
  }

  it('go on after a failover, with all that they have spent, and nothing twice', async () => {
    while (!(await goOn())) {
      await sentinel.stop();
      sentinel = await startSentinel();
    }
  }, 120_000);

  /** False where the sentinel had none take over, which says nothing of the instances. */
  async function goOn(): Promise<boolean> {
    const gates = [open(), open()];
    let [admitted, spent, isDone] = [0, 0, false];
    const load = gates.map(async (gate, i) => {
      while (!isDone) {
        const decision = await gate.admit({ permits: 1, usd: '$0.05' });
        if (!decision.admitted) {
          expect(decision.refusal.reason).toBe('store-down');
          await new Promise((resolve) => setTimeout(resolve, 20));
          continue;
        }
        admitted++;
        spent += admitted % 3 === 0 ? 5 : 2 + i;
        if (admitted % 3 > 0) await decision.admission.settle({ usd: i === 0 ? '$0.02' : '$0.03' });
      }
    });
    await until(async () => admitted > 200);
    await sentinel.master.kill();
    const before = admitted;
    let isTilted = false;
    await until(async () => {
      isTilted = await sentinel.isTilted();
      return isTilted || admitted > before + 200;
    });
    isDone = true;
    await Promise.all(load);
    if (isTilted) {
      await Promise.all(gates.map((gate) => gate.close()));
      return false;
    }

    const state = async () => (await gates[0].inspect({})).budgets[0].used / CENT;
    await until(async () => (await state()) === spent);
    await Promise.all(gates.map((gate) => gate.close()));
    return true;
  }
});
