/** Who guesses is locked out, by a limiter of rate-limiter-flexible; who shares an address with them is not. */
import { type KeyRing, keyRing } from '@tollgate/core/keys';
import { manualClock } from '@tollgate/core/testing';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { recordWarnings } from '../helpers/http-warnings.js';
import { keyStore } from '../helpers/key-store.js';

describe('a guarded ring', () => {
  const warnings = recordWarnings();

  async function setUp(guard = new RateLimiterMemory({ points: 3, duration: 60, blockDuration: 600 })) {
    const store = keyStore();
    const clock = manualClock();
    const maker: KeyRing = keyRing({ store: store.join(), clock });
    const keys: KeyRing = keyRing({ store: store.join(), clock, guard });
    const elsewhere: KeyRing = keyRing({ store: keyStore().join(), clock });
    const refusal = async (text: string | undefined, from?: string) => {
      const verification = await keys.verify(text, from);
      return 'refused' in verification ? verification.refused : undefined;
    };
    const guess = async (from?: string) => refusal((await elsewhere.create({ service: 'x' })).reveal(), from);
    return { store, clock, maker, keys, refusal, guess };
  }

  it('locks an address out that has shown too many bad keys, and says for how long', async () => {
    const { guess, keys } = await setUp();
    for (let i = 0; i < 3; i++) expect(await guess('1.1.1.1')).toBe('unauthenticated');
    expect(await guess('1.1.1.1')).toBe('locked-out');
    const { retryAfterMs = 0 } = (await keys.verify('nonsense', '1.1.1.1')) as { retryAfterMs?: number };
    expect(retryAfterMs > 590_000 && retryAfterMs <= 600_000).toBe(true);
    expect(await guess('2.2.2.2')).toBe('unauthenticated');
  });

  it('counts every kind of bad key alike, and none that is missing', async () => {
    const { refusal, maker, guess } = await setUp(
      new RateLimiterMemory({ points: 4, duration: 60, blockDuration: 600 }),
    );
    const { key, reveal } = await maker.create({ service: 'search' });
    await maker.revoke(key.id);
    for (let i = 0; i < 10; i++) expect(await refusal(undefined, '1.1.1.1')).toBe('unauthenticated');
    expect(await refusal('nonsense', '1.1.1.1')).toBe('unauthenticated');
    expect(await refusal(`${reveal()}x`, '1.1.1.1')).toBe('unauthenticated');
    expect(await refusal(reveal(), '1.1.1.1')).toBe('unauthenticated');
    expect(await guess('1.1.1.1')).toBe('unauthenticated');
    expect(await refusal(reveal(), '1.1.1.1')).toBe('locked-out');
  });

  it('asks the store for nothing that a locked-out address shows, right or wrong', async () => {
    const { guess, store, refusal, maker } = await setUp();
    const { reveal } = await maker.create({ service: 'search' });
    for (let i = 0; i < 4; i++) await guess('1.1.1.1');
    const before = store.reads;
    expect([await guess('1.1.1.1'), await refusal(reveal(), '1.1.1.1')]).toEqual(['locked-out', 'locked-out']);
    expect(store.reads).toBe(before);
    expect(await refusal(reveal(), '2.2.2.2')).toBeUndefined();
  });

  it('takes a key that is in use here whoever else is at its address, also after it was changed', async () => {
    const { guess, keys, maker } = await setUp();
    const { key, reveal } = await maker.create({ service: 'search' });
    await keys.verify(reveal(), '1.1.1.1');
    for (let i = 0; i < 4; i++) await guess('1.1.1.1');
    expect(keys.verify(reveal(), '1.1.1.1')).toMatchObject({ key: { id: key.id } });
    await maker.update(key.id, { subject: { plan: 'pro' } });
    expect(await keys.verify(reveal(), '1.1.1.1')).toMatchObject({ key: { subject: { plan: 'pro' } } });
    await maker.revoke(key.id);
    expect(await keys.verify(reveal(), '1.1.1.1')).toMatchObject({ refused: 'locked-out' });
  });

  it('counts those together whose address isn’t known', async () => {
    const { guess } = await setUp();
    for (let i = 0; i < 3; i++) await guess();
    expect(await guess()).toBe('locked-out');
  });

  it('locks nobody out while its limiter does not answer, for longer than a second', async () => {
    const silent = Object.assign(new RateLimiterMemory({ points: 1, duration: 60 }), {
      consume: () => new Promise<never>(() => {}),
      get: () => new Promise<never>(() => {}),
    });
    const { guess, clock } = await setUp(silent);
    const guessing = guess('1.1.1.1');
    await clock.play(2_000);
    expect(await guessing).toBe('unauthenticated');
    expect(warnings().filter((code) => code === 'TOLLGATE_GUARD_FAILED')).toHaveLength(1);
  });

  it('locks nobody out while its limiter fails, and says so once', async () => {
    const failing = Object.assign(new RateLimiterMemory({ points: 1, duration: 60 }), {
      consume: () => Promise.reject(new Error('connection lost')),
      get: () => Promise.reject(new Error('connection lost')),
    });
    const { guess, refusal, maker } = await setUp(failing);
    for (let i = 0; i < 5; i++) expect(await guess('1.1.1.1')).toBe('unauthenticated');
    expect(await refusal((await maker.create({ service: 'search' })).reveal(), '1.1.1.1')).toBeUndefined();
    expect(warnings().filter((code) => code === 'TOLLGATE_GUARD_FAILED')).toHaveLength(1);
  });
});
