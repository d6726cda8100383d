/** How many may run at once, in simulations of providers: seeded, in virtual time. */
import fc from 'fast-check';
import { type Begun, type Concurrency, createConcurrency } from '../../packages/core/src/line/concurrency.js';
import { check } from '../helpers/oracle-log.js';

/** What a provider makes of a request, known at once and told after `ms`. */
interface Answer {
  readonly ms: number;
  readonly isOverload?: boolean;
  readonly retryAfterMs?: number;
}

interface Scene {
  readonly concurrency: Concurrency;
  readonly seconds: number;
  /** Tokens of an answer to a request that begins at `now`. */
  readonly length: (now: number) => number;
  readonly provider: (now: number, tokens: number, inFlight: number) => Answer;
  /** How many would run at `now` if they might; without it there are always more. */
  readonly demand?: (now: number) => number;
}

interface Second {
  succeeded: number;
  overloaded: number;
  tokens: number;
  /** Sums over the looks at it. */
  limit: number;
  looks: number;
}

/** Mulberry32. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** About 0, with a deviation of 1. */
function normal(next: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

/** Lengths as answers have them: some much longer than most. */
function lengths(seed: number, mean: number | ((now: number) => number), spread = 0.8): (now: number) => number {
  const next = random(seed);
  return (now) => {
    const of = typeof mean === 'number' ? mean : mean(now);
    return Math.max(1, Math.round(of * Math.exp(spread * normal(next) - spread ** 2 / 2)));
  };
}

const STEP_MS = 10;

/** Plays a scene in virtual time, in steps, and gives account of each second. */
function play({ concurrency, seconds, length, provider, demand }: Scene): Second[] {
  const account: Second[] = [];
  const ends = new Map<number, { begun: Begun; tokens: number; answer: Answer }[]>();
  let inFlight = 0;
  for (let now = 0; now < seconds * 1000; now += STEP_MS) {
    account[Math.floor(now / 1000)] ??= { succeeded: 0, overloaded: 0, tokens: 0, limit: 0, looks: 0 };
    const second = account[Math.floor(now / 1000)];
    for (const { begun, tokens, answer } of ends.get(now) ?? []) {
      inFlight--;
      if (answer.isOverload) {
        second.overloaded++;
        concurrency.ended(begun, { outcome: 'overloaded', retryAfterMs: answer.retryAfterMs }, now);
      } else {
        second.succeeded++;
        second.tokens += tokens;
        concurrency.ended(begun, { outcome: 'succeeded', outputTokens: tokens }, now);
      }
    }
    ends.delete(now);
    while (inFlight < Math.min(concurrency.limit(now), demand?.(now) ?? Number.POSITIVE_INFINITY)) {
      inFlight++;
      const tokens = length(now);
      const answer = provider(now, tokens, inFlight);
      const end = now + Math.max(STEP_MS, Math.round(answer.ms / STEP_MS) * STEP_MS);
      const also = ends.get(end) ?? [];
      ends.set(end, also);
      also.push({ begun: concurrency.began(now), tokens, answer });
    }
    second.limit += concurrency.state().limit;
    second.looks++;
  }
  return account;
}

/** From second to second, the latter not included. */
function sum(account: readonly Second[], from: number, to = account.length) {
  const part = account.slice(from, to);
  const total = (of: (second: Second) => number) => part.reduce((sum, second) => sum + of(second), 0);
  const overloaded = total((second) => second.overloaded);
  return {
    tokensPerSecond: total((second) => second.tokens) / part.length,
    overloads: overloaded / (overloaded + total((second) => second.succeeded)),
    limit: total((second) => second.limit) / total((second) => second.looks),
  };
}

const FIRST_TOKEN_MS = 300;
const MS_PER_TOKEN = 20;

/** A hosted provider: flat speed, and a token bucket with so many tokens per second, for so many seconds. */
function hosted(perSecond: number | ((now: number) => number), burstSeconds: number, retryAfter: boolean, seed = 1) {
  const next = random(seed);
  let level = Number.POSITIVE_INFINITY;
  let at = 0;
  return (now: number, tokens: number): Answer => {
    const rate = (typeof perSecond === 'number' ? perSecond : perSecond(now)) / 1000;
    level = Math.min(rate * burstSeconds * 1000, level + (now - at) * rate);
    at = now;
    if (level < tokens) {
      return { ms: 40, isOverload: true, ...(retryAfter && { retryAfterMs: (tokens - level) / rate }) };
    }
    level -= tokens;
    return { ms: FIRST_TOKEN_MS + tokens * MS_PER_TOKEN * (1 + 0.05 * normal(next)) };
  };
}

/** A hosted provider that refuses what is more than so many in flight. */
function capped(most: number | ((now: number) => number), seed = 1, noise = 0.05) {
  const next = random(seed);
  return (now: number, tokens: number, inFlight: number): Answer =>
    inFlight > (typeof most === 'number' ? most : most(now))
      ? { ms: 40, isOverload: true }
      : { ms: FIRST_TOKEN_MS + tokens * MS_PER_TOKEN * Math.max(0.2, 1 + noise * normal(next)) };
}

/** A self-hosted provider: above the knee all get slower, and none is refused. */
function shared(knee: number | ((now: number) => number), seed = 1, noise = 0.05) {
  const next = random(seed);
  return (now: number, tokens: number, inFlight: number): Answer => {
    const load = Math.max(1, inFlight / (typeof knee === 'number' ? knee : knee(now)));
    return { ms: FIRST_TOKEN_MS + tokens * MS_PER_TOKEN * load * Math.max(0.2, 1 + noise * normal(next)) };
  };
}

/** Until the limit stays within a range for ten seconds. */
function secondsUntil(account: readonly Second[], from: number, least: number, most: number): number {
  const isWithin = ({ limit, looks }: Second) => limit / looks >= least && limit / looks <= most;
  for (let at = from; at + 10 <= account.length; at++) if (account.slice(at, at + 10).every(isWithin)) return at - from;
  return Number.POSITIVE_INFINITY;
}

const BOUNDS = { min: 4, max: 400, initial: 20 };
const NEVER = 1e9;
/** What an answer of so many tokens takes, in seconds. */
const epochOf = (tokens: number) => (FIRST_TOKEN_MS + tokens * MS_PER_TOKEN) / 1000;

/** Slots that are always so many. */
const fixed = (limit: number) => createConcurrency({ min: limit, max: limit, initial: limit });

describe('a hosted provider with a token bucket', () => {
  const PER_SECOND = 2400;

  it.each([
    ['5 s of burst, and says when to come back', 5, true],
    ['5 s of burst, and does not say', 5, false],
    ['20 s of burst, and says when to come back', 20, true],
    ['20 s of burst, and does not say', 20, false],
  ])('is used to within 15%% of the best fixed limit, with few overloads, where it has %s', (_, burst, says) => {
    const scene = (concurrency: Concurrency): Scene => ({
      concurrency,
      seconds: 600,
      length: lengths(7, 300),
      provider: hosted(PER_SECOND, burst, says),
    });
    const after = (account: readonly Second[]) => sum(account, 120);
    const best = [30, 45, 60].map((limit) => after(play(scene(fixed(limit)))).tokensPerSecond);
    const adaptive = after(play(scene(createConcurrency(BOUNDS))));
    expect(adaptive.tokensPerSecond).toBeGreaterThan(0.85 * Math.max(...best));
    expect(adaptive.overloads).toBeLessThan(0.03);
  });

  it('is found from far below and from far above', () => {
    for (const initial of [4, 400]) {
      const concurrency = createConcurrency({ ...BOUNDS, initial });
      const account = play({
        concurrency,
        seconds: 400,
        length: lengths(7, 300),
        provider: hosted(PER_SECOND, 5, true),
      });
      const { limit, overloads } = sum(account, 200);
      expect(limit).toBeGreaterThan(40);
      expect(limit).toBeLessThan(60);
      expect(overloads).toBeLessThan(0.03);
    }
  });
});

describe('a hosted provider with a cap on what is in flight', () => {
  it.each([10, 30, 100])('is used to within 15%% of %i, with few overloads', (most) => {
    const concurrency = createConcurrency(BOUNDS);
    const account = play({ concurrency, seconds: 600, length: lengths(7, 300), provider: capped(most) });
    const { limit, overloads } = sum(account, 120);
    expect(limit).toBeGreaterThan(0.85 * most);
    expect(limit).toBeLessThanOrEqual(1.01 * most);
    expect(overloads).toBeLessThan(0.06);
  });

  it('that halves its cap and regains it is followed: down within 8 epochs, up within 15', () => {
    const cap = (now: number) => (now < 300_000 || now >= 600_000 ? 100 : 50);
    const concurrency = createConcurrency(BOUNDS);
    const account = play({ concurrency, seconds: 900, length: lengths(7, 300), provider: capped(cap) });
    expect(secondsUntil(account, 300, 40, 53)).toBeLessThan(8 * epochOf(300));
    expect(secondsUntil(account, 600, 85, 105)).toBeLessThan(15 * epochOf(300));
  });
});

describe('a self-hosted provider that slows down with load', () => {
  it.each([
    [64, 0.05, 7],
    [64, 0.3, 8],
    [30, 0.05, 9],
    [120, 0.1, 10],
  ])('is used up to near its knee at %i, with a noise of %f', (knee, noise, seed) => {
    const scene = (concurrency: Concurrency): Scene => ({
      concurrency,
      seconds: 900,
      length: lengths(seed, 300),
      provider: shared(knee, seed, noise),
    });
    const best = sum(play(scene(fixed(knee))), 400);
    const { limit, tokensPerSecond } = sum(play(scene(createConcurrency(BOUNDS))), 400);
    expect(limit).toBeGreaterThan(0.85 * knee);
    expect(limit).toBeLessThan(1.6 * knee);
    expect(tokensPerSecond).toBeGreaterThan(0.85 * best.tokensPerSecond);
  });

  it('that loses half of its capacity and regains it is followed: down within 40 epochs, up within 20', () => {
    const knee = (now: number) => (now < 400_000 || now >= 800_000 ? 100 : 50);
    const concurrency = createConcurrency(BOUNDS);
    const account = play({ concurrency, seconds: 1200, length: lengths(7, 300), provider: shared(knee) });
    expect(sum(account, 300, 400).limit).toBeGreaterThan(100);
    expect(secondsUntil(account, 400, 45, 80)).toBeLessThan(40 * epochOf(300));
    expect(secondsUntil(account, 800, 100, 160)).toBeLessThan(20 * epochOf(300));
  });
});

describe('the length of answers', () => {
  const sometimes = (seed: number) => {
    const next = random(seed);
    return () => (next() < 0.5 ? 10 : 1500);
  };

  it.each<[string, Scene['length']]>([
    ['long and short at random', sometimes(3)],
    ['as answers have them', lengths(7, 300)],
    ['short for a minute, then long', lengths(7, (now) => (Math.floor(now / 60_000) % 2 ? 1500 : 20))],
    ['long at first, then short', lengths(7, (now) => (now < 300_000 ? 1500 : 20))],
    ['short at first, then long', lengths(7, (now) => (now < 300_000 ? 20 : 1500))],
  ])('does not lower the limit: %s', (_, length) => {
    const concurrency = createConcurrency({ ...BOUNDS, max: 100 });
    const account = play({ concurrency, seconds: 700, length, provider: capped(NEVER) });
    expect(sum(account, 200).limit).toBeGreaterThan(90);
  });

  it('does not matter where it is unknown: then overloads alone lower the limit', () => {
    const concurrency = createConcurrency({ ...BOUNDS, max: 100 });
    for (let now = 0; now < 100_000; now += 1000) {
      const begun = Array.from({ length: concurrency.limit(now) }, () => concurrency.began(now));
      for (const one of begun) concurrency.ended(one, { outcome: 'succeeded' }, now + 10 + now / 200);
    }
    expect(concurrency.limit(100_000)).toBe(100);
  });

  it('tells a provider that is slower for good from one that has too much to do', () => {
    const provider = (now: number, tokens: number) => ({ ms: FIRST_TOKEN_MS + tokens * (now < 300_000 ? 20 : 35) });
    const concurrency = createConcurrency({ ...BOUNDS, max: 100 });
    const account = play({ concurrency, seconds: 900, length: lengths(7, 300), provider });
    expect(sum(account, 800).limit).toBeGreaterThan(90);
  });
});

/** Keeps as many in flight as may be, each for about a second, and tells the limit after each. None is left at the end. */
function flow(concurrency: Concurrency, seconds: number, from: number): number[] {
  const running: Begun[] = [];
  const fill = (now: number) => {
    while (running.length < concurrency.limit(now)) running.push(concurrency.began(now));
  };
  const limits = Array.from({ length: seconds }, (_, second) => {
    const start = from + second * 1000;
    fill(start);
    const count = running.length;
    for (let i = 1; i <= count; i++) {
      const now = start + (i / count) * 1000;
      for (const one of running.splice(0, 1)) concurrency.ended(one, { outcome: 'succeeded' }, now);
      fill(now);
    }
    return concurrency.state().limit;
  });
  for (const one of running) concurrency.ended(one, { outcome: 'failed' }, from + seconds * 1000);
  return limits;
}

describe('the steps', () => {
  it('double in each epoch until the first overload, then add: 1, then 2, then 3', () => {
    const concurrency = createConcurrency({ min: 1, max: 1000, initial: 8 });
    expect(flow(concurrency, 4, 0)).toEqual([16, 32, 64, 128]);
    concurrency.ended(concurrency.began(4000), { outcome: 'overloaded' }, 4000);
    expect(concurrency.state().limit).toBe(115);
    const rises = flow(concurrency, 4, 20_000).map((limit, i, all) => limit - (all[i - 1] ?? 115));
    for (const [i, rise] of rises.entries()) {
      expect(rise).toBeGreaterThanOrEqual(i + 1);
      expect(rise).toBeLessThanOrEqual(i + 2);
    }
  });

  it('do not rise without being used', () => {
    const concurrency = createConcurrency({ min: 1, max: 1000, initial: 20 });
    const account = play({
      concurrency,
      seconds: 300,
      length: lengths(7, 300),
      provider: capped(NEVER),
      demand: () => 24,
    });
    expect(sum(account, 100).limit).toBeLessThanOrEqual(24 / 0.8 + 2);
  });

  it('cut once for all that was begun before, and once per epoch', () => {
    const concurrency = createConcurrency({ min: 1, max: 100, initial: 100 });
    const now = 5000;
    flow(concurrency, 5, 0);
    const slow = concurrency.began(now);
    const begun = Array.from({ length: 99 }, () => concurrency.began(now));
    for (const one of begun) concurrency.ended(one, { outcome: 'overloaded' }, now + 40);
    expect(concurrency.state().limit).toBe(90);
    concurrency.ended(concurrency.began(now + 50), { outcome: 'overloaded' }, now + 90);
    expect(concurrency.state().limit).toBe(90);
    concurrency.ended(concurrency.began(now + 1040), { outcome: 'overloaded' }, now + 1080);
    expect(concurrency.state().limit).toBe(45);
    concurrency.ended(slow, { outcome: 'overloaded' }, now + 60_000);
    expect(concurrency.state().limit).toBe(45);
  });

  it.each([
    [1, 30, 90],
    [9, 27, 75],
    [9, 3, 50],
  ])(
    'cut by what was refused where that is more than a tenth: %i beside %i answered leave %i',
    (refused, answered, left) => {
      const concurrency = createConcurrency({ min: 1, max: 100, initial: 100 });
      flow(concurrency, 2, 0);
      concurrency.ended(concurrency.began(2000), { outcome: 'overloaded' }, 2000);
      const before = concurrency.state().limit;
      const begun = Array.from({ length: refused + answered }, () => concurrency.began(2000));
      const [overloaded, succeeded] = [begun.slice(0, refused), begun.slice(refused)];
      for (const one of overloaded.slice(1)) concurrency.ended(one, { outcome: 'overloaded' }, 2040);
      for (const one of succeeded) concurrency.ended(one, { outcome: 'succeeded' }, 3000);
      expect(before).toBe(90);
      concurrency.ended(overloaded[0], { outcome: 'overloaded' }, 4000);
      expect(concurrency.state().limit).toBe(Math.floor((before * left) / 100));
    },
  );

  it('are unmoved by failures that say nothing of load', () => {
    const concurrency = createConcurrency(BOUNDS);
    for (let i = 0; i < 100; i++) concurrency.ended(concurrency.began(i), { outcome: 'failed' }, i + 1);
    expect([concurrency.limit(200), concurrency.state().inFlight]).toEqual([20, 0]);
  });

  it('end a request once', () => {
    const concurrency = createConcurrency(BOUNDS);
    const begun = concurrency.began(0);
    for (let i = 0; i < 3; i++) concurrency.ended(begun, { outcome: 'overloaded' }, 10);
    expect([concurrency.state().inFlight, concurrency.state().limit, concurrency.limit(10)]).toEqual([0, 10, 9]);
  });
});

describe('after an overload', () => {
  it('nothing may begin until the time that the provider gave, also where another gives a shorter one', () => {
    const concurrency = createConcurrency(BOUNDS);
    const [one, other] = [concurrency.began(0), concurrency.began(0)];
    concurrency.ended(one, { outcome: 'overloaded', retryAfterMs: 5000 }, 100);
    concurrency.ended(other, { outcome: 'overloaded', retryAfterMs: 10 }, 100);
    expect(concurrency.state().shutUntil).toBe(5100);
    expect([concurrency.limit(101), concurrency.limit(5099)]).toEqual([0, 0]);
    expect(concurrency.limit(5100)).toBeGreaterThan(0);
  });

  it('a slot rests, so that a line can not ask over and over', () => {
    let asked = 0;
    const concurrency = createConcurrency(BOUNDS);
    const provider = (now: number) => {
      if (now >= 60_000) asked++;
      return now < 60_000 ? { ms: 5000 } : { ms: 40, isOverload: true };
    };
    play({ concurrency, seconds: 120, length: () => 200, provider });
    // Answers of 5 s, so twelve epochs: without rest it would be thousands.
    expect(asked).toBeGreaterThan(5);
    expect(asked).toBeLessThan(1200);
    expect(concurrency.state().limit).toBe(BOUNDS.min);
  });

  it('of everything for half a minute, the limit is found again within 25 epochs', () => {
    const usual = capped(60);
    const provider = (now: number, tokens: number, inFlight: number) =>
      now >= 300_000 && now < 330_000 ? { ms: 40, isOverload: true } : usual(now, tokens, inFlight);
    const concurrency = createConcurrency(BOUNDS);
    const account = play({ concurrency, seconds: 700, length: lengths(7, 300), provider });
    expect(secondsUntil(account, 330, 50, 62)).toBeLessThan(25 * epochOf(300));
  });
});

describe('hostile input', () => {
  const odd = fc.constantFrom(
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    -1,
    0,
    -0,
    1e308,
    5e-324,
    1,
  );
  const step = fc.record({
    /** Added to the time, or taken for it. */
    ms: fc.oneof(fc.nat(5000), fc.integer({ min: -1e12, max: 1e12 })),
    at: fc.option(odd, { freq: 10 }),
    begins: fc.nat(30),
    ends: fc.nat(30),
    outcome: fc.constantFrom('succeeded' as const, 'succeeded' as const, 'failed' as const, 'overloaded' as const),
    outputTokens: fc.oneof(fc.nat(3000), odd, fc.constant(undefined)),
    retryAfterMs: fc.oneof(fc.nat(1000), odd, fc.constant(undefined)),
  });

  it('never leads out of the bounds, nor to what is no number', async () => {
    const property = fc.property(fc.array(step, { maxLength: 60, size: 'max' }), fc.nat(3), (steps, spread) => {
      const bounds = { min: 2, max: 2 + spread * 20, initial: 2 + spread * 5 };
      const concurrency = createConcurrency(bounds);
      const running: Begun[] = [];
      let now = 0;
      for (const { ms, at, begins, ends, outcome, outputTokens, retryAfterMs } of steps) {
        now += ms;
        const time = at ?? now;
        for (let i = 0; i < begins; i++) running.push(concurrency.began(time));
        for (const one of running.splice(0, ends)) {
          concurrency.ended(one, { outcome, outputTokens, retryAfterMs }, time + begins);
        }
        const may = concurrency.limit(time);
        expect(Number.isInteger(may) && may >= 0 && may <= bounds.max).toBe(true);
        const { limit, inFlight, shutUntil } = concurrency.state();
        expect(Number.isInteger(limit) && limit >= bounds.min && limit <= bounds.max).toBe(true);
        expect(inFlight).toBe(running.length);
        expect(shutUntil).not.toBeNaN();
      }
    });
    await check(property, 100);
  });

  it('is got over: afterwards the limit is found as ever', () => {
    const concurrency = createConcurrency({ ...BOUNDS, max: 100 });
    for (const outputTokens of [0, -5, Number.NaN, Number.POSITIVE_INFINITY, 1e300, 5e-324]) {
      for (const at of [Number.NaN, Number.POSITIVE_INFINITY, 1e14, 0]) {
        const begun = Array.from({ length: 60 }, () => concurrency.began(at));
        for (const one of begun) concurrency.ended(one, { outcome: 'succeeded', outputTokens }, 0);
      }
    }
    const account = play({ concurrency, seconds: 400, length: lengths(7, 300), provider: capped(50) });
    const { limit } = sum(account, 300);
    expect(limit).toBeGreaterThan(40);
    expect(limit).toBeLessThanOrEqual(51);
  });

  it('a clock that is set back takes the time to come back along', () => {
    const concurrency = createConcurrency(BOUNDS);
    const year = 365 * 86_400_000;
    concurrency.ended(concurrency.began(year), { outcome: 'overloaded', retryAfterMs: 5000 }, year);
    expect([concurrency.limit(1000), concurrency.limit(5999)]).toEqual([0, 0]);
    expect(concurrency.limit(6000)).toBeGreaterThan(0);
  });
});
