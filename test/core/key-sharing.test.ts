/** Rings of several processes: what one changes, all see; what they know is bounded; and what holds while the store fails. */
import { type KeyRing, type KeyRingOptions, keyRing, type Verification } from '@tollgate/core/keys';
import { manualClock } from '@tollgate/core/testing';
import { recordWarnings } from '../helpers/http-warnings.js';
import { madeUpKey } from '../helpers/key-made-up.js';
import { type KeyStore, keyStore } from '../helpers/key-store.js';

const SECOND = 1_000;
const MINUTE = 60_000;

describe('rings that share a store', () => {
  const warnings = recordWarnings();
  let store: KeyStore;
  let clock: ReturnType<typeof manualClock>;
  let keys: KeyRing<never>;
  let other: KeyRing<never>;
  beforeEach(() => {
    store = keyStore();
    clock = manualClock();
    [keys, other] = [join(), join()];
  });

  const join = (options: Partial<KeyRingOptions<Record<never, never>>> = {}) =>
    keyRing({ store: store.join(), clock, ...options });

  /** What is told of a text, and whether that was known at once. */
  async function show(ring: KeyRing<never>, text: string): Promise<[id: string | undefined, atOnce: boolean]> {
    const verification = ring.verify(text);
    const { key } = await (verification as Promise<Verification>);
    return [key?.id, !('then' in verification)];
  }

  it('read a key once, and know it at once then', async () => {
    const { key, reveal } = await keys.create({ service: 'search' });
    const before = store.reads;
    expect(await show(other, reveal())).toEqual([key.id, false]);
    for (let i = 0; i < 5; i++) expect(await show(other, reveal())).toEqual([key.id, true]);
    expect(store.reads).toBe(before + 1);
  });

  it('read a key once for all that show it at the same time', async () => {
    const { key, reveal } = await keys.create({ service: 'search' });
    const before = store.reads;
    const shown = await Promise.all(Array.from({ length: 20 }, () => show(other, reveal())));
    expect(shown).toEqual(Array(20).fill([key.id, false]));
    expect(store.reads).toBe(before + 1);
  });

  it.each<[string, (ring: KeyRing<never>, id: string) => Promise<unknown>]>([
    ['revokes', (ring, id) => ring.revoke(id)],
    ['rotates without overlap', (ring, id) => ring.rotate(id, { overlap: 0 })],
  ])('all refuse a key that one %s, as soon as they are told', async (_, end) => {
    const { key, reveal } = await keys.create({ service: 'search' });
    for (const ring of [keys, other]) await show(ring, reveal());
    store.telling.isHeldUp = true;
    await end(keys, key.id);
    expect(await show(keys, reveal())).toEqual([undefined, false]);
    expect(await show(other, reveal())).toEqual([key.id, true]);
    store.hub.deliver();
    expect(await show(other, reveal())).toEqual([undefined, false]);
  });

  it('go by what one has changed, as soon as they are told', async () => {
    const { key, reveal } = await keys.create({ service: 'search', subject: { plan: 'free' } });
    await show(other, reveal());
    await keys.update(key.id, { subject: { plan: 'pro' } });
    expect(await other.verify(reveal())).toMatchObject({ key: { subject: { plan: 'pro' } } });
  });

  it('refuse a rotated key when the overlap ends, without being told', async () => {
    const { key, reveal } = await keys.create({ service: 'search' });
    await keys.rotate(key.id, { overlap: 10 });
    await show(other, reveal());
    clock.advance(9);
    expect(await show(other, reveal())).toEqual([key.id, true]);
    clock.advance(1);
    expect(await show(other, reveal())).toEqual([undefined, true]);
  });

  it('see what they were never told after half a minute', async () => {
    const { key, reveal } = await keys.create({ service: 'search' });
    await show(other, reveal());
    store.telling.isHeldUp = true;
    await keys.revoke(key.id);
    store.hub.lose();
    clock.advance(30 * SECOND);
    expect(await show(other, reveal())).toEqual([undefined, false]);
  });

  it('take what was read before a change for no longer than until they are told', async () => {
    const { key, reveal } = await keys.create({ service: 'search' });
    const { get } = store.records;
    let deliver = () => {};
    jest.spyOn(store.records, 'get').mockImplementationOnce(async (...how) => {
      const text = await get(...how);
      await new Promise<void>((resolve) => {
        deliver = resolve;
      });
      return text;
    });
    const early = show(other, reveal());
    await Promise.resolve();
    await keys.revoke(key.id);
    expect(await show(other, reveal())).toEqual([undefined, false]);
    deliver();
    await early;
    expect((await show(other, reveal()))[0]).toBeUndefined();
  });

  it('remember for a while that an id is none, and ask no more than once for it', async () => {
    const text = madeUpKey(1);
    const before = store.reads;
    expect(await show(other, text)).toEqual([undefined, false]);
    for (let i = 0; i < 5; i++) expect(await show(other, text)).toEqual([undefined, true]);
    expect(store.reads).toBe(before + 1);
    clock.advance(10 * SECOND);
    expect(await show(other, text)).toEqual([undefined, false]);
  });

  it('forget no key for a flood of ids that are none', async () => {
    const { key, reveal } = await keys.create({ service: 'search' });
    await show(other, reveal());
    for (let i = 0; i < 10_100; i++) await show(other, madeUpKey(i));
    expect(await show(other, reveal())).toEqual([key.id, true]);
    // Of those that are none the oldest has made room.
    expect([await show(other, madeUpKey(0)), await show(other, madeUpKey(10_099))]).toEqual([
      [undefined, false],
      [undefined, true],
    ]);
  });

  describe('while the store fails', () => {
    const fault = new Error('connection lost');

    it('take keys that were read in the last five minutes, and answer for others that it is down', async () => {
      const [known, unknown] = [await keys.create({ service: 'search' }), await keys.create({ service: 'search' })];
      await show(other, known.reveal());
      store.error = fault;
      clock.advance(5 * MINUTE - 1);
      expect(await show(other, known.reveal())).toEqual([known.key.id, false]);
      // It is not asked for each request.
      expect(await show(other, known.reveal())).toEqual([known.key.id, true]);
      const warned = warnings().length;
      expect(await other.verify(unknown.reveal())).toMatchObject({ refused: 'store-down', retryAfterMs: 5_000 });
      clock.advance(5 * SECOND);
      expect(await other.verify(known.reveal())).toMatchObject({ refused: 'store-down' });
      expect(warnings().slice(warned)).toEqual(['TOLLGATE_STORE_FAILED']);
      store.error = undefined;
      clock.advance(SECOND);
      expect(await show(other, known.reveal())).toEqual([known.key.id, false]);
    });

    it('ask it once a second for whatever is shown, once it has failed three times, and say at once that it is down', async () => {
      const [known, unknown] = [await keys.create({ service: 'search' }), await keys.create({ service: 'search' })];
      await show(other, known.reveal());
      store.error = fault;
      const before = store.reads;
      let shown = 0;
      const flood = async () => {
        for (let i = 0; i < 50; i++) {
          expect(await other.verify(madeUpKey(shown++))).toMatchObject({ refused: 'store-down', why: 'store-down' });
        }
        return store.reads - before;
      };
      expect(await flood()).toBe(3);
      clock.advance(SECOND - 1);
      expect(await flood()).toBe(3);
      clock.advance(1);
      expect(await flood()).toBe(4);
      await clock.advance(MINUTE);
      const since = store.reads;
      expect((await show(other, known.reveal()))[0]).toBe(known.key.id);
      await flood();
      expect(store.reads - since).toBe(1);
      store.error = undefined;
      expect(await other.verify(unknown.reveal())).toMatchObject({ refused: 'store-down' });
      clock.advance(SECOND);
      expect((await show(other, unknown.reveal()))[0]).toBe(unknown.key.id);
      expect(await other.verify(madeUpKey(0))).toMatchObject({ refused: 'unauthenticated', why: 'unknown' });
    });

    it('leave it alone for a second though it takes as long to fail, and wait for it no more than one in a while', async () => {
      const { get } = store.records;
      let asked = 0;
      const spy = jest.spyOn(store.records, 'get').mockImplementation(async () => {
        asked++;
        await clock.advance(SECOND);
        throw fault;
      });
      for (let i = 0; i < 20; i++) expect(await other.verify(madeUpKey(i))).toMatchObject({ why: 'store-down' });
      expect(asked).toBe(3);
      await clock.advance(SECOND);
      for (let i = 0; i < 20; i++) expect(await other.verify(madeUpKey(i))).toMatchObject({ why: 'store-down' });
      expect(asked).toBe(4);
      spy.mockImplementation(get);
      await clock.advance(SECOND);
      expect(await other.verify(madeUpKey(0))).toMatchObject({ why: 'unknown' });
    });

    it('take none from before, where they are told so', async () => {
      const strict = join({ staleFor: 0 });
      const { reveal } = await keys.create({ service: 'search' });
      await show(strict, reveal());
      store.error = fault;
      clock.advance(30 * SECOND);
      expect(await strict.verify(reveal())).toMatchObject({ refused: 'store-down' });
    });

    it('don’t take a key that they know to be changed', async () => {
      const { key, reveal } = await keys.create({ service: 'search' });
      await show(other, reveal());
      await keys.revoke(key.id);
      store.error = fault;
      expect(await other.verify(reveal())).toMatchObject({ refused: 'store-down' });
    });

    it('are told of a revocation that failed half-way when it is repeated', async () => {
      const { key, reveal } = await keys.create({ service: 'search' });
      await show(other, reveal());
      store.telling.error = fault;
      await expect(keys.revoke(key.id)).rejects.toThrow('connection lost');
      store.telling.error = undefined;
      expect(await show(other, reveal())).toEqual([key.id, true]);
      await keys.revoke(key.id);
      expect((await show(other, reveal()))[0]).toBeUndefined();
    });

    it('rotate though it can’t be told: the successor is there, and works', async () => {
      const { key } = await keys.create({ service: 'search' });
      store.telling.error = fault;
      const next = await keys.rotate(key.id);
      expect((await show(other, next.reveal()))[0]).toBe(next.key.id);
      expect(warnings()).toContain('TOLLGATE_NOT_SHARED');
    });
  });
});
