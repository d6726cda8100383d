/** The line of a gate: who waits, for what, and who is next. */
import { type AdmitRequest, budget, concurrency, memoryStore, slidingWindow, tokenBucket } from '@tollgate/core';
import { breakableStore } from '../helpers/breakable-store.js';
import { askers, flush, gateOf, MINUTE, SECOND, START } from './support.js';

const HOUR = 60 * MINUTE;
const forever = { interactive: '1d', standard: '1d', batch: '1d', background: '1d' } as const;
const queue = { maxWait: forever, shedding: false } as const;

describe('a line', () => {
  it('has the second wait until the first is settled', async () => {
    const { gate, clock, used } = gateOf([], { queue: { concurrency: 1 } });
    const { ask, of, end, began } = askers(gate);
    ask('first');
    ask('second');
    await flush();
    expect(began).toEqual(['first']);
    expect(await used()).toEqual({ concurrency: 1 });
    clock.advance(2 * SECOND);
    await end('first');
    expect(began).toEqual(['first', 'second']);
    expect(of('first').waitedMs).toBe(0);
    expect(of('second').waitedMs).toBe(2 * SECOND);
    await end('second');
    expect(await used()).toEqual({ concurrency: 0 });
  });

  it('lets the more urgent begin first, and of one priority the first that came', async () => {
    const { gate } = gateOf([], { queue: { ...queue, concurrency: 1 } });
    const { ask, end, began } = askers(gate);
    ask('runs');
    for (const priority of ['background', 'batch', undefined, 'interactive'] as const) {
      ask(`${priority} 1`, { permits: 1, priority });
      ask(`${priority} 2`, { permits: 1, priority });
    }
    await flush();
    for (let i = 0; i < 8; i++) await end(began[i]);
    expect(began.slice(1)).toEqual(
      ['interactive', 'undefined', 'batch', 'background'].flatMap((name) => [`${name} 1`, `${name} 2`]),
    );
  });

  it('lets who has waited for the ageing begin before the more urgent that come then', async () => {
    const { gate, clock } = gateOf([], { queue: { ...queue, concurrency: 1, ageing: '4m' } });
    const { ask, end, began } = askers(gate);
    ask('runs');
    ask('batch', { permits: 1, priority: 'batch' });
    await flush();
    clock.advance(4 * MINUTE - 1);
    ask('before', { permits: 1, priority: 'interactive' });
    clock.advance(1);
    ask('at the same time', { permits: 1, priority: 'interactive' });
    await flush();
    for (let i = 0; i < 3; i++) await end(began[i]);
    expect(began).toEqual(['runs', 'before', 'batch', 'at the same time']);
  });

  it('is not for what is extended or changed: that begins at once or is refused', async () => {
    const window = slidingWindow({ name: 'w', limit: 5, window: '1m', whenFull: 'wait' });
    const { gate, admission } = gateOf([window], { queue });
    const open = await admission({ permits: 5 });
    const decision = await gate.admit({ permits: 9 }, { extending: open });
    expect(decision).toMatchObject({ admitted: false, refusal: { reason: 'too-costly' } });
    const again = await admission({ permits: 3 });
    expect(await gate.admit({ permits: 5 }, { extending: again })).toMatchObject({ admitted: true });
    const tokens = slidingWindow({ name: 't', unit: 'tokens', limit: 5, window: '1m', whenFull: 'wait' });
    const other = gateOf([tokens], { queue });
    const first = await other.admission({ permits: 1, estimate: { inputTokens: 5 } });
    expect(await first.extend({ inputTokens: 1 })).toMatchObject({ admitted: false, refusal: { reason: 'limit' } });
  });

  it('is not for those who may not wait, who are refused as without it', async () => {
    const { gate, refusal } = gateOf([], { queue: { concurrency: 1, maxWait: { batch: '0s' } } });
    await gate.admit({ permits: 1 });
    const refused = { reason: 'limit', layer: 'concurrency', status: 429 };
    expect(await refusal({ permits: 1, priority: 'batch' })).toMatchObject(refused);
    expect(await refusal({ permits: 1, maxWait: 0 })).toMatchObject(refused);
  });

  it('is not for what waiting does not help', async () => {
    const limits = [
      slidingWindow({ name: 'waits', limit: 5, window: '1m', whenFull: 'wait' }),
      slidingWindow({ name: 'refuses', limit: 2, window: '1m', unit: 'requests' }),
    ];
    const { admission, refusal } = gateOf(limits, { queue });
    expect(await refusal({ permits: 6 })).toMatchObject({ reason: 'too-costly', layer: 'waits' });
    await admission({ permits: 5 });
    await admission({ permits: 0 });
    expect(await refusal({ permits: 1 })).toMatchObject({ reason: 'limit', status: 429 });
  });

  it('refuses with what refuses by then whose turn comes too late for a limit that does not wait', async () => {
    const limits = [slidingWindow({ name: 'refuses', limit: 2, window: '1m', unit: 'requests', by: 'user' })];
    const { gate } = gateOf(limits, { queue: { ...queue, concurrency: 1 } });
    const { ask, end, refusals, began } = askers(gate);
    const request: AdmitRequest = { permits: 1, subject: { user: 'ann' } };
    for (const name of ['first', 'second', 'third']) ask(name, request);
    ask('other', { permits: 1, subject: { user: 'bob' } });
    await flush();
    await end('first');
    await end('second');
    expect(refusals.get('third')).toMatchObject({ reason: 'limit', layer: 'refuses', status: 429 });
    expect(began).toEqual(['first', 'second', 'other']);
  });
});

