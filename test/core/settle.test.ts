import { runInNewContext } from 'node:vm';
import { type Admission, memoryStore, type Outcome, type Store, slidingWindow, tokenBucket } from '@tollgate/core';
import fc from 'fast-check';
import { breakableStore } from '../helpers/breakable-store.js';
import { flush, gateOf, MINUTE, SECOND, warnings } from './support.js';

const UNITS = ['requests', 'permits', 'tokens', 'inputTokens', 'outputTokens'] as const;

/** A window of each unit. */
const LIMITS = UNITS.map((unit) => slidingWindow({ name: unit, unit, limit: 1000, window: '1m' }));

const REQUEST = { permits: 3, estimate: { inputTokens: 10, outputTokens: 20 } };

const counts = (requests: number, permits: number, inputTokens: number, outputTokens: number) => ({
  requests,
  permits,
  tokens: inputTokens + outputTokens,
  inputTokens,
  outputTokens,
});

/** A promise that is none of this realm's: what a library or another context may give. */
const foreign: <T>(value: T) => Promise<T> = runInNewContext('(value) => Promise.resolve(value)');

/** A store that answers later. */
function remote(native: boolean): Store {
  const kept = memoryStore();
  const later = <T>(value: T): Promise<T> => (native ? Promise.resolve(value) : foreign(value));
  return {
    ...kept,
    take: (request, now) => later(kept.take(request, now)) as ReturnType<Store['take']>,
    peek: (who, bills, now) => later(kept.peek(who, bills, now)) as ReturnType<Store['peek']>,
  };
}

