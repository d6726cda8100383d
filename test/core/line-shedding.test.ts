/** What a gate's line gives up in an overload, and what is told of the line. */
import { type AdmitRequest, type Limit, type Priority, slidingWindow, type TollgateEvents } from '@tollgate/core';
import fc from 'fast-check';
import { check } from '../helpers/oracle-log.js';
import { askers, flush, gateOf, SECOND } from './support.js';

const PRIORITIES: readonly Priority[] = ['interactive', 'standard', 'batch', 'background'];
const long = { interactive: '1d', standard: '1d', batch: '1d', background: '1d' } as const;
/** A tenth apart, to be told from each other. */
const shedding = { raiseAt: [0.7, 0.8, 0.9, 0.95], lowerAt: [0.5, 0.6, 0.7, 0.8], holdMs: 5000 } as const;
const queue = { concurrency: 1, maxDepth: 10, maxWait: long, shedding } as const;
const of = (priority: Priority, more: AdmitRequest = {}): AdmitRequest => ({ permits: 1, priority, ...more });

/** A gate whose one slot is taken, and in whose line so many wait. */
async function loaded(depth: number, more: Parameters<typeof gateOf>[1] = {}, limits: readonly Limit[] = []) {
  const bench = gateOf(limits, { queue, ...more });
  const levels: [from: number, to: number][] = [];
  bench.gate.on('shed.level', ({ from, to }) => levels.push([from, to]));
  const asking = askers(bench.gate);
  const leaving = Array.from({ length: depth }, () => new AbortController());
  asking.ask('runs', of('interactive'));
  for (const [i, { signal }] of leaving.entries()) asking.ask(`waits ${i}`, of('interactive'), { signal });
  await flush();
  /** So many of those that wait give up. */
  async function leave(count: number): Promise<void> {
    for (const one of leaving.splice(-count)) one.abort('gone');
    await flush();
  }
  return { ...bench, ...asking, levels, leave };
}

