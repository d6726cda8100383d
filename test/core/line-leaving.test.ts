/** How requests leave the line without having begun, and what they are told. */
import { getEventListeners } from 'node:events';
import { type AdmitRequest, concurrency, memoryStore, slidingWindow, tokenBucket } from '@tollgate/core';
import { problemBody, refusalHeaders } from '../../packages/core/src/http/problem.js';
import { askers, flush, gateOf, MINUTE, SECOND } from './support.js';

const one: AdmitRequest = { permits: 1 };
const CAPACITY = 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity';
const perMinute = (limit: number) => slidingWindow({ name: 'w', limit, window: '1m', parts: 6, whenFull: 'wait' });

const LOW = [0.01, 0.02, 0.03, 0.04] as const;

/** A store that answers to takes, from a time on, only when it is told to: by calling what is pending. */
function slowStore() {
  const inner = memoryStore();
  const pending: (() => void)[] = [];
  let isSlow = false;
  const take: typeof inner.take = (request, now) =>
    isSlow ? new Promise((resolve) => pending.push(() => resolve(inner.take(request, now)))) : inner.take(request, now);
  const begin = () => {
    isSlow = true;
  };
  return { store: { ...inner, take }, pending, begin };
}

/** A gate whose slots end, one each second, as fast as they begin. */
async function paced(queue: object = {}) {
  const bench = gateOf([], { queue: { concurrency: 1, shedding: false, ...queue } });
  const asking = askers(bench.gate);
  for (let i = 0; i < 12; i++) asking.ask(`early ${i}`, { ...one, priority: 'background' });
  await flush();
  for (let i = 0; i < 11; i++) {
    bench.clock.advance(SECOND);
    await asking.end(`early ${i}`);
  }
  return { ...bench, ...asking };
}

describe('a deadline', () => {
  it('ends the wait of its priority, with nothing charged and what is known', async () => {
    const { gate, clock, used } = gateOf([], { queue: { concurrency: 1, maxWait: { interactive: '10s' } } });
    const { ask, refusals, end, began } = askers(gate);
    ask('runs');
    ask('waits', { ...one, priority: 'interactive' });
    ask('waits longer');
    await flush();
    clock.advance(10 * SECOND - 1);
    await flush();
    expect(refusals.size).toBe(0);
    clock.advance(1);
    await flush();
    const refusal = refusals.get('waits');
    expect(refusal).toMatchObject({
      reason: 'waited-too-long',
      status: 503,
      title: 'Waited too long',
      layer: 'concurrency',
      position: 1,
      detail:
        "This request has waited 10 seconds for 'concurrency', as long as it may; it was number 1 in the line. Try again in 1 second.",
      retryAfterMs: 1000,
      violated: [{ layer: 'concurrency' }],
    });
    if (refusal) {
      expect(problemBody(refusal)).toMatchObject({ type: CAPACITY, status: 503, retryAfter: 1, position: 1 });
      expect(refusalHeaders(refusal)).toEqual([['Retry-After', '1']]);
    }
    await end('runs');
    expect(began).toEqual(['runs', 'waits longer']);
    expect(await used()).toEqual({ concurrency: 1 });
  });

  it('may be sooner for a request, and no later', async () => {
    const { gate, clock } = gateOf([], { queue: { concurrency: 1, maxWait: '10s' } });
    const { ask, refusals } = askers(gate);
    ask('runs');
    ask('sooner', { ...one, maxWait: '3s' });
    ask('later', { ...one, maxWait: '1h' });
    await flush();
    clock.advance(3 * SECOND);
    await flush();
    expect([...refusals.keys()]).toEqual(['sooner']);
    clock.advance(7 * SECOND);
    await flush();
    expect([...refusals.keys()]).toEqual(['sooner', 'later']);
  });

  it('lets begin what has room at the very end of it', async () => {
    const { gate, clock, admission } = gateOf([perMinute(1)], { queue: { maxWait: '70s' } });
    const { ask, of } = askers(gate);
    await admission(one);
    ask('waits');
    clock.advance(70 * SECOND);
    await flush();
    expect(of('waits').waitedMs).toBe(70 * SECOND);
  });

  it('that a window or bucket can not meet is no reason to wait, all that wait before counted', async () => {
    const { gate, clock, admission, refusal } = gateOf([perMinute(10)], { queue: { maxWait: '2m' } });
    const { ask, began } = askers(gate);
    await admission({ permits: 10 });
    ask('first', { permits: 10 });
    await flush();
    expect(await refusal({ permits: 1 })).toMatchObject({
      reason: 'too-long-wait',
      status: 503,
      layer: 'w',
      position: 2,
      expectedWaitMs: 140 * SECOND,
      retryAfterMs: 20 * SECOND,
      detail:
        "This request would wait about 3 minutes for 'w' as number 2 in the line; it may wait 2 minutes. Try again in 20 seconds.",
    });
    clock.advance(20 * SECOND);
    ask('second', { permits: 1 });
    clock.advance(50 * SECOND);
    await flush();
    clock.advance(70 * SECOND);
    await flush();
    expect(began).toEqual(['first', 'second']);

    const bucket = tokenBucket({ name: 'b', capacity: 10, refill: '1/s', whenFull: 'wait' });
    const other = gateOf([bucket], { queue: { maxWait: '10s' } });
    await (await other.admission({ permits: 10 })).settle();
    askers(other.gate).ask('first', { permits: 8 });
    expect(await other.refusal({ permits: 3 })).toMatchObject({ reason: 'too-long-wait', expectedWaitMs: 11 * SECOND });
  });

  it('that slots can not meet is told by the pace of late; where there is none, by trying', async () => {
    const { ask, refusals, gate } = await paced({ maxWait: { standard: '3s' } });
    for (const name of ['a', 'b', 'c', 'd', 'e']) ask(name);
    await flush();
    const refusal = refusals.get('e');
    expect([...refusals.keys()]).toEqual(['e']);
    expect(refusal).toMatchObject({ reason: 'too-long-wait', position: 5, status: 503 });
    expect(refusal?.expectedWaitMs).toBeGreaterThan(4 * SECOND);
    expect(refusal?.expectedWaitMs).toBeLessThan(6 * SECOND);
    ask('urgent', { ...one, priority: 'interactive' });
    await flush();
    expect((await gate.inspect({})).line?.priorities.interactive.waiting).toBe(1);
  });
});

