/** A master dies before its replica knows all that was answered: with a ledger no spend is lost, and none is spent twice. */
import type { Store, Taken } from '@tollgate/core';
import type { RedisStoreOptions } from '@tollgate/core/redis';
import { CANCEL, runScript } from '../../packages/core/src/store/redis/scripts.js';
import { alternativeOf, charge, daily, makeMeters, START } from '../conformance/store/charges.js';
import { until } from '../helpers/redis-cluster.js';
import { type RedisFailover, startFailover } from '../helpers/redis-failover.js';
import { describeWithOwnRedis } from '../helpers/redis-server.js';

const LIMIT = 1_000_000;
const USERS = ['ann', 'bob', 'all'];

describeWithOwnRedis('a failover that loses what was answered', () => {
  let redis: RedisFailover;
  const meters = makeMeters();

  beforeEach(async () => {
    redis = await startFailover();
    jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    await redis.stop();
  });

  const open = (options?: RedisStoreOptions) => redis.open(options).store;

  async function take(store: Store, cost: number, user: string): Promise<Taken> {
    const charges = [user, 'all'].map((who) => charge(meters.budget, daily(START), [who], cost, LIMIT));
    const [one, all] = charges.map((one) => alternativeOf([one]));
    const result = await Promise.all([one, all].map((way) => store.take({ alternatives: [way] }, START)));
    return { ...(result[0] as Taken), receipt: result.flatMap((taken) => (taken as Taken).receipt) };
  }

  const settle = (store: Store, { receipt }: Taken, actual: number) =>
    Promise.all(receipt.map((entry) => store.settle([entry], [actual], START)));

  async function spent(store: Store): Promise<number[]> {
    const asked = USERS.map((user) => alternativeOf([charge(meters.budget, daily(START), [user], 0, LIMIT)]));
    const usages = await Promise.all(asked.map(({ who, bills }) => store.peek(who, bills, START)));
    return usages.map(([{ used }]) => used);
  }

  /**
   * Two instances spend, some of it behind the replica's back; the master dies, and the replica takes over, with nothing if
   * `isEmpty`. Returns what isn't settled yet.
   */
  async function failOver(stores: readonly Store[], isEmpty = false): Promise<Taken[]> {
    const [one, other] = stores;
    const before = await Promise.all(Array.from({ length: 40 }, (_, i) => take(stores[i % 2], 10, USERS[i % 2])));
    await redis.replicated();
    await redis.lag();
    // By all lanes, with what is given back, and what is above its estimate.
    const open = before.slice(8);
    const takes = Array.from({ length: 8 }, async (_, i) => {
      await settle(stores[i % 2], before[i], i % 4 < 2 ? 3 : 12);
      const lost = await Promise.all(Array.from({ length: 20 }, () => take(stores[i % 2], 10, USERS[i % 2])));
      await settle(stores[i % 2], lost[0], 4);
      await settle(stores[i % 2], lost[1], 15);
      open.push(lost[2 + (i % 2)]);
    });
    await Promise.all(takes);
    expect([await spent(one), await spent(other)]).toEqual([WANTED, WANTED]);
    await redis.takeOver(isEmpty);
    return open;
  }

  /** Of ann 20 × 10 − 4 × 7 + 4 × (18 × 10 + 4 + 15); of bob likewise, by 2 more where it was 12; of all both. */
  const EACH = 200 - 2 * 7 + 2 * 2 + 4 * (18 * 10 + 4 + 15);
  const WANTED = [EACH, EACH, 2 * EACH];

  it('loses spend without a ledger, and all who share the budget may spend it again', async () => {
    const stores = [open(), open()];
    await failOver(stores);
    for (const store of stores) for (let i = 0; i < 10; i++) await take(store, 0, 'ann');
    expect(await spent(stores[0])).toEqual([200, 200, 400]);
  });

  it('loses none with one, and none is spent twice', async () => {
    const stores = [open({ spendLedger: true }), open({ spendLedger: true })];
    await failOver(stores);
    // Both go on by themselves: what is idle asks whether Redis still knows what it was told.
    const reader = open();
    await until(async () => `${await spent(reader)}` === `${WANTED}`);
    for (const store of stores) for (let i = 0; i < 10; i++) await take(store, 1, 'bob');
    expect(await spent(reader)).toEqual([EACH, EACH + 20, 2 * EACH + 20]);
  });

  it.each([
    ['some', false],
    ['all', true],
  ])('can be settled where it is open as %s of it is lost', async (_, isEmpty) => {
    const stores = [open({ spendLedger: true }), open({ spendLedger: true })];
    const pending = await failOver(stores, isEmpty);
    const storeOf = ({ receipt }: Taken) => stores[USERS.indexOf(receipt[0].who[1] as string)];
    await Promise.all(pending.map((taken) => settle(storeOf(taken), taken, 3)));
    const reader = open();
    const each = EACH - 7 * (pending.length / 2);
    await until(async () => `${await spent(reader)}` === `${[each, each, 2 * each]}`);
    // Nothing is left to give back.
    await Promise.all(pending.map((taken) => settle(storeOf(taken), taken, 0)));
    const least = each - 3 * (pending.length / 2);
    expect(await spent(reader)).toEqual([least, least, 2 * least]);
  });

  it('is given back once it is spent again, whichever lane is asked about first', async () => {
    const store = open({ spendLedger: true });
    await take(store, 1, 'ann');
    await redis.replicated();
    await redis.lag();
    const taken = await take(store, 10, 'bob');
    // While a call is under way, the next goes by another lane.
    const another = take(store, 1, 'ann');
    await new Promise(setImmediate);
    await settle(store, taken, 4);
    await another;
    await take(store, 1, 'ann');
    await redis.takeOver();
    await take(store, 1, 'ann');
    await until(async () => `${await spent(store)}` === '4,4,8');
  });

  it('gives nothing back of what others have spent since all was lost', async () => {
    const [store, other] = [open({ spendLedger: true }), open()];
    const taken = await take(other, 10, 'ann');
    await redis.takeOver(true);
    await take(store, 5, 'ann');
    await settle(other, taken, 0);
    expect(await spent(store)).toEqual([5, 0, 5]);
  });

  it('is known to whoever asks next before that is decided', async () => {
    const store = open({ spendLedger: true });
    await take(store, 1, 'ann');
    await redis.replicated();
    await redis.lag();
    await take(store, LIMIT - 1, 'ann');
    await redis.takeOver();
    const way = alternativeOf([charge(meters.budget, daily(START), ['ann'], 1, LIMIT)]);
    expect(await store.take({ alternatives: [way] }, START)).toMatchObject({
      refused: [[{ used: LIMIT }]],
    });
  });

  it('is not hidden by asking what became of a call that was under way', async () => {
    const doubles = (...numbers: number[]) => Buffer.from(new Float64Array(numbers).buffer);
    const marker = (number: number) => doubles(number, 0, 0);
    const ask = (number: number, known: number, epoch: number) => {
      const values = [number, epoch, known].map(String);
      return runScript(redis.master, CANCEL, ['lane', 'epoch', 'lane'], values) as Promise<Buffer | null>;
    };
    await redis.master.set('lane', marker(2));
    for (const epoch of [7, 8]) expect(await ask(5, 4, epoch)).toEqual(doubles(-1, 7, 2));
    expect(await redis.master.getBuffer('lane')).toEqual(marker(2));
    expect(await redis.master.getBuffer('epoch')).toEqual(doubles(7));
    expect(await ask(5, 2, 8)).toBeNull();
    expect(await redis.master.getBuffer('lane')).toEqual(marker(5));
  });

  it('goes unnoticed where all was replicated', async () => {
    const store = open({ spendLedger: true });
    const taken = await take(store, 10, 'ann');
    await redis.replicated();
    await redis.takeOver();
    await settle(store, taken, 4);
    for (let i = 0; i < 10; i++) await take(store, 1, 'ann');
    expect(await spent(store)).toEqual([14, 0, 14]);
    expect(process.emitWarning).not.toHaveBeenCalled();
  });
});