describe('what waits for time', () => {
  it('begins when a window has room again, and not before', async () => {
    const limit = slidingWindow({ name: 'w', limit: 10, window: '1m', parts: 6, whenFull: 'wait' });
    const { gate, clock, used } = gateOf([limit], { queue });
    const { ask, of, began } = askers(gate);
    ask('first', { permits: 10 });
    ask('second', { permits: 4 });
    await flush();
    clock.advance(MINUTE + 10 * SECOND - 1);
    await flush();
    expect(began).toEqual(['first']);
    expect(await used()).toEqual({ w: 10 });
    clock.advance(1);
    await flush();
    expect(of('second').waitedMs).toBe(MINUTE + 10 * SECOND);
    expect(await used()).toEqual({ w: 4 });
  });

  it('begins then however late the store has answered that there is no room', async () => {
    const inner = memoryStore();
    const answers: (() => void)[] = [];
    const store: typeof inner = {
      ...inner,
      take(request, now) {
        const result = inner.take(request, now);
        return new Promise((resolve) => answers.push(() => resolve(result as never)));
      },
    };
    async function answer(): Promise<void> {
      await flush();
      expect(answers).toHaveLength(1);
      answers.pop()?.();
      await flush();
    }
    const limit = slidingWindow({ name: 'w', limit: 10, window: '1m', parts: 6, whenFull: 'wait' });
    const { gate, clock } = gateOf([limit], { queue, store });
    const { ask, of, began } = askers(gate);
    for (const name of ['first', 'second']) {
      ask(name, { permits: 5 });
      await answer();
    }
    ask('third', { permits: 6 });
    clock.advance(20 * SECOND);
    await answer();
    // What is given back is too little, as it learns late, too.
    await of('second').settle({ outcome: 'ignored' });
    clock.advance(20 * SECOND);
    await answer();
    clock.advance(30 * SECOND - 1);
    await flush();
    expect(answers).toHaveLength(0);
    clock.advance(1);
    await answer();
    expect(began).toEqual(['first', 'second', 'third']);
    // Where the time that it was told has gone by meanwhile, it asks at once.
    ask('fourth', { permits: 5 });
    clock.advance(2 * MINUTE);
    await answer();
    clock.advance(1);
    await answer();
    expect(began).toContain('fourth');
  });

  it('begins when a bucket has filled up so far', async () => {
    const limit = tokenBucket({ name: 'b', capacity: 10, refill: '1/s', whenFull: 'wait' });
    const { gate, clock, admission } = gateOf([limit], { queue });
    const { ask, of } = askers(gate);
    await (await admission({ permits: 10 })).settle();
    ask('first', { permits: 4 });
    ask('second', { permits: 2 });
    clock.advance(4 * SECOND);
    await flush();
    expect(of('first').waitedMs).toBe(4 * SECOND);
    await of('first').settle();
    clock.advance(2 * SECOND);
    await flush();
    expect(of('second').waitedMs).toBe(6 * SECOND);
  });

  it("begins with a budget's next period, at the prices that it came with", async () => {
    const limit = budget({ name: 'day', limit: '$1', per: 'day', whenFull: 'wait' });
    const { gate, clock, used } = gateOf([], { budgets: [limit], queue: { ...queue, maxWait: '2d' } });
    const { ask, of, began } = askers(gate);
    ask('first', { permits: 1, usd: '$0.70' });
    ask('second', { permits: 1, usd: '$0.70' });
    ask('free', { permits: 1, usd: '$0' });
    await flush();
    expect(began).toEqual(['first', 'free']);
    clock.set(START + 24 * HOUR);
    await flush();
    expect(of('second').waitedMs).toBe(24 * HOUR);
    expect(await used()).toEqual({ day: 700_000_000 });
  });

  it('begins when room is given back', async () => {
    const limit = slidingWindow({ name: 'w', unit: 'tokens', limit: 10, window: '1h', whenFull: 'wait' });
    const { gate } = gateOf([limit], { queue });
    const { ask, of, end, began } = askers(gate);
    const tokens = (inputTokens: number) => ({ permits: 1, estimate: { inputTokens } });
    ask('first', tokens(10));
    ask('second', tokens(4));
    ask('third', tokens(4));
    await flush();
    await of('first').settle({ usage: { inputTokens: 5, outputTokens: 0 } });
    await flush();
    expect(began).toEqual(['first', 'second']);
    await end('second', { outcome: 'ignored' });
    expect(began).toEqual(['first', 'second', 'third']);
  });

  it('begins when what a slot was lent for is over', async () => {
    const { gate, clock } = gateOf([], { queue: { ...queue, concurrency: 1, lease: '1m' } });
    const { ask, began } = askers(gate);
    ask('never settled');
    ask('next');
    clock.advance(2 * MINUTE);
    await flush();
    expect(began).toEqual(['never settled', 'next']);
  });

  it('begins when a limit is raised, a budget topped up or reset', async () => {
    const limits = [
      slidingWindow({ name: 'w', by: 'user', limit: 1, window: '1h', whenFull: 'wait' }),
      concurrency({ name: 'c', by: 'user', limit: 1 }),
    ];
    const budgets = [budget({ name: 'b', by: 'user', limit: '$1', per: 'day', whenFull: 'wait' })];
    const { gate } = gateOf(limits, { budgets, queue: { ...queue, maxWait: '2d' } });
    const { ask, began } = askers(gate);
    const of = (user: string, permits: number, usd: '$0' | '$1'): AdmitRequest => ({ subject: { user }, permits, usd });
    for (const name of ['w1', 'w2']) ask(name, of('w', 1, '$0'));
    for (const name of ['b1', 'b2', 'b3']) ask(name, of('b', 0, '$1'));
    await flush();
    expect(began).toEqual(['w1', 'b1']);
    gate.update({ limits: { w: { limit: 2 } } });
    await flush();
    expect(began).toEqual(['w1', 'b1']);
    gate.update({ limits: { c: { limit: 2 } } });
    await flush();
    expect(began).toEqual(['w1', 'b1', 'w2']);
    await gate.topUp('b', { user: 'b' }, '$1');
    await flush();
    expect(began).toEqual(['w1', 'b1', 'w2', 'b2']);
    gate.update({ limits: { c: { limit: 3 } } });
    await gate.resetBudget('b', { user: 'b' });
    await flush();
    expect(began).toEqual(['w1', 'b1', 'w2', 'b2', 'b3']);
  });
});