describe('depth', () => {
  it('is bounded in all', async () => {
    const { gate, clock } = gateOf([], { queue: { concurrency: 1, maxDepth: 2, shedding: false } });
    const { ask, refusals, end } = askers(gate);
    for (const name of ['runs', 'first', 'second', 'third']) ask(name);
    await flush();
    expect(refusals.get('third')).toMatchObject({
      reason: 'line-full',
      status: 503,
      layer: undefined,
      position: 3,
      retryAfterMs: 1000,
      detail: 'The line is full: no more requests may wait. Try again in 1 second.',
    });
    clock.advance(SECOND);
    await end('runs');
    ask('fourth');
    await flush();
    expect(refusals.has('fourth')).toBe(false);
    gate.update({ queue: { maxDepth: 3 } });
    ask('fifth');
    ask('sixth');
    await flush();
    expect([...refusals.keys()]).toEqual(['third', 'sixth']);
  });

  it('is bounded for each value of what is fair by', async () => {
    const { gate } = gateOf([], {
      queue: { concurrency: 1, maxDepth: 5, maxDepthEach: 1, fairBy: 'tenant', shedding: false },
    });
    const { ask, refusals } = askers(gate);
    const of = (tenant: string): AdmitRequest => ({ ...one, subject: { tenant } });
    ask('runs', of('a'));
    for (const tenant of ['a', 'b']) for (const i of [1, 2]) ask(`${tenant}${i}`, of(tenant));
    await flush();
    expect([...refusals.keys()]).toEqual(['a2', 'b2']);
    expect(refusals.get('a2')?.detail).toBe(
      'The line is full: no more requests of your tenant may wait. Try again in 1 second.',
    );
    gate.update({ queue: { maxDepthEach: 2 } });
    ask('a3', of('a'));
    await flush();
    expect(refusals.has('a3')).toBe(false);
  });
});