describe('settling', () => {
  test.each<[string, Outcome | undefined, ReturnType<typeof counts>]>([
    ['without a word', undefined, counts(1, 3, 10, 20)],
    ['as succeeded', { outcome: 'succeeded' }, counts(1, 3, 10, 20)],
    ['as failed', { outcome: 'failed' }, counts(1, 3, 10, 20)],
    ['as ignored', { outcome: 'ignored' }, counts(0, 0, 0, 0)],
    ['as ignored, whatever was used', { outcome: 'ignored', usage: { inputTokens: 5 } }, counts(0, 0, 0, 0)],
    ['below the estimate', { usage: { inputTokens: 4, outputTokens: 5 } }, counts(1, 3, 4, 5)],
    ['above the estimate', { usage: { inputTokens: 40, outputTokens: 50 } }, counts(1, 3, 40, 50)],
    ['one below, one above', { usage: { inputTokens: 1, outputTokens: 50 } }, counts(1, 3, 1, 50)],
    ['at nothing', { usage: { inputTokens: 0, outputTokens: 0 } }, counts(1, 3, 0, 0)],
    ['with input alone', { usage: { inputTokens: 4 } }, counts(1, 3, 4, 20)],
    ['with output alone', { usage: { outputTokens: 4 } }, counts(1, 3, 10, 4)],
    ['with an empty usage', { usage: {} }, counts(1, 3, 10, 20)],
    ['as failed, with what it used', { outcome: 'failed', usage: { inputTokens: 4 } }, counts(1, 3, 4, 20)],
    ['far above the limit', { usage: { inputTokens: 5000 } }, counts(1, 3, 5000, 20)],
  ])('%s', async (_, outcome, expected) => {
    const { admission, used } = gateOf(LIMITS);
    await (await admission(REQUEST)).settle(outcome);
    expect(await used()).toEqual(expected);
  });

  test('what is never settled stays charged', async () => {
    const { admission, used } = gateOf(LIMITS);
    await admission(REQUEST);
    expect(await used()).toEqual(counts(1, 3, 10, 20));
  });

  test('what was used above the limit blocks from then on, until it has left', async () => {
    const { clock, admission, refusal } = gateOf([
      slidingWindow({ name: 'w', unit: 'tokens', limit: 100, window: '1m' }),
    ]);
    await (await admission({ permits: 0, estimate: { inputTokens: 1 } })).settle({ usage: { inputTokens: 500 } });
    const { retryAfterMs = 0, violated } = await refusal({ permits: 0, estimate: { inputTokens: 1 } });
    expect(violated).toEqual([expect.objectContaining({ used: 500, remaining: 0 })]);
    clock.advance(retryAfterMs);
    await admission({ permits: 0, estimate: { inputTokens: 100 } });
  });

  test('twice, the first counts', async () => {
    const { admission, used } = gateOf(LIMITS);
    const open = await admission(REQUEST);
    await open.settle({ usage: { inputTokens: 4 } });
    await open.settle({ outcome: 'ignored' });
    await open.settle({ usage: { inputTokens: 100 } });
    await open.conclude({ outcome: 'ignored' });
    expect(await used()).toEqual(counts(1, 3, 4, 20));
  });

  test('twice at once, the first counts', async () => {
    const { admission, used } = gateOf(LIMITS);
    const open = await admission(REQUEST);
    await Promise.all([open.settle({ outcome: 'ignored' }), open.settle({ usage: { inputTokens: 100 } })]);
    expect(await used()).toEqual(counts(0, 0, 0, 0));
  });

  test('one admission leaves others alone', async () => {
    const { admission, used } = gateOf(LIMITS);
    const [first] = [await admission(REQUEST), await admission(REQUEST)];
    await first.settle({ outcome: 'ignored' });
    expect(await used()).toEqual(counts(1, 3, 10, 20));
  });

  test('after a while, gives back to the time that was charged', async () => {
    const { clock, admission, used } = gateOf(LIMITS);
    const open = await admission(REQUEST);
    clock.advance(MINUTE / 2);
    await admission(REQUEST);
    await open.settle({ outcome: 'ignored' });
    expect(await used()).toEqual(counts(1, 3, 10, 20));
    clock.advance(MINUTE / 2 + MINUTE / 10);
    expect(await used()).toEqual(counts(1, 3, 10, 20));
  });

  test('after the window has passed, gives back nothing but charges what was used above', async () => {
    const { clock, admission, used } = gateOf(LIMITS);
    const opens = [await admission(REQUEST), await admission(REQUEST)];
    clock.advance(10 * MINUTE);
    await opens[0].settle({ outcome: 'ignored' });
    expect(await used()).toEqual(counts(0, 0, 0, 0));
    await opens[1].settle({ usage: { inputTokens: 15, outputTokens: 25 } });
    expect(await used()).toEqual(counts(0, 0, 5, 5));
  });

  test('gives a bucket back what was not used', async () => {
    const { admission, used } = gateOf([tokenBucket({ name: 'b', unit: 'tokens', capacity: 100, refill: '1/s' })]);
    await (await admission(REQUEST)).settle({ usage: { inputTokens: 5, outputTokens: 5 } });
    expect(await used()).toEqual({ b: 10 });
    await (await admission(REQUEST)).settle({ usage: { inputTokens: 50, outputTokens: 50 } });
    expect(await used()).toEqual({ b: 110 });
  });
});

