/** How often keys are used, and when last: without a write for each request. */
import { type KeyRing, keyRing } from '@tollgate/core/keys';
import { manualClock } from '@tollgate/core/testing';
import { quiet } from '../helpers/http-server.js';
import { recordWarnings } from '../helpers/http-warnings.js';
import { keyStore } from '../helpers/key-store.js';

const HALF_A_MINUTE = 30_000;

describe('what keys are used for', () => {
  const warnings = recordWarnings();

  async function setUp() {
    const store = keyStore();
    const clock = manualClock();
    const [keys, other] = [1, 2].map((): KeyRing => keyRing({ store: store.join(), clock }));
    const { key, reveal } = await keys.create({ service: 'search' });
    const put = jest.spyOn(store.records, 'put');
    const use = async (ring: KeyRing, times: number) => {
      for (let i = 0; i < times; i++) await ring.verify(reveal());
    };
    return { store, clock, keys, other, key, put, use };
  }

  it('is written once for any number of requests, half a minute after the first', async () => {
    const { keys, clock, put, use, other } = await setUp();
    await use(keys, 100);
    clock.advance(HALF_A_MINUTE - 1);
    await use(keys, 100);
    await quiet();
    expect(put).toHaveBeenCalledTimes(0);
    const lastUsedAt = clock.now();
    clock.advance(1);
    await quiet();
    expect(put).toHaveBeenCalledTimes(1);
    expect(await other.list()).toMatchObject([{ uses: 200, lastUsedAt }]);
    clock.advance(10 * HALF_A_MINUTE);
    await quiet();
    expect(put).toHaveBeenCalledTimes(1);
  });

  it('is the sum of what all processes have counted', async () => {
    const { keys, other, use } = await setUp();
    await Promise.all([use(keys, 10), use(other, 5)]);
    await Promise.all([keys.close(), other.close()]);
    expect(await keys.list()).toMatchObject([{ uses: 15 }]);
  });

  it('is listed with all that this process has counted; never used is 0 and undefined', async () => {
    const { keys, use } = await setUp();
    expect(await keys.list()).toMatchObject([{ uses: 0, lastUsedAt: undefined }]);
    await use(keys, 3);
    expect(await keys.list()).toMatchObject([{ uses: 3 }]);
  });

  it('counts no key that was refused', async () => {
    const { keys, key, use } = await setUp();
    await keys.revoke(key.id);
    await use(keys, 3);
    expect(await keys.list()).toMatchObject([{ uses: 0 }]);
  });

  it('is told later where the store fails, and nothing of it is lost', async () => {
    const { keys, clock, store, use } = await setUp();
    await use(keys, 3);
    store.error = new Error('connection lost');
    clock.advance(HALF_A_MINUTE);
    await quiet();
    expect(warnings()).toContain('TOLLGATE_STORE_FAILED');
    await use(keys, 2);
    store.error = undefined;
    clock.advance(HALF_A_MINUTE);
    await quiet();
    expect(await keys.list()).toMatchObject([{ uses: 5 }]);
  });

  it('is kept for as long as the key is', async () => {
    const { keys, clock, use } = await setUp();
    await use(keys, 1);
    await keys.close();
    clock.advance(120 * 86_400_000 - 1);
    expect(await keys.list()).toMatchObject([{ uses: 1 }]);
  });
});