describe('a full line', () => {
  it('gives the place of the last in order to one that goes before it, and to no other', async () => {
    const { gate, clock } = gateOf([], { queue: { concurrency: 1, maxDepth: 2, shedding: false } });
    const { ask, refusals, end, began } = askers(gate);
    const left: unknown[] = [];
    gate.on('refused', ({ request: { priority }, refusal: { reason } }) => left.push([priority, reason]));
    ask('runs');
    ask('background', { ...one, priority: 'background' });
    ask('batch', { ...one, priority: 'batch' });
    await flush();
    clock.advance(3 * SECOND);
    ask('later background', { ...one, priority: 'background' });
    await flush();
    expect([...refusals.keys()]).toEqual(['later background']);
    ask('chat', { ...one, priority: 'interactive' });
    await flush();
    expect([...refusals.keys()]).toEqual(['later background', 'background']);
    expect(refusals.get('background')).toMatchObject({
      reason: 'line-full',
      status: 503,
      position: 2,
      retryAfterMs: 1000,
      detail:
        'This request has waited 3 seconds, and by now the line is full of requests that go first. Try again in 1 second.',
    });
    expect(left).toEqual([
      ['background', 'line-full'],
      ['background', 'line-full'],
    ]);
    await end('runs');
    await end('chat');
    expect(began).toEqual(['runs', 'chat', 'batch']);
    expect((await gate.inspect({})).line?.waiting).toBe(0);
  });

  it('keeps who has become so old that it goes first', async () => {
    const queue = { concurrency: 1, maxDepth: 1, ageing: '1m', shedding: false } as const;
    const { gate, clock } = gateOf([], { queue });
    const { ask, refusals } = askers(gate);
    ask('runs');
    ask('batch', { ...one, priority: 'batch' });
    await flush();
    clock.advance(MINUTE);
    ask('as old', { ...one, priority: 'interactive' });
    await flush();
    expect(refusals.get('as old')).toMatchObject({ reason: 'line-full', position: 2 });
  });

  it.each([
    ['of one value of what is fair by, of that value', { maxDepthEach: 1 }, ['a batch']],
    ['of all, to one of another value', { maxDepth: 2 }, ['b batch']],
  ])('gives a place %s', async (_, bound, gone) => {
    const { gate, clock } = gateOf([], { queue: { concurrency: 1, fairBy: 'tenant', shedding: false, ...bound } });
    const { ask, refusals } = askers(gate);
    const of = (tenant: string, priority: 'interactive' | 'batch'): AdmitRequest => ({
      ...one,
      priority,
      subject: { tenant },
    });
    ask('runs', of('c', 'interactive'));
    ask('a batch', of('a', 'batch'));
    await flush();
    clock.advance(1);
    ask('b batch', of('b', 'batch'));
    await flush();
    ask('a chat', of('a', 'interactive'));
    await flush();
    expect([...refusals.keys()]).toEqual(gone);
  });

  it('of those that are delayed gives a place from the bottom, too', async () => {
    const queue = { concurrency: 1, maxDepth: 1, shedding: { raiseAt: [0.1, 0.2, 0.3, 5] as const, lowerAt: LOW } };
    const { gate } = gateOf([], { queue });
    const { ask, refusals } = askers(gate);
    ask('runs');
    ask('waits', { ...one, priority: 'interactive' });
    await flush();
    const delayed = (priority: 'batch' | 'background'): AdmitRequest => ({ ...one, priority, whenShed: 'delay' });
    for (const name of ['background', 'batch'] as const) ask(name, delayed(name));
    await flush();
    ask('later', delayed('batch'));
    await flush();
    expect([...refusals.keys()]).toEqual(['background', 'later']);
    expect((await gate.inspect({})).line).toMatchObject({ waiting: 1, delayed: 1 });
  });
});

describe('who gives up', () => {
  it('leaves with all that have the same signal, and none of them begins in the place of another', async () => {
    const { gate, used } = gateOf([perMinute(10)], { queue: { maxWait: '1h' } });
    const { ask, began, errors } = askers(gate);
    const leaving = new AbortController();
    ask('runs', { permits: 5 });
    ask('large', { permits: 8 }, { signal: leaving.signal });
    for (let i = 0; i < 20; i++) ask(`small ${i}`, one, { signal: leaving.signal });
    ask('stays', one);
    await flush();
    leaving.abort('gone');
    await flush();
    expect(began).toEqual(['runs', 'stays']);
    expect(errors.size).toBe(21);
    expect(await used()).toEqual({ w: 6 });
  });

  it('is heard by one listener, however many have the same signal: Node.js warns of more than ten', async () => {
    const { gate } = gateOf([], { queue: { concurrency: 1 } });
    const { ask, errors } = askers(gate);
    const leaving = new AbortController();
    ask('runs');
    for (let i = 0; i < 20; i++) ask(`waits ${i}`, one, { signal: leaving.signal });
    await flush();
    expect(getEventListeners(leaving.signal, 'abort')).toHaveLength(1);
    leaving.abort('gone');
    await flush();
    expect(errors.size).toBe(20);
    expect(getEventListeners(leaving.signal, 'abort')).toHaveLength(0);
  });

  it('leaves at once, charged nothing, with the reason', async () => {
    const { gate, used, clock } = gateOf([perMinute(5)], { queue: { concurrency: 1 } });
    const heard: unknown[] = [];
    gate.on('withdrawn', (event) => heard.push(event));
    const { ask, errors, end, began } = askers(gate);
    const leaving = new AbortController();
    ask('runs');
    ask('leaves', one, { signal: leaving.signal });
    ask('stays');
    await flush();
    clock.advance(SECOND);
    leaving.abort('gone');
    await flush();
    expect(errors.get('leaves')).toBe('gone');
    expect(heard).toEqual([expect.objectContaining({ gate: 'default', request: one, waitedMs: SECOND })]);
    expect((await gate.inspect({})).line?.waiting).toBe(1);
    await end('runs');
    expect(began).toEqual(['runs', 'stays']);
    expect(await used()).toEqual({ w: 2, concurrency: 1 });
    leaving.abort('again');
    await flush();
  });

  it('while it waits for the store gives back what it is charged then', async () => {
    const slow = slowStore();
    const { gate, used } = gateOf([perMinute(5)], { queue: { concurrency: 1 }, store: slow.store });
    const { ask, errors, end, began } = askers(gate);
    const leaving = new AbortController();
    ask('runs');
    ask('leaves', one, { signal: leaving.signal });
    ask('stays');
    await flush();
    slow.begin();
    await end('runs');
    expect(slow.pending).toHaveLength(1);
    leaving.abort('gone');
    await flush();
    expect(errors.get('leaves')).toBe('gone');
    slow.pending[0]();
    await flush();
    // What it had taken is back, so that the next can begin.
    expect(await used()).toEqual({ w: 1, concurrency: 0 });
    expect(slow.pending).toHaveLength(2);
    slow.pending[1]();
    await flush();
    expect(began).toEqual(['runs', 'stays']);
    expect(await used()).toEqual({ w: 2, concurrency: 1 });
  });
});