describe('who is next', () => {
  it('is not overtaken by small costs that would fit while a large one waits', async () => {
    const limit = slidingWindow({ name: 'w', limit: 10, window: '1m', whenFull: 'wait', parts: 6 });
    const { gate, clock, used } = gateOf([limit], { queue });
    const { ask, began } = askers(gate);
    ask('half', { permits: 6 });
    ask('large', { permits: 10 });
    await flush();
    ask('small', { permits: 1 });
    ask('urgent', { permits: 1, priority: 'interactive' });
    await flush();
    expect(began).toEqual(['half', 'urgent']);
    clock.advance(MINUTE + 20 * SECOND);
    await flush();
    expect(began).toEqual(['half', 'urgent', 'large']);
    expect(await used()).toEqual({ w: 10 });
    clock.advance(2 * MINUTE);
    await flush();
    expect(began).toEqual(['half', 'urgent', 'large', 'small']);
  });

  it('does not hold up those whom it does not concern', async () => {
    const limits = [
      slidingWindow({ name: 'tenant', by: 'tenant', limit: 2, window: '1m', whenFull: 'wait' }),
      slidingWindow({ name: 'tokens', unit: 'tokens', limit: 10, window: '1m', whenFull: 'wait' }),
    ];
    const { gate } = gateOf(limits, { queue: { ...queue, concurrency: 10 } });
    const { ask, began } = askers(gate);
    const of = (tenant: string, inputTokens = 0): AdmitRequest => ({
      permits: 2,
      subject: { tenant },
      estimate: { inputTokens },
    });
    ask('a1', of('a'));
    ask('a2', of('a'));
    ask('b1', of('b', 10));
    ask('c1', of('c', 5));
    ask('d1', of('d'));
    await flush();
    expect(began).toEqual(['a1', 'b1', 'd1']);
  });

  it('moves on, with the score that it has, to what alone is in the way then', async () => {
    const limit = slidingWindow({ name: 'w', by: 'tenant', limit: 1, window: '1m', parts: 6, whenFull: 'wait' });
    const { gate, clock, admission } = gateOf([limit], { queue: { ...queue, concurrency: 1 } });
    const { ask, end, began } = askers(gate);
    const of = (tenant: string): AdmitRequest => ({ permits: 1, subject: { tenant } });
    await (await admission(of('a'))).settle();
    ask('runs', of('b'));
    ask('a', of('a'));
    await flush();
    clock.advance(10 * SECOND);
    ask('c', of('c'));
    ask('d', of('d'));
    await flush();
    // The window has room for `a` again, and it goes to the line of the slots: before those that came later.
    clock.advance(MINUTE + 10 * SECOND);
    await flush();
    expect(began).toEqual(['runs']);
    await end('runs');
    await end('a');
    await end('c');
    expect(began).toEqual(['runs', 'a', 'c', 'd']);
  });

  it('is served by the first of its models that has room, and stands in the lines of all', async () => {
    const limits = [concurrency({ name: 'model', by: 'model', limit: 1 })];
    const { gate } = gateOf(limits, { ladders: [['best', 'cheap']], queue });
    const { ask, of, end, began } = askers(gate);
    const request: AdmitRequest = { permits: 1, model: 'best' };
    for (const name of ['first', 'second', 'third', 'fourth']) ask(name, request);
    ask('best or none', { ...request, degrade: false });
    await flush();
    expect([of('first').model, of('second').model]).toEqual(['best', 'cheap']);
    await end('second');
    await end('first');
    expect(began).toEqual(['first', 'second', 'third', 'fourth']);
    expect([of('third').model, of('fourth').model]).toEqual(['cheap', 'best']);
    await end('third');
    expect(began).toHaveLength(4);
    await end('fourth');
    expect(began[4]).toBe('best or none');
  });

  it('is next at each of the lines that somebody has left who began with another model', async () => {
    const limit = slidingWindow({
      name: 'model',
      by: 'model',
      unit: 'tokens',
      limit: 10,
      window: '1h',
      whenFull: 'wait',
    });
    const { gate } = gateOf([limit], { ladders: [['best', 'cheap']], queue });
    const { ask, of, began } = askers(gate);
    const tokens = (model: string, inputTokens: number): AdmitRequest => {
      return { permits: 1, model, estimate: { inputTokens, outputTokens: 0 } };
    };
    ask('best', tokens('best', 5));
    ask('cheap', { ...tokens('cheap', 5), degrade: false });
    ask('large', tokens('best', 8));
    ask('small', tokens('cheap', 4));
    await flush();
    expect(began).toEqual(['best', 'cheap']);
    await of('best').settle({ outcome: 'ignored' });
    await flush();
    expect(began).toEqual(['best', 'cheap', 'large', 'small']);
    expect([of('large').model, of('small').model]).toEqual(['best', 'cheap']);
  });

  it('is next where somebody waits no longer, since that model is refused by something else by then', async () => {
    const limits = [
      slidingWindow({ name: 'tokens', by: 'model', unit: 'tokens', limit: 10, window: '1h', whenFull: 'wait' }),
      slidingWindow({ name: 'permits', by: 'model', limit: 5, window: '1h' }),
    ];
    const { gate } = gateOf(limits, { ladders: [['best', 'cheap']], queue });
    const { ask, of, began } = askers(gate);
    const asking = (model: string, permits: number, inputTokens: number): AdmitRequest => {
      return { permits, model, degrade: model === 'best', estimate: { inputTokens, outputTokens: 0 } };
    };
    ask('best', { ...asking('best', 0, 5), degrade: false });
    ask('cheap', asking('cheap', 0, 5));
    ask('large', asking('best', 1, 8));
    ask('small', asking('cheap', 0, 4));
    ask('permits', asking('cheap', 5, 0));
    await flush();
    expect(began).toEqual(['best', 'cheap', 'permits']);
    await of('best').settle({ usage: { inputTokens: 4, outputTokens: 0 } });
    await flush();
    expect(began).toEqual(['best', 'cheap', 'permits', 'small']);
    expect((await gate.inspect({})).line?.waiting).toBe(1);
  });

  it('stays where it is refused, though something else refuses it for longer by then', async () => {
    const limits = [
      slidingWindow({ name: 'tokens', unit: 'tokens', limit: 10, window: '1m', whenFull: 'wait' }),
      slidingWindow({ name: 'permits', limit: 10, window: '1h', whenFull: 'wait' }),
    ];
    const { gate, admission } = gateOf(limits, { queue });
    const { ask, began } = askers(gate);
    const of = (permits: number, inputTokens: number): AdmitRequest => ({ permits, estimate: { inputTokens } });
    await admission(of(0, 10));
    ask('waits', of(10, 10));
    ask('urgent', of(1, 0));
    await flush();
    expect(began).toEqual(['urgent']);
    gate.update({});
    expect((await gate.explain(of(0, 1))).waits).toMatchObject({ position: 2 });
    expect((await gate.explain(of(1, 0))).admitted).toBe(true);
  });

  it('is next though the one before it gave up, or can never begin any more', async () => {
    const limit = slidingWindow({ name: 'w', limit: 10, window: '1m', whenFull: 'wait' });
    const { gate, refusal } = gateOf([limit], { queue });
    const { ask, began, refusals } = askers(gate);
    const leaving = new AbortController();
    ask('half', { permits: 5 });
    ask('large', { permits: 10 }, { signal: leaving.signal });
    ask('small', { permits: 2 });
    await flush();
    leaving.abort();
    await flush();
    expect(began).toEqual(['half', 'small']);
    ask('never', { permits: 9 });
    ask('after', { permits: 3 });
    await flush();
    gate.update({ limits: { w: { limit: 8 } } });
    await flush();
    expect(refusals.get('never')).toMatchObject({ reason: 'too-costly', status: 422 });
    gate.update({ limits: { w: { limit: 10 } } });
    await flush();
    expect(began).toEqual(['half', 'small', 'after']);
    expect(await refusal({ permits: 11 })).toMatchObject({ reason: 'too-costly' });
  });
});