describe('shedding', () => {
  it.each<[depth: number, shed: readonly Priority[]]>([
    [6, []],
    [7, ['background']],
    [8, ['background', 'batch']],
    [9, ['background', 'batch']],
  ])('with %i of 10 in the line gives up %j', async (depth, shed) => {
    const { refusals, ask } = await loaded(depth);
    // Each asks to begin at once or not at all, so that the depth stays as it is.
    for (const priority of PRIORITIES) ask(priority, of(priority, { maxWait: 0 }));
    await flush();
    const reasons = PRIORITIES.filter((priority) => refusals.get(priority)?.reason === 'shed');
    expect(reasons.toSorted()).toEqual(shed.toSorted());
    if (shed.length === 0) return;
    expect(refusals.get('background')).toMatchObject({
      status: 503,
      title: 'Too busy',
      layer: undefined,
      retryAfterMs: 5000,
      detail:
        "There is more to do than can be done, and requests of the priority 'background' are not served for now. Try again in 5 seconds.",
    });
  });

  it('begins standard on a cheaper model before it gives it up, and interactive on the best', async () => {
    const { gate, ask, of: begun, end, levels } = await loaded(9, { ladders: [['best', 'cheap']] });
    ask('standard', of('standard', { model: 'best' }));
    await flush();
    ask('late', of('interactive', { model: 'best', maxWait: 0 }));
    expect(levels.at(-1)?.[1]).toBe(4);
    const degraded: TollgateEvents['degraded'][] = [];
    gate.on('degraded', (event) => degraded.push(event));
    await end('runs');
    for (let i = 0; i < 9; i++) await end(`waits ${i}`);
    expect(begun('standard').model).toBe('cheap');
    expect(degraded).toMatchObject([{ from: 'best', to: 'cheap' }]);
    await end('standard');
    ask('after', of('interactive', { model: 'best' }));
    await flush();
    expect(begun('after').model).toBe('best');
  });

  it('goes on until the pressure has been less for long enough, and tells of each level', async () => {
    const { clock, levels, leave, ask, refusals, gate } = await loaded(8);
    expect(levels).toEqual([
      [0, 1],
      [1, 2],
    ]);
    await leave(4);
    clock.advance(4999);
    ask('too early', of('batch'));
    await flush();
    expect(refusals.get('too early')).toMatchObject({ reason: 'shed', retryAfterMs: 1000 });
    clock.advance(1);
    expect(levels.at(-1)).toEqual([2, 1]);
    clock.advance(5000);
    expect(levels.at(-1)).toEqual([1, 0]);
    expect((await gate.inspect({})).line?.level).toBe(0);
    ask('in time', of('background'));
    await flush();
    expect(refusals.has('in time')).toBe(false);
  });

  it('delays who had rather wait, by the time at which it came, and turns it away at its deadline', async () => {
    const { clock, leave, ask, refusals, gate, end, began, levels } = await loaded(8);
    const queued: unknown[] = [];
    gate.on('queued', ({ request, position, layer }) => queued.push([request.priority, position, layer]));
    const patient = (maxWait: '8s' | '1h') => of('batch', { whenShed: 'delay', maxWait });
    ask('batch', patient('1h'));
    ask('short', patient('8s'));
    await flush();
    expect(queued).toEqual([
      ['batch', undefined, undefined],
      ['batch', undefined, undefined],
    ]);
    expect((await gate.inspect({})).line).toMatchObject({ waiting: 8, delayed: 2 });
    await leave(7);
    // The slots don't wait for what is delayed, nor it for slots.
    await end('runs');
    await end('waits 0');
    expect(began).toEqual(['runs', 'waits 0']);
    clock.advance(4000);
    ask('runs again', of('interactive'));
    await flush();
    clock.advance(1000);
    await flush();
    expect(levels.at(-1)).toEqual([2, 1]);
    ask('later', of('batch'));
    await flush();
    clock.advance(3000);
    await flush();
    expect(refusals.get('short')).toMatchObject({ reason: 'waited-too-long' });
    await end('runs again');
    await end('batch');
    expect(began.slice(2)).toEqual(['runs again', 'batch', 'later']);
  });

  it('fails whom alone a change leaves without a limit while it is delayed', async () => {
    const user = slidingWindow({ name: 'user', by: 'user', limit: { free: 10, default: 10 }, window: '1m' });
    const { gate, clock, ask, end, began, errors, leave } = await loaded(8, {}, [user]);
    const delayed = (plan: string) => of('batch', { whenShed: 'delay', subject: { user: plan, plan } });
    ask('free', delayed('free'));
    ask('pro', delayed('pro'));
    await leave(8);
    await end('runs');
    gate.update({ limits: { user: { limit: { pro: 10 } } } });
    clock.advance(10 * SECOND);
    await flush();
    expect(errors.get('free')).toMatchObject({ code: 'TOLLGATE_UNKNOWN_PLAN' });
    expect(began).toEqual(['runs', 'pro']);
    expect((await gate.inspect({ plan: 'pro' })).line).toMatchObject({ waiting: 0, delayed: 0 });
  });

  describe('where a slot is free every 20 seconds', () => {
    async function slow() {
      const bench = gateOf([], { queue: { concurrency: 1, shedding } });
      const asking = askers(bench.gate);
      for (let i = 0; i < 12; i++) asking.ask(`early ${i}`, of('batch'));
      await flush();
      for (let i = 0; i < 11; i++) {
        bench.clock.advance(20 * SECOND);
        await asking.end(`early ${i}`);
      }
      const line = async () => (await bench.gate.inspect({})).line;
      /** Standard requests come, `work` is done, and they are gone. */
      async function pressed(count: number, work: () => void): Promise<void> {
        const leaving = new AbortController();
        for (let i = 0; i < count; i++) asking.ask('standard', of('standard'), { signal: leaving.signal });
        bench.clock.advance(20);
        work();
        await flush();
        leaving.abort();
        await flush();
      }
      return { ...bench, ...asking, line, pressed };
    }
    const patient = of('background', { whenShed: 'delay' });

    it('reads the pressure in the end, however many come and go at once', async () => {
      const { clock, ask, end, began, line, pressed } = await slow();
      await pressed(2, () => ask('delayed', patient));
      clock.advance(20 + 4 * 5 * SECOND);
      await flush();
      expect(await line()).toMatchObject({ level: 0, waiting: 1, delayed: 0 });
      await end('early 11');
      expect(began.at(-1)).toBe('delayed');
    });

    it('lets those come back that were delayed when nobody waits, though the pressure was great just before', async () => {
      const { clock, ask, end, began, line, pressed } = await slow();
      const leaving = new AbortController();
      await pressed(2, () => {
        ask('first', patient, { signal: leaving.signal });
        ask('second', patient);
      });
      clock.advance(20 + 4 * 5 * SECOND);
      await flush();
      expect(await line()).toMatchObject({ level: 0, waiting: 1, delayed: 1 });
      await pressed(1, () => leaving.abort());
      expect(await line()).toMatchObject({ level: 0, waiting: 0, delayed: 1 });
      await end('early 11');
      clock.advance(20);
      await flush();
      expect(began.at(-1)).toBe('second');
    });
  });

  it('never is in another order, whatever the load', async () => {
    const traces = fc.array(
      fc.record({
        come: fc.array(fc.tuple(fc.constantFrom(...PRIORITIES), fc.boolean()), { maxLength: 12 }),
        end: fc.nat(6),
        ms: fc.nat(8000),
      }),
      { maxLength: 30, size: 'max' },
    );
    await check(
      fc.asyncProperty(traces, async (trace) => {
        const { gate, clock } = gateOf([], {
          queue: { ...queue, maxDepth: 20, maxWait: { interactive: '10s', standard: '30s' } },
        });
        const changes: { readonly at: number; readonly from: number; readonly to: number }[] = [];
        gate.on('shed.level', ({ from, to }) => changes.push({ at: clock.now(), from, to }));
        const { ask, of: begun, began, refusals } = askers(gate);
        const open: string[] = [];
        let name = 0;
        for (const { come, end, ms } of trace) {
          for (const [priority, delays] of come) {
            ask(String(name++), of(priority, { whenShed: delays ? 'delay' : 'refuse' }));
          }
          await flush();
          open.push(...began.slice(open.length));
          const shed = new Set<Priority>();
          for (const priority of PRIORITIES) {
            ask(`probe ${name}`, of(priority, { maxWait: 0 }));
            await flush();
            if (refusals.get(`probe ${name}`)?.reason === 'shed') shed.add(priority);
            else if (began.at(-1) === `probe ${name}`) await begun(`probe ${name}`).settle();
            name++;
          }
          open.push(...began.slice(open.length));
          // What is shed is all that stands below something, and never interactive.
          expect([...shed]).toEqual(PRIORITIES.slice(PRIORITIES.length - shed.size));
          expect(shed.has('interactive')).toBe(false);
          const { line } = await gate.inspect({});
          expect(shed.size).toBe([0, 1, 2, 2, 3][line?.level ?? -1]);
          for (const ended of began.slice(-1 - (end % 3))) await begun(ended).settle();
          await flush();
          clock.advance(ms);
          await flush();
        }
        for (const [i, { at, from, to }] of changes.entries()) {
          expect(Math.abs(to - from)).toBeGreaterThan(0);
          if (i === 0 || to > from) continue;
          // It is lowered no sooner than the hold after it was changed before, a level at a time.
          expect(at - changes[i - 1].at).toBeGreaterThanOrEqual(5000 * (from - to));
        }
      }),
      20,
    );
  });

  it('does not flap where the pressure oscillates', async () => {
    const { clock, levels, leave, ask } = await loaded(7);
    for (let i = 0; i < 500; i++) {
      clock.advance(900);
      await leave(1);
      clock.advance(900);
      const leaving = new AbortController();
      ask(`one ${i}`, of('interactive'), { signal: leaving.signal });
      await flush();
      clock.advance(100);
      leaving.abort();
      await flush();
    }
    expect(levels).toEqual([
      [0, 1],
      [1, 0],
    ]);
  });

  it('is by itself of what a tenant asks beyond its share, and costs nobody else', async () => {
    const { gate, clock } = gateOf([], { queue: { concurrency: 1, shedding, fairBy: 'tenant' } });
    const { ask, end, refusals, began } = askers(gate);
    const by = (tenant: string, priority: Priority): AdmitRequest => of(priority, { subject: { tenant } });
    // A slot is free every second, and that is known.
    for (let i = 0; i < 12; i++) ask(`early ${i}`, by('hog', 'standard'));
    await flush();
    for (let i = 0; i < 12; i++) {
      clock.advance(SECOND);
      await end(`early ${i}`);
    }
    for (let i = 0; i < 40; i++) ask(`hog ${i}`, by('hog', 'standard'));
    ask('hog batch', by('hog', 'batch'));
    for (const priority of ['interactive', 'standard'] as const) ask(`polite ${priority}`, by('polite', priority));
    await flush();
    expect([...refusals.values()].every(({ reason }) => reason === 'shed')).toBe(true);
    const own = [...refusals.keys()];
    expect(own.length).toBeGreaterThan(5);
    expect(own).toEqual([...own.filter((name) => /^hog \d/.test(name)), 'hog batch']);
    expect(refusals.get('hog 39')).toMatchObject({ reason: 'shed', status: 503, layer: undefined });
    expect(refusals.get('hog 39')?.detail).toMatch(
      /^Your tenant asks for more than its share, and requests of the priority 'standard' are not served for now\. Try again in \d\d seconds\.$/,
    );
    expect((await gate.inspect({})).line?.level).toBeLessThan(3);
    await end('hog 0');
    expect(began.at(-1)).toBe('polite interactive');
    for (let i = 0; i < 3; i++) await end(began.at(-1) ?? '');
    expect(began.slice(-3)).toContain('polite standard');
  });

  it('sets no timer while nobody waits, however they came and went', async () => {
    const { gate, clock } = gateOf([], { queue: { concurrency: 1, shedding } });
    let timers = 0;
    const { after } = clock;
    clock.after = (ms, task) => {
      timers++;
      return after(ms, task);
    };
    const { ask, end } = askers(gate);
    for (const name of ['a', 'b', 'c']) ask(name);
    await flush();
    for (const name of ['a', 'b', 'c']) await end(name);
    const before = timers;
    clock.advance(10 * 60 * SECOND);
    expect(timers - before).toBeLessThanOrEqual(2);
  });

  it('is none where it is not wanted', async () => {
    const { refusals, ask } = await loaded(9, { queue: { ...queue, shedding: false } });
    ask('background', of('background'));
    await flush();
    expect(refusals.size).toBe(0);
  });
});