describe('a gate that closes', () => {
  it('tells of who asks the store as it closes, or leaves then, under the id that is told', async () => {
    const slow = slowStore();
    const { gate } = gateOf([perMinute(1), concurrency({ name: 'c', limit: 1 })], {
      queue: { maxWait: '1h' },
      store: slow.store,
    });
    const heard: string[] = [];
    gate.on('withdrawn', ({ id }) => heard.push(id));
    const { ask, errors } = askers(gate);
    ask('runs');
    await flush();
    slow.begin();
    const leaving = new AbortController();
    ask('asks');
    ask('leaves', one, { signal: leaving.signal });
    await flush();
    leaving.abort('gone');
    const closing = gate.close();
    for (const answer of slow.pending) answer();
    await flush();
    expect(errors.get('asks')).toMatchObject({ code: 'TOLLGATE_CLOSED', id: expect.stringMatching(/-1$/) });
    expect(errors.get('leaves')).toBeDefined();
    expect(heard.map((id) => id.slice(-2))).toEqual(['-1', '-2']);
    await closing;
  });

  it('lets none begin in the place of another that is turned away', async () => {
    const { gate } = gateOf([perMinute(10)], { queue: { maxWait: '1h' } });
    const { ask, began, errors } = askers(gate);
    ask('runs', { permits: 5 });
    ask('large', { permits: 8 });
    ask('small', one);
    await flush();
    await gate.close();
    expect(began).toEqual(['runs']);
    expect([...errors.keys()]).toEqual(['large', 'small']);
  });

  it('turns all away, leaves no timer and gives back what was under way', async () => {
    const slow = slowStore();
    const order: string[] = [];
    const { gate, clock } = gateOf([perMinute(1), concurrency({ name: 'c', limit: 1 })], {
      queue: { maxWait: '1h' },
      store: {
        ...slow.store,
        settle: (...asked) => {
          order.push('settle');
          return slow.store.settle(...asked);
        },
        close: () => {
          order.push('close');
        },
      },
    });
    let timers = 0;
    const after = clock.after;
    clock.after = (ms, task) => {
      timers++;
      const cancel = after(ms, () => {
        timers--;
        task();
      });
      let isOver = false;
      return () => {
        if (!isOver) timers--;
        isOver = true;
        cancel();
      };
    };
    const { ask, of, errors } = askers(gate);
    ask('runs');
    ask('first');
    ask('second');
    await flush();
    expect(timers).toBe(1);
    await of('runs').settle({ outcome: 'ignored' });
    await flush();
    const first = of('first');
    await first.settle();
    slow.begin();
    clock.advance(70 * SECOND);
    expect(slow.pending).toHaveLength(1);
    const closing = gate.close();
    await flush();
    expect(errors.get('second')).toMatchObject({ code: 'TOLLGATE_CLOSED' });
    order.length = 0;
    slow.pending[0]();
    await closing;
    expect(order).toEqual(['settle', 'close']);
    expect(timers).toBe(0);
    clock.advance(60 * MINUTE);
    await flush();
  });
});