describe('adaptive slots', () => {
  it('are more as they are used and borne, and those that wait begin', async () => {
    const { gate, clock, used } = gateOf([], { queue: { ...queue, concurrency: { min: 1, max: 4 } } });
    const { ask, end, began } = askers(gate);
    for (let i = 0; i < 40; i++) ask(String(i));
    await flush();
    expect(began).toEqual(['0']);
    let ended = 0;
    for (let round = 0; round < 6; round++) {
      clock.advance(SECOND);
      for (const running of began.slice(ended)) {
        await end(running);
        ended++;
      }
    }
    expect(await used()).toEqual({ concurrency: 4 });
    expect(began).toEqual(Array.from(began, (_, i) => String(i)));
  });

  it('that rest after an overload let those that wait begin when the time is over, and none before', async () => {
    const inner = memoryStore();
    let takes = 0;
    const take: typeof inner.take = (...asked) => {
      takes++;
      return inner.take(...asked);
    };
    const { gate, clock } = gateOf([], {
      queue: { ...queue, concurrency: { min: 1, max: 4, initial: 2 } },
      store: { ...inner, take },
    });
    const { ask, end, began, of } = askers(gate);
    for (const name of ['a', 'b', 'c', 'd']) ask(name);
    await flush();
    clock.advance(SECOND);
    await end('a', { outcome: 'failed', overloaded: { retryAfterMs: 20 * SECOND } });
    await end('b');
    expect(began).toEqual(['a', 'b']);
    clock.advance(20 * SECOND - 1);
    await flush();
    expect(began).toEqual(['a', 'b']);
    clock.advance(251);
    await flush();
    expect(began.slice(0, 3)).toEqual(['a', 'b', 'c']);
    expect(of('c').waitedMs).toBeLessThanOrEqual(21 * SECOND + 250);
    // It is not asked for over and over meanwhile.
    expect(takes).toBeLessThan(120);
  });
});