describe('what is told', () => {
  it('in events: who waits for what, where, and for how long', async () => {
    const { gate, clock } = gateOf([], { name: 'api', queue });
    const heard: unknown[] = [];
    gate.on('queued', (event) => heard.push(['queued', event]));
    gate.on('admitted', ({ id, waitedMs }) => heard.push(['admitted', { id, waitedMs }]));
    const { ask, of: begun, end } = askers(gate);
    ask('runs');
    const request = of('standard');
    ask('waits', request);
    await flush();
    const { id } = begun('runs');
    clock.advance(3 * SECOND);
    await end('runs');
    const waited = begun('waits').id;
    expect(heard).toEqual([
      ['admitted', { id, waitedMs: 0 }],
      ['queued', { gate: 'api', id: waited, request, layer: 'concurrency', position: 1, expectedWaitMs: undefined }],
      ['admitted', { id: waited, waitedMs: 3 * SECOND }],
    ]);
  });

  it('by inspect: the line by priority and by whom it is fair to', async () => {
    const { gate, clock } = gateOf([], { queue: { ...queue, fairBy: 'tenant' } });
    const { ask } = askers(gate);
    ask('runs');
    ask('1', of('interactive', { subject: { tenant: 'a' } }));
    clock.advance(SECOND);
    ask('2', of('interactive', { subject: { tenant: 'b' } }));
    ask('3', of('batch', { subject: { tenant: 'a' } }));
    await flush();
    expect((await gate.inspect({})).line).toEqual({
      waiting: 3,
      delayed: 0,
      level: 0,
      priorities: {
        interactive: { waiting: 2, longestMs: SECOND },
        standard: { waiting: 0, longestMs: 0 },
        batch: { waiting: 1, longestMs: 0 },
        background: { waiting: 0, longestMs: 0 },
      },
      values: [
        { value: 'a', interactive: 1, standard: 0, batch: 1, background: 0 },
        { value: 'b', interactive: 1, standard: 0, batch: 0, background: 0 },
      ],
    });
    expect((await gateOf([]).gate.inspect({})).line).toBeUndefined();
  });

  it('by explain: that a request would wait, as which, and how long', async () => {
    const { gate } = gateOf([], { queue });
    expect(await gate.explain(of('standard'))).toMatchObject({ admitted: true, waits: undefined });
    const { ask } = askers(gate);
    ask('runs');
    ask('waits');
    await flush();
    expect(await gate.explain(of('standard'))).toMatchObject({
      admitted: false,
      refusal: undefined,
      waits: { position: 2, expectedWaitMs: undefined },
      layers: [{ layer: 'concurrency', used: 1 }],
    });
    expect(await gate.explain(of('interactive'))).toMatchObject({ waits: { position: 1 } });
    expect(await gate.explain(of('standard', { maxWait: '0s' }))).toMatchObject({
      admitted: false,
      refusal: { reason: 'limit' },
      waits: undefined,
    });
    expect((await gate.inspect({})).line?.waiting).toBe(1);
  });

  it.each([
    ['priority', { priority: 'urgent' }, "priority: got 'urgent'; expected 'interactive', 'standard', 'batch' or"],
    ['maxWait', { maxWait: 'soon' }, "maxWait: got 'soon'; expected a duration such as '10s', or '0s' for no wait"],
    ['whenShed', { whenShed: 'wait' }, "whenShed: got 'wait'; expected 'refuse' or 'delay'"],
  ])('by errors: a wrong %s', async (_, wrong, message) => {
    const { gate } = gateOf([], { queue });
    const asked = gate.admit({ permits: 1, ...wrong } as AdmitRequest);
    await expect(asked).rejects.toThrow(message);
    await expect(asked).rejects.toMatchObject({ code: 'TOLLGATE_REQUEST_INVALID' });
  });
});
