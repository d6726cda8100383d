/** A ring of keys: made, shown, rotated, changed, revoked, over the records of a store. */
import { memoryStore } from '@tollgate/core';
import { type KeyRing, type KeyRingOptions, keyRing } from '@tollgate/core/keys';
import { manualClock } from '@tollgate/core/testing';
import { recordWarnings } from '../helpers/http-warnings.js';
import { madeUpKey } from '../helpers/key-made-up.js';

const DAY = 86_400_000;

function setUp(options: Partial<KeyRingOptions<Record<never, never>>> = {}) {
  const clock = manualClock();
  const store = memoryStore();
  return { clock, store, keys: keyRing({ store, clock, ...options }) };
}

/** The id that is verified, at once; `undefined` where none is. */
function shown(keys: KeyRing<never>, text: string): string | undefined {
  const verification = keys.verify(text);
  if ('then' in verification) throw new Error('expected it to be told at once');
  return verification.key?.id;
}

describe('keyRing', () => {
  recordWarnings();

  it('tells at once whose key is shown, and on whose behalf', async () => {
    const { keys, clock } = setUp();
    const subject = { tenant: 'acme', user: 'u1', plan: 'pro', degrade: false };
    const { key, reveal } = await keys.create({ service: 'search', subject, scopes: { features: ['chat'] } });
    expect(keys.verify(reveal())).toEqual({ key });
    expect(key).toEqual({
      id: expect.any(String),
      identity: key.id,
      service: 'search',
      environment: 'production',
      subject: { ...subject, key: key.id },
      scopes: { features: ['chat'] },
      createdAt: clock.now(),
      expiresAt: clock.now() + 90 * DAY,
      revokedAt: undefined,
      successor: undefined,
    });
  });

  it('takes a key until it expires, and not then', async () => {
    const { keys, clock } = setUp();
    const { key, reveal } = await keys.create({ service: 'search', expiresIn: '2d' });
    clock.advance(2 * DAY - 1);
    expect(shown(keys, reveal())).toBe(key.id);
    clock.advance(1);
    expect(shown(keys, reveal())).toBeUndefined();
  });

  it('keeps what has expired for thirty days, and forgets it then', async () => {
    const { keys, clock } = setUp();
    await keys.create({ service: 'search', expiresIn: '2d' });
    clock.advance(32 * DAY - 1);
    expect(await keys.list()).toHaveLength(1);
    clock.advance(1);
    expect(await keys.list()).toHaveLength(0);
  });

  it('refuses alike what is unknown, has another secret, has expired or is revoked', async () => {
    const { keys, clock } = setUp();
    const [expired, revoked] = [
      await keys.create({ service: 'search', expiresIn: '1d' }),
      await keys.create({ service: 'search' }),
    ];
    const unknown = (await setUp().keys.create({ service: 'search' })).reveal();
    const otherSecret = madeUpKey(revoked.key.id);
    clock.advance(DAY);
    await keys.revoke(revoked.key.id);
    const texts = [undefined, 'nonsense', unknown, otherSecret, expired.reveal(), revoked.reveal()];
    const answers = texts.map((text) => keys.verify(text));
    const told = { key: undefined, refused: 'unauthenticated', retryAfterMs: undefined };
    expect(answers).toEqual([
      { ...told, why: 'missing', found: undefined },
      { ...told, why: 'malformed', found: undefined },
      { ...told, why: 'unknown', found: undefined },
      { ...told, why: 'unknown', found: undefined },
      { ...told, why: 'expired', found: expect.objectContaining({ id: expired.key.id }) },
      { ...told, why: 'revoked', found: expect.objectContaining({ id: revoked.key.id }) },
    ]);
  });

  it('takes no key of another pepper, nor one whose digest is all that is known', async () => {
    const { keys, store, clock } = setUp({ pepper: 'a pepper of good length' });
    const { key, reveal } = await keys.create({ service: 'search' });
    expect(shown(keys, reveal())).toBe(key.id);
    expect(shown(keyRing({ store, clock, pepper: 'another pepper, as long' }), reveal())).toBeUndefined();
    expect(shown(keyRing({ store, clock }), reveal())).toBeUndefined();
  });

  it('knows another key of the same id by its secret alone', async () => {
    const { keys, store, clock } = setUp();
    const { key, reveal } = await keys.create({ service: 'search' });
    const other = await keys.create({ service: 'search' });
    const records = store.records as NonNullable<typeof store.records>;
    const was = (await records.get('keys', key.id, clock.now())) as string;
    const { digest } = JSON.parse((await records.get('keys', other.key.id, clock.now())) as string);
    const text = JSON.stringify({ ...JSON.parse(was), digest });
    await records.put({ collection: 'keys', name: key.id, was, text, ttlMs: DAY }, clock.now());
    expect(shown(keys, reveal())).toBeUndefined();
  });

  it('tells a key of another environment apart from what is none', async () => {
    const { store, clock, keys } = setUp();
    const staging = await keys.create({ service: 'search', environment: 'staging' });
    expect(keys.verify(staging.reveal())).toMatchObject({ key: undefined, refused: 'forbidden' });
    expect(shown(keyRing({ store, clock, environment: 'staging' }), staging.reveal())).toBe(staging.key.id);
  });

  it('has all rings of a store see at once what one does', async () => {
    const { store, clock, keys } = setUp();
    const other = keyRing({ store, clock });
    const { key, reveal } = await keys.create({ service: 'search' });
    expect(shown(other, reveal())).toBe(key.id);
    await keys.update(key.id, { subject: { plan: 'free' } });
    expect(other.verify(reveal())).toMatchObject({ key: { subject: { plan: 'free' } } });
    await keys.revoke(key.id);
    expect(shown(other, reveal())).toBeUndefined();
  });

  describe('rotate', () => {
    it('makes a successor of the same identity, and takes both until the overlap is over', async () => {
      const { keys, clock } = setUp();
      const scopes = { routes: ['POST /chat'] };
      const old = await keys.create({ service: 'search', subject: { tenant: 'acme' }, scopes });
      clock.advance(10 * DAY);
      const next = await keys.rotate(old.key.id, { overlap: '1h', expiresIn: '30d' });
      expect(next.key).toMatchObject({
        identity: old.key.identity,
        service: 'search',
        subject: old.key.subject,
        scopes,
        createdAt: clock.now(),
        expiresAt: clock.now() + 30 * DAY,
      });
      expect([shown(keys, old.reveal()), shown(keys, next.reveal())]).toEqual([old.key.id, next.key.id]);
      clock.advance(3_600_000 - 1);
      expect(shown(keys, old.reveal())).toBe(old.key.id);
      clock.advance(1);
      expect([shown(keys, old.reveal()), shown(keys, next.reveal())]).toEqual([undefined, next.key.id]);
      expect(await keys.list()).toMatchObject([{ successor: next.key.id }, { successor: undefined }]);
    });

    it('keeps the identity over any number of rotations, each once', async () => {
      const { keys } = setUp();
      const first = await keys.create({ service: 'search' });
      let last = first;
      for (let i = 0; i < 3; i++) last = await keys.rotate(last.key.id, { overlap: 0 });
      expect(last.key.identity).toBe(first.key.id);
      expect([shown(keys, first.reveal()), shown(keys, last.reveal())]).toEqual([undefined, last.key.id]);
      await expect(keys.rotate(first.key.id)).rejects.toMatchObject({ code: 'TOLLGATE_KEY_INVALID' });
    });

    it('never lets a key live longer than it would have', async () => {
      const { keys, clock } = setUp();
      const old = await keys.create({ service: 'search', expiresIn: '1d' });
      clock.advance(DAY - 1000);
      await keys.rotate(old.key.id, { overlap: '7d' });
      clock.advance(1000);
      expect(shown(keys, old.reveal())).toBeUndefined();
    });

    it('of one key, asked many times at once, leaves one successor that is taken', async () => {
      const { keys, store, clock } = setUp();
      const rings = [keys, keyRing({ store, clock }), keyRing({ store, clock })];
      const { key } = await keys.create({ service: 'search' });
      const results = await Promise.allSettled(rings.map((ring) => ring.rotate(key.id)));
      const [won, ...others] = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      expect(others).toEqual([]);
      const live = (await keys.list()).filter(({ revokedAt }) => revokedAt === undefined);
      expect(live.map(({ id }) => id).sort()).toEqual([key.id, won.key.id].sort());
      expect(live.find(({ id }) => id === key.id)?.successor).toBe(won.key.id);
    });

    it('that the store fails midway leaves no successor that is taken', async () => {
      const { keys, store } = setUp();
      const { key, reveal } = await keys.create({ service: 'search' });
      const records = store.records as NonNullable<typeof store.records>;
      const { put: really } = records;
      let puts = 0;
      jest.spyOn(records, 'put').mockImplementation((...what) => {
        if (++puts === 2) throw new Error('gone');
        return really(...what);
      });
      await expect(keys.rotate(key.id)).rejects.toThrow('gone');
      expect(shown(keys, reveal())).toBe(key.id);
      expect(await keys.list()).toMatchObject([
        { id: key.id, successor: undefined },
        { revokedAt: expect.any(Number) },
      ]);
    });

    it('gives a successor to what has expired or is revoked, which stays so', async () => {
      const { keys, clock } = setUp();
      const [expired, revoked] = [
        await keys.create({ service: 'search', expiresIn: '1d' }),
        await keys.create({ service: 'search' }),
      ];
      clock.advance(DAY);
      await keys.revoke(revoked.key.id);
      for (const { key, reveal } of [expired, revoked]) {
        const next = await keys.rotate(key.id);
        expect([shown(keys, reveal()), shown(keys, next.reveal())]).toEqual([undefined, next.key.id]);
      }
    });
  });

  describe('update', () => {
    it('revives nothing that has expired, is revoked or has been rotated', async () => {
      const { keys, clock } = setUp();
      const ended = [];
      for (let i = 0; i < 3; i++) ended.push(await keys.create({ service: 'search', expiresIn: '1d' }));
      const [expired, revoked, rotated] = ended;
      await keys.revoke(revoked.key.id);
      await keys.rotate(rotated.key.id, { overlap: 0 });
      const late = await keys.create({ service: 'search', expiresIn: '2d' });
      await keys.rotate(late.key.id, { overlap: '2d' });
      clock.advance(DAY);
      for (const { key } of [...ended, late]) {
        const error = await keys.update(key.id, { expiresIn: '30d' }).catch((error) => error);
        expect(error).toMatchObject({ code: 'TOLLGATE_KEY_INVALID', message: expect.stringContaining("got '30d'") });
        expect(await keys.update(key.id, { subject: { plan: 'free' } })).toMatchObject({ subject: { plan: 'free' } });
      }
      for (const { reveal } of [expired, revoked, rotated]) expect(shown(keys, reveal())).toBeUndefined();
      clock.advance(DAY);
      expect(shown(keys, late.reveal())).toBeUndefined();
    });

    it('changes what it names, and nothing else', async () => {
      const { keys, clock } = setUp();
      const { key, reveal } = await keys.create({
        service: 'search',
        subject: { plan: 'pro' },
        scopes: { models: ['m'] },
      });
      clock.advance(DAY);
      const changed = await keys.update(key.id, { scopes: { features: ['chat'] } });
      expect(changed).toEqual({ ...key, scopes: { features: ['chat'] } });
      expect(keys.verify(reveal())).toEqual({ key: changed });
      expect(await keys.update(key.id, { expiresIn: '1d' })).toMatchObject({ expiresAt: clock.now() + DAY });
    });

    it('loses nothing of what is changed at the same time', async () => {
      const { keys, store, clock } = setUp();
      const { key } = await keys.create({ service: 'search' });
      const other = keyRing({ store, clock });
      await Promise.all([
        keys.update(key.id, { subject: { plan: 'pro' } }),
        other.revoke(key.id),
        keys.update(key.id, { scopes: { features: ['chat'] } }),
        other.rotate(key.id),
      ]);
      expect((await keys.list()).find(({ id }) => id === key.id)).toMatchObject({
        subject: { plan: 'pro' },
        scopes: { features: ['chat'] },
        revokedAt: clock.now(),
        successor: expect.any(String),
      });
    });
  });

  it.each([['rotate'], ['revoke'], ['update']] as const)(
    '%s of what is no key says so, and shows no text',
    async (verb) => {
      const { keys } = setUp();
      const { reveal } = await keys.create({ service: 'search' });
      const ask = (id: string) => keys[verb](id, {});
      await expect(ask('a'.repeat(12))).rejects.toMatchObject({ code: 'TOLLGATE_UNKNOWN_KEY' });
      const error = await ask(reveal()).catch((error) => error);
      expect(error).toMatchObject({ code: 'TOLLGATE_UNKNOWN_KEY' });
      expect(error.message).not.toContain(reveal().slice(-38));
    },
  );
});