describe('a line that changes', () => {
  it('goes on with the weights that hold then', async () => {
    const tenants = ['a', 'b'];
    const { gate, clock } = gateOf([], {
      queue: { ...queue, concurrency: 1, fairBy: 'tenant', maxWait: { standard: '1h' } },
    });
    const { ask, end, began } = askers(gate);
    const fill = async (round: number) => {
      for (let i = 0; i < 30; i++)
        for (const tenant of tenants) ask(`${tenant}${round}-${i}`, { permits: 1, subject: { tenant } });
      await flush();
    };
    const run = async (count: number) => {
      for (let i = 0; i < count; i++) {
        clock.advance(SECOND);
        await end(began.at(-1) ?? '');
      }
    };
    // At first the pace has to become known.
    await fill(1);
    await run(60);
    gate.update({ queue: { weights: { a: 3 } } });
    await fill(2);
    const before = began.length;
    await run(24);
    const ofA = began.slice(before).filter((name) => name.startsWith('a')).length;
    expect(ofA).toBeGreaterThanOrEqual(16);
    expect(ofA).toBeLessThanOrEqual(20);
  });
});

describe('where the store fails', () => {
  it.each(['open', 'closed'] as const)('says what the limits say: %s', async (onStoreError) => {
    const inner = memoryStore();
    let isDown = false;
    const take: typeof inner.take = (...asked) => {
      if (isDown) throw new Error('down');
      return inner.take(...asked);
    };
    const limits = [concurrency({ name: 'c', limit: 1, onStoreError })];
    const { gate, clock } = gateOf(limits, { queue: { ...queue }, store: { ...inner, take } });
    gate.on('store.failed', () => {});
    const { ask, began, refusals, end } = askers(gate);
    ask('first');
    ask('second');
    ask('third');
    await flush();
    isDown = true;
    clock.advance(SECOND);
    await end('first');
    expect(began).toEqual(onStoreError === 'open' ? ['first', 'second', 'third'] : ['first']);
    if (onStoreError === 'closed') expect(refusals.get('second')).toMatchObject({ reason: 'store-down', status: 503 });
  });

  it.each([
    ['open', ['first', 'second', 'late', 'other 0', 'other 1', 'other 2', 'later', 'waits']],
    ['local', ['first', 'second', 'other 0', 'other 1', 'waits', 'late']],
  ] as const)(
    'says so of who comes behind others too, when it has failed once and when it is left alone: %s',
    async (onStoreError, expected) => {
      const store = breakableStore();
      const limits = [concurrency({ name: 'c', by: 'user', limit: 2, onStoreError })];
      const { gate, clock } = gateOf(limits, { queue, store });
      gate.on('store.failed', () => {});
      const { ask, began, refusals, errors } = askers(gate);
      const a: AdmitRequest = { permits: 1, subject: { user: 'a' } };
      for (const name of ['first', 'second', 'waits']) ask(name, a);
      await flush();
      store.break();
      ask('late', a);
      await flush();
      for (let i = 0; i < 3; i++) ask(`other ${i}`, { permits: 1, subject: { user: 'b' } });
      await flush();
      ask('later', a);
      await flush();
      clock.advance(SECOND);
      await flush();
      expect(began).toEqual(expected);
      expect([...refusals, ...errors]).toEqual([]);
    },
  );

  it('has those wait whose wait can not be told, where it fails to be asked for that alone', async () => {
    const peek = () => {
      throw new Error('down');
    };
    const limits = [slidingWindow({ name: 'w', limit: 10, window: '1m', whenFull: 'wait', onStoreError: 'open' })];
    const { gate, clock } = gateOf(limits, { queue, store: { ...memoryStore(), peek } });
    gate.on('store.failed', () => {});
    const { ask, began, errors } = askers(gate);
    for (const name of ['first', 'second', 'third']) ask(name, { permits: 6 });
    await flush();
    expect(began).toEqual(['first']);
    for (let i = 0; i < 3; i++) {
      clock.advance(MINUTE);
      await flush();
    }
    expect(began).toEqual(['first', 'second', 'third']);
    expect([...errors]).toEqual([]);
  });

  it('has one wait for all of its models, where it fails to be asked for that alone', async () => {
    const peek = () => {
      throw new Error('down');
    };
    const limits = [
      concurrency({ name: 'c', by: 'model', limit: 1, onStoreError: 'open' }),
      slidingWindow({ name: 'w', by: 'model', limit: 10, window: '1m', whenFull: 'wait' }),
    ];
    const ladders = [['best', 'cheap']];
    const { gate } = gateOf(limits, { queue, ladders, store: { ...memoryStore(), peek } });
    gate.on('store.failed', () => {});
    const { ask, began, of, end, errors } = askers(gate);
    const only = (model: string, permits: number): AdmitRequest => ({ model, permits, subject: { degrade: false } });
    ask('best runs', only('best', 1));
    ask('cheap runs', only('cheap', 10));
    ask('best waits', only('best', 1));
    ask('cheap waits', only('cheap', 1));
    ask('any', { model: 'best', permits: 1 });
    await flush();
    expect([...errors]).toEqual([]);
    await end('best runs');
    await end('best waits');
    expect(began).toEqual(['best runs', 'cheap runs', 'best waits', 'any']);
    expect(of('any').model).toBe('best');
  });
});

it('expects no wait where the limit is none for whoever asks', async () => {
  const limit = { free: 5, pro: Number.POSITIVE_INFINITY };
  const window = slidingWindow({ name: 'w', limit, window: '1m', whenFull: 'wait' });
  const { gate } = gateOf([window], { queue });
  const { ask } = askers(gate);
  for (let i = 0; i < 6; i++) ask(`free ${i}`, { subject: { plan: 'free' }, permits: 1, priority: 'interactive' });
  await flush();
  const { waits } = await gate.explain({ subject: { plan: 'pro' }, permits: 1, priority: 'batch' });
  expect(waits?.expectedWaitMs).toBe(0);
});