describe('a provisional settle', () => {
  test('counts where no other comes, once', async () => {
    const { admission, used } = gateOf(LIMITS);
    const open = await admission(REQUEST);
    await open.conclude({ outcome: 'ignored' });
    await open.conclude({ usage: { inputTokens: 100 } });
    expect(await used()).toEqual(counts(0, 0, 0, 0));
  });

  test('is superseded by one that is not, and that one by none', async () => {
    const { admission, used } = gateOf(LIMITS);
    const open = await admission(REQUEST);
    await open.conclude({ outcome: 'succeeded' });
    expect(await used()).toEqual(counts(1, 3, 10, 20));
    await open.settle({ usage: { inputTokens: 4, outputTokens: 50 } });
    expect(await used()).toEqual(counts(1, 3, 4, 50));
    await open.settle({ outcome: 'ignored' });
    await open.conclude({ outcome: 'ignored' });
    expect(await used()).toEqual(counts(1, 3, 4, 50));
  });

  test('changes nothing after one that is not', async () => {
    const { admission, used } = gateOf(LIMITS);
    const open = await admission(REQUEST);
    await open.settle({ usage: { inputTokens: 4, outputTokens: 5 } });
    await open.conclude({ outcome: 'ignored' });
    expect(await used()).toEqual(counts(1, 3, 4, 5));
  });

  test.each<[string, Outcome]>([
    ['succeeded', { outcome: 'succeeded' }],
    ['failed', { outcome: 'failed' }],
    ['succeeded, with usage', { usage: { inputTokens: 4, outputTokens: 5 } }],
  ])('that gave everything back leaves no trace once it turns out as %s', async (_, outcome) => {
    const { admission, used } = gateOf(LIMITS);
    const open = await admission(REQUEST);
    await open.conclude({ outcome: 'ignored' });
    await open.settle(outcome);
    const { inputTokens = 10, outputTokens = 20 } = outcome.usage ?? {};
    expect(await used()).toEqual(counts(1, 3, inputTokens, outputTokens));
  });

  test('leaves no trace, whatever it said and whatever comes after it', async () => {
    const amount = fc.nat(100);
    const usage = fc.record({ inputTokens: amount, outputTokens: amount });
    const extensions = fc.array(usage, { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(extensions, usage, usage, async (extensions, guessed, known) => {
        const { admission, used } = gateOf(LIMITS);
        const open = await admission(REQUEST);
        for (const more of extensions) await open.extend(more);
        await open.conclude({ usage: guessed });
        expect(await used()).toEqual(counts(1, 3, guessed.inputTokens, guessed.outputTokens));
        await open.settle({ usage: known });
        expect(await used()).toEqual(counts(1, 3, known.inputTokens, known.outputTokens));
      }),
    );
  });

  test('does nothing to an admission that is kept open', async () => {
    const { admission, used } = gateOf(LIMITS);
    const open = await admission(REQUEST);
    open.keepOpen();
    await open.conclude({ outcome: 'ignored' });
    expect(await used()).toEqual(counts(1, 3, 10, 20));
    expect(await open.extend({ inputTokens: 5 })).toMatchObject({ admitted: true });
    await open.settle({ usage: { inputTokens: 1, outputTokens: 1 } });
    expect(await used()).toEqual(counts(1, 3, 1, 1));
    open.keepOpen();
    await open.settle({ outcome: 'ignored' });
    expect(await used()).toEqual(counts(1, 3, 1, 1));
  });

  test('keepOpen after it leaves the one correction that is due', async () => {
    const { admission, used } = gateOf(LIMITS);
    const open = await admission(REQUEST);
    await open.conclude({});
    open.keepOpen();
    await open.settle({ usage: { inputTokens: 1, outputTokens: 1 } });
    expect(await used()).toEqual(counts(1, 3, 1, 1));
  });
});

describe('what is no outcome', () => {
  test.each<[string, unknown]>([
    ['NaN tokens', { usage: { inputTokens: Number.NaN } }],
    ['negative tokens', { usage: { outputTokens: -1 } }],
    ['endless tokens', { usage: { inputTokens: Number.POSITIVE_INFINITY } }],
    ['2^53 tokens', { usage: { outputTokens: 2 ** 53 } }],
    ['tokens as text', { usage: { inputTokens: '5' } }],
    ['tokens that are null', { usage: { inputTokens: null } }],
    ['one good, one bad', { usage: { inputTokens: 5, outputTokens: Number.NaN } }],
    ['a bad usage of what is ignored', { outcome: 'ignored', usage: { inputTokens: -1 } }],
    ['an unknown outcome', { outcome: 'done' }],
    ['an outcome of the prototype', { outcome: 'constructor' }],
    ['null as outcome', { outcome: null }],
    ['null as usage', { usage: null }],
    ['a usage that is a number', { usage: 5 }],
    ['a model that is null', { usage: { outputTokens: 5 }, model: null }],
    ['a model that is a number', { usage: { outputTokens: 5 }, model: 5 }],
    ['a model without a name', { usage: { outputTokens: 5 }, model: '' }],
    ['an overload that is null', { overloaded: null }],
    ['an overload that is a number', { overloaded: 5000 }],
    ['an overload with a negative time', { overloaded: { retryAfterMs: -1 } }],
    ['an overload with a field that none has', { overloaded: { ms: 5 } }],
    ['null', null],
  ])('%s is rejected, and the admission stays open', async (_, outcome) => {
    const { admission, used } = gateOf(LIMITS);
    const open = await admission(REQUEST);
    await expect(open.settle(outcome as Outcome)).rejects.toMatchObject({ code: 'TOLLGATE_USAGE_INVALID' });
    expect(await used()).toEqual(counts(1, 3, 10, 20));
    await open.extend({ inputTokens: 1 });
    await open.settle({ usage: { inputTokens: 4, outputTokens: 5 } });
    expect(await used()).toEqual(counts(1, 3, 4, 5));
  });

  test('the error names the field, the value and what would be right', async () => {
    const open = await gateOf(LIMITS).admission(REQUEST);
    const error: Error = await open.settle({ usage: { outputTokens: -7 } }).catch((error) => error);
    for (const word of ['usage.outputTokens', '-7', '2^53 - 1']) expect(error.message).toContain(word);
  });
});

describe('extending by an estimate', () => {
  test('charges more tokens, and neither requests nor permits', async () => {
    const { admission, used } = gateOf(LIMITS);
    const open = await admission(REQUEST);
    const decision = await open.extend({ inputTokens: 5, outputTokens: 6 });
    expect(decision).toEqual({ admitted: true, admission: open });
    expect(open.estimate).toEqual({ inputTokens: 15, outputTokens: 26, usd: 0 });
    expect(await used()).toEqual(counts(1, 3, 15, 26));
  });

  test('refused, charges nothing and keeps what was admitted', async () => {
    const { admission, used } = gateOf(LIMITS);
    const open = await admission(REQUEST);
    const decision = await open.extend({ inputTokens: 5, outputTokens: 975 });
    expect(decision).toMatchObject({ admitted: false, refusal: { reason: 'limit', id: open.id, layer: 'tokens' } });
    expect(open.estimate).toEqual({ inputTokens: 10, outputTokens: 20, usd: 0 });
    expect(await used()).toEqual(counts(1, 3, 10, 20));
    expect(await open.extend({ outputTokens: 970 })).toMatchObject({ admitted: true });
    await open.settle({ usage: { inputTokens: 1, outputTokens: 2 } });
    expect(await used()).toEqual(counts(1, 3, 1, 2));
  });

  test('by nothing is admitted, also where there is no room', async () => {
    const { admission, used } = gateOf(LIMITS);
    const open = await admission({ permits: 1, estimate: { inputTokens: 1000 } });
    expect(await open.extend({})).toMatchObject({ admitted: true });
    expect(await open.extend({ inputTokens: 0, outputTokens: 0 })).toMatchObject({ admitted: true });
    expect(await used()).toEqual(counts(1, 1, 1000, 0));
  });

  test.each([Number.NaN, -1, 2 ** 53, Number.POSITIVE_INFINITY, '5'])(
    'by %p rejects and charges nothing',
    async (n) => {
      const { admission, used } = gateOf(LIMITS);
      const open = await admission(REQUEST);
      await expect(open.extend({ inputTokens: n as number })).rejects.toMatchObject({
        code: 'TOLLGATE_REQUEST_INVALID',
      });
      expect(await used()).toEqual(counts(1, 3, 10, 20));
    },
  );

  test.each(['settle', 'conclude'] as const)('after %s throws', async (end) => {
    const { admission, used } = gateOf(LIMITS);
    const open = await admission(REQUEST);
    await open[end]({ outcome: 'ignored' });
    await expect(open.extend({ inputTokens: 5 })).rejects.toMatchObject({ code: 'TOLLGATE_ADMISSION_SETTLED' });
    expect(await used()).toEqual(counts(0, 0, 0, 0));
  });

  test('settles as a whole, above or below all the estimates together', async () => {
    const amount = fc.nat(100);
    const tokens = fc.record({ inputTokens: amount, outputTokens: amount });
    await fc.assert(
      fc.asyncProperty(
        tokens,
        fc.array(tokens, { maxLength: 5 }),
        tokens,
        fc.boolean(),
        async (estimate, more, usage, ignored) => {
          const { clock, admission, used } = gateOf(LIMITS);
          const open = await admission({ permits: 3, estimate });
          for (const one of more) {
            clock.advance(1000);
            await open.extend(one);
          }
          await open.settle(ignored ? { outcome: 'ignored' } : { usage });
          expect(await used()).toEqual(
            ignored ? counts(0, 0, 0, 0) : counts(1, 3, usage.inputTokens, usage.outputTokens),
          );
        },
      ),
    );
  });

  test('hundreds of times, looks at each charge no more often as it is settled than a few times', async () => {
    async function looksAtEach(times: number): Promise<number> {
      let looks = 0;
      let charges = 0;
      const kept = memoryStore();
      const take: Store['take'] = (request, now) => {
        const result = kept.take(request, now) as Awaited<ReturnType<Store['take']>>;
        for (const entry of 'receipt' in result ? result.receipt : []) {
          const { charge } = entry;
          charges++;
          const get = () => {
            looks++;
            return charge;
          };
          Object.defineProperty(entry, 'charge', { get });
        }
        return result;
      };
      const { admission, used } = gateOf(LIMITS, { store: { ...kept, take } });
      const open = await admission(REQUEST);
      for (let i = 0; i < times; i++) await open.extend({ inputTokens: 1, outputTokens: 1 });
      looks = 0;
      await open.settle({ usage: { inputTokens: 12, outputTokens: 34 } });
      const ofEach = looks / charges;
      expect(await used()).toEqual(counts(1, 3, 12, 34));
      return ofEach;
    }
    expect(await looksAtEach(400)).toBeLessThan(2 * (await looksAtEach(4)));
  });

  test('that is still on its way when the admission is given back is given back too', async () => {
    const { admission, used } = gateOf(LIMITS);
    const open = await admission(REQUEST);
    const extending = open.extend({ inputTokens: 5 }).catch(() => {});
    await open.settle({ outcome: 'ignored' });
    await extending;
    expect(await used()).toEqual(counts(0, 0, 0, 0));
  });
});

describe('extending by a request', () => {
  const limits = [
    ...LIMITS,
    slidingWindow({ name: 'user', by: 'user', limit: 10, window: '1m' }),
    slidingWindow({ name: 'feature', by: ['user', 'feature'], unit: 'tokens', limit: 50, window: '1m' }),
  ];
  const u = { subject: { user: 'u' }, feature: 'f' };

  function amending() {
    const { gate, ...rest } = gateOf(limits);
    const amend = (extending: Admission, request: Parameters<typeof gate.admit>[0]) =>
      gate.admit(request, { extending });
    return { gate, amend, ...rest };
  }

  test('upwards charges the difference', async () => {
    const { admission, amend, used } = amending();
    const open = await admission({ ...u, permits: 3, estimate: { inputTokens: 10 } });
    const request = { ...u, permits: 8, estimate: { inputTokens: 20, outputTokens: 5 } };
    expect(await amend(open, request)).toEqual({ admitted: true, admission: open });
    expect(await used(u)).toEqual({ ...counts(1, 8, 20, 5), user: 8, feature: 25 });
    expect(open.estimate).toEqual({ inputTokens: 20, outputTokens: 5, usd: 0 });
  });

  test.each(['native', 'of another make'])(
    'that is still on its way when the admission is given back is given back too (promises %s)',
    async (make) => {
      const { gate, admission, used } = gateOf(limits, { store: remote(make === 'native') });
      const open = await admission({ ...u, permits: 3 });
      const amending = gate.admit({ ...u, permits: 8 }, { extending: open });
      await open.settle({ outcome: 'ignored' });
      await expect(amending).rejects.toMatchObject({ code: 'TOLLGATE_ADMISSION_SETTLED' });
      expect(await used(u)).toEqual({ ...counts(0, 0, 0, 0), user: 0, feature: 0 });
    },
  );

  test('is a take of its own, and none where nothing is lacking', async () => {
    const kept = memoryStore();
    const taking = jest.fn(kept.take);
    const { gate, admission } = gateOf(limits, { store: { ...kept, take: taking } });
    const open = await admission({ ...u, permits: 3 });
    for (const permits of [5, 7, 7, 2]) await gate.admit({ ...u, permits }, { extending: open });
    expect(taking).toHaveBeenCalledTimes(3);
  });

  test('downwards gives the difference back', async () => {
    const { admission, amend, used } = amending();
    const open = await admission({ ...u, permits: 8, estimate: { inputTokens: 20, outputTokens: 5 } });
    await amend(open, { ...u, permits: 3, estimate: { inputTokens: 10, outputTokens: 6 } });
    expect(await used(u)).toEqual({ ...counts(1, 3, 10, 6), user: 3, feature: 16 });
    await open.settle({ outcome: 'ignored' });
    expect(await used(u)).toEqual({ ...counts(0, 0, 0, 0), user: 0, feature: 0 });
  });

  test('to the same changes nothing, even where all is full', async () => {
    const { admission, amend, used } = amending();
    const open = await admission({ ...u, permits: 10 });
    expect(await amend(open, { ...u, permits: 10 })).toMatchObject({ admitted: true });
    expect(await used(u)).toEqual({ ...counts(1, 10, 0, 0), user: 10, feature: 0 });
  });

  test("for somebody else moves the charge there, and takes up the request's facts", async () => {
    const { admission, amend, used } = amending();
    const v = { subject: { user: 'v' }, feature: 'g' };
    const open = await admission({ ...u, permits: 3, estimate: { inputTokens: 10 }, model: 'a' });
    await amend(open, { ...v, permits: 4, estimate: { inputTokens: 10 }, model: 'b' });
    expect(await used(u)).toMatchObject({ requests: 1, permits: 4, user: 0, feature: 0 });
    expect(await used(v)).toMatchObject({ requests: 1, permits: 4, user: 4, feature: 10 });
    expect(open.model).toBe('b');
    await open.settle({ usage: { inputTokens: 1 } });
    expect(await used(v)).toMatchObject({ tokens: 1, user: 4, feature: 1 });
  });

  test('refused, gives everything back and tells the truth', async () => {
    const { admission, amend, used } = amending();
    await admission({ ...u, permits: 4 });
    const open = await admission({ ...u, permits: 5 });
    const decision = await amend(open, { ...u, permits: 7 });
    if (decision.admitted) throw new Error('admitted');
    expect(decision.refusal).toMatchObject({ id: open.id, layer: 'user', reason: 'limit' });
    expect(decision.refusal.violated).toEqual([
      expect.objectContaining({ layer: 'user', cost: 7, used: 4, limit: 10, remaining: 6 }),
    ]);
    expect(await used(u)).toMatchObject({ requests: 1, permits: 4, user: 4 });
    await expect(open.extend({ inputTokens: 1 })).rejects.toMatchObject({ code: 'TOLLGATE_ADMISSION_SETTLED' });
    await expect(amend(open, { ...u, permits: 1 })).rejects.toMatchObject({ code: 'TOLLGATE_ADMISSION_SETTLED' });
  });

  test('to what the limit can never hold says never, though the difference would fit', async () => {
    const { admission, amend, used } = amending();
    const open = await admission({ ...u, permits: 5 });
    expect(await amend(open, { ...u, permits: 11 })).toMatchObject({
      admitted: false,
      refusal: { reason: 'too-costly', status: 422, retryAfterMs: undefined },
    });
    expect(await used(u)).toMatchObject({ requests: 0, permits: 0, user: 0 });
  });

  test('refused, names a time at which the whole request fits and before which it does not', async () => {
    const { clock, admission, amend, refusal } = amending();
    const open = await admission({ ...u, permits: 5 });
    clock.advance(MINUTE / 2);
    await admission({ ...u, permits: 5 });
    const decision = await amend(open, { ...u, permits: 6 });
    if (decision.admitted) throw new Error('admitted');
    const { retryAfterMs = 0 } = decision.refusal;
    clock.advance(retryAfterMs - 1);
    await refusal({ ...u, permits: 6 });
    clock.advance(1);
    await admission({ ...u, permits: 6 });
  });

  test('for an unknown tier leaves the admission as it was', async () => {
    const { admission, amend, used } = amending();
    const open = await admission({ ...u, permits: 5 });
    await expect(amend(open, { ...u, tier: 'x' })).rejects.toMatchObject({ code: 'TOLLGATE_UNKNOWN_TIER' });
    expect(await used(u)).toMatchObject({ permits: 5, user: 5 });
    await open.settle({ outcome: 'ignored' });
    expect(await used(u)).toMatchObject({ permits: 0, user: 0 });
  });

  test('any number of times comes to what the last of them would cost alone', async () => {
    const user = fc.constantFrom('u', 'v');
    const request = fc.record({
      subject: fc.record({ user }),
      feature: fc.constantFrom('f', 'g'),
      permits: fc.nat(10),
      estimate: fc.record({ inputTokens: fc.nat(25), outputTokens: fc.nat(25) }),
    });
    await fc.assert(
      fc.asyncProperty(request, fc.array(request, { minLength: 1, maxLength: 5 }), async (first, others) => {
        const { admission, amend, used } = amending();
        const open = await admission(first);
        for (const other of others) expect(await amend(open, other)).toMatchObject({ admitted: true });
        const alone = amending();
        await alone.admission(others[others.length - 1]);
        for (const user of ['u', 'v']) {
          for (const feature of ['f', 'g']) {
            const who = { subject: { user }, feature };
            expect(await used(who)).toEqual(await alone.used(who));
          }
        }
      }),
    );
  });
});

describe('where the store fails', () => {
  type Failure = 'throws' | 'rejects';

  /** A gate whose store fails at the next settle. It answers others at once where it throws, and later where it rejects. */
  function failing(how: Failure, reject = () => Promise.reject(new Error('down'))) {
    const kept = memoryStore();
    let fails = true;
    const store: Store = {
      ...kept,
      settle(...args) {
        if (!fails) return how === 'throws' ? kept.settle(...args) : Promise.resolve(kept.settle(...args));
        fails = false;
        if (how === 'throws') throw new Error('down');
        return reject();
      },
    };
    return gateOf(LIMITS, { store });
  }

  test.each<Failure>(['throws', 'rejects'])(
    'as it %s, it is asked again a second later, and nobody waits',
    async (how) => {
      const { admission, used, clock, gate } = failing(how);
      const failures: unknown[] = [];
      gate.on('store.failed', ({ error }) => failures.push(error));
      const open = await admission(REQUEST);
      await open.settle({ usage: { inputTokens: 4, outputTokens: 5 } });
      expect(failures).toEqual([new Error('down')]);
      expect(await used()).toEqual(counts(1, 3, 10, 20));
      await open.settle({ outcome: 'ignored' });
      clock.advance(999);
      await flush();
      expect(await used()).toEqual(counts(1, 3, 10, 20));
      clock.advance(1);
      await flush();
      expect(await used()).toEqual(counts(1, 3, 4, 5));
    },
  );

  test.each<Failure>(['throws', 'rejects'])(
    'as it %s provisionally, an explicit settle goes behind that',
    async (how) => {
      const { admission, used, gate, clock } = failing(how);
      const settled: boolean[] = [];
      gate.on('settled', ({ provisional }) => settled.push(provisional));
      gate.on('store.failed', () => {});
      const open = await admission(REQUEST);
      await open.conclude({ outcome: 'ignored' });
      await open.settle({ usage: { inputTokens: 4, outputTokens: 50 } });
      expect(settled).toEqual([true, false]);
      expect((await used()).inputTokens).toBe(10);
      clock.advance(1000);
      await flush();
      expect((await used()).inputTokens).toBe(4);
    },
  );

  test('an explicit settle is not undone by a provisional one that fails later', async () => {
    let fail = () => {};
    const later = () =>
      new Promise<never>((_, reject) => {
        fail = () => reject(new Error('down'));
      });
    const { admission, used } = failing('rejects', later);
    const open = await admission(REQUEST);
    const provisional = (async () => open.conclude())().catch(() => {});
    await open.settle({ usage: { inputTokens: 4, outputTokens: 5 } });
    fail();
    await provisional;
    await open.settle({ outcome: 'ignored' });
    expect(await used()).toEqual(counts(1, 3, 4, 5));
  });
});

describe('what the store has failed to settle', () => {
  test('holds up no other admission, however often it fails', async () => {
    const kept = memoryStore();
    const bad = new Set<unknown>();
    const settle: Store['settle'] = (entries, ...how) => {
      if (entries.some((entry) => entry.who.some((value) => bad.has(value)))) throw new Error('not this one');
      return kept.settle(entries, ...how);
    };
    const limits = [slidingWindow({ name: 'w', by: 'user', limit: 1000, window: '1d' })];
    const { gate, admission, used, clock } = gateOf(limits, { store: { ...kept, settle } });
    const failures: unknown[] = [];
    gate.on('store.failed', ({ error }) => failures.push(error));
    const ofUser = (user: string) => ({ subject: { user }, permits: 3 });
    bad.add('bob');
    const ignored = { outcome: 'ignored' } as const;
    await (await admission(ofUser('bob'))).settle(ignored);
    for (let second = 0; second < 3; second++) {
      const open = await admission(ofUser('ann'));
      await open.settle(ignored);
      expect([await used(ofUser('ann')), await used(ofUser('bob'))]).toEqual([{ w: 0 }, { w: 3 }]);
      clock.advance(SECOND);
      await flush();
    }
    bad.clear();
    clock.advance(SECOND);
    await flush();
    expect(await used(ofUser('bob'))).toEqual({ w: 0 });
    expect(failures).toEqual([new Error('not this one')]);
  });

  test('is not asked again once a later settling of it has been done', async () => {
    const kept = memoryStore();
    const asked: { fail(): void; answer(): void }[] = [];
    const settle: Store['settle'] = (...how) =>
      new Promise((resolve, reject) => {
        asked.push({ fail: () => reject(new Error('too late')), answer: () => resolve(kept.settle(...how)) });
      });
    const { admission, used, clock } = gateOf(LIMITS, { store: { ...kept, settle } });
    const open = await admission(REQUEST);
    open.conclude({ usage: { outputTokens: 15 } });
    const settled = open.settle({ usage: { outputTokens: 70 } });
    await flush();
    const [provisional, final] = asked.splice(0);
    provisional.fail();
    await flush();
    final.answer();
    await settled;
    clock.advance(SECOND);
    await flush();
    for (const { answer } of asked) answer();
    await flush();
    expect(await used()).toEqual(counts(1, 3, 10, 70));
    expect(asked).toEqual([]);
  });

  test('is given up where the gate closes meanwhile, which is told', async () => {
    const told = warnings();
    const store = breakableStore();
    const { gate, admission } = gateOf(LIMITS, { store });
    const open = await admission(REQUEST);
    store.break();
    await open.settle({ outcome: 'ignored' });
    told.length = 0;
    await gate.close();
    expect(told.map(({ code }) => code)).toContain('TOLLGATE_SETTLE_FAILED');
  });

  test('is waited for where it is under way as the gate closes, and is asked for no more afterwards', async () => {
    const steps: string[] = [];
    let answer = () => {};
    let isUp = true;
    const kept = memoryStore();
    const store: Store = {
      ...kept,
      settle(entries, actual, now) {
        if (!isUp) throw new Error('the store is down');
        return new Promise<void>((resolve) => {
          answer = () => {
            kept.settle(entries, actual, now);
            steps.push('settled');
            resolve();
          };
        });
      },
      close: () => void steps.push('closed'),
    };
    const { gate, clock, admission } = gateOf(LIMITS, { store });
    const open = await admission(REQUEST);
    isUp = false;
    await open.settle({ outcome: 'ignored' });
    isUp = true;
    clock.advance(SECOND);
    const closing = gate.close();
    await flush();
    answer();
    await closing;
    expect(steps).toEqual(['settled', 'closed']);
  });
});

test.each([
  ['prompt_tokens', 'inputTokens'],
  ['completion_tokens', 'outputTokens'],
  ['promptTokenCount', 'inputTokens'],
])('a usage as providers tell it is told what %s is called here', async (theirs, ours) => {
  const { admission } = gateOf(LIMITS);
  const usage = { [theirs]: 5 } as object;
  await expect((await admission(REQUEST)).settle({ usage })).rejects.toThrow(`expected ${ours} in its place`);
});
