import fc from 'fast-check';
import {
  createLearned,
  HALF_LIFE,
  type Learned,
  MAX_LEARNED,
  MAX_NAME_LENGTH,
  MAX_PAIRS,
  MIN_SEEN,
} from '../../packages/core/src/money/learned.js';

/** A bucket's bound is less than this above what is in it. */
const WIDTH = 1.125;

const counts = fc.oneof(fc.nat(40), fc.nat(5000), fc.nat(2_000_000));

function learnAll(learned: Learned, outputs: readonly number[], model = 'm'): void {
  for (const outputTokens of outputs) learned.learn('f', model, undefined, { inputTokens: 10, outputTokens });
}

function likelyAfter(outputs: readonly number[]): number | undefined {
  const learned = createLearned();
  learnAll(learned, outputs);
  return learned.likely('f', 'm')?.outputTokens;
}

const stateOf = (learned: Learned, model = 'm') => learned.states().find((state) => state.model === model);

/** The least observation that has `percent` of the weight at or below it, each weighing half for every half-life since. */
function exactly(outputs: readonly number[], percent: number): number {
  const era = (i: number) => Math.floor(i / HALF_LIFE);
  const weighed = outputs.map((value, i) => ({ value, weight: 2 ** (era(i) - era(outputs.length - 1)) }));
  const total = weighed.reduce((sum, { weight }) => sum + weight, 0);
  let below = 0;
  for (const { value, weight } of weighed.toSorted((a, b) => a.value - b.value)) {
    below += weight;
    if (below * 100 >= total * percent) return value;
  }
  throw new Error('no observations');
}

describe('what is likely', () => {
  test(`is not said until ${MIN_SEEN} were seen`, () => {
    const learned = createLearned();
    expect(learned.likely('f', 'm')).toBeUndefined();
    learnAll(learned, Array(MIN_SEEN - 1).fill(100));
    expect(learned.likely('f', 'm')).toBeUndefined();
    learnAll(learned, [100]);
    expect(learned.likely('f', 'm')?.outputTokens).toBeGreaterThanOrEqual(100);
  });

  test('is the 95th percentile: never below it, and less than an eighth above', () => {
    fc.assert(
      fc.property(fc.array(counts, { minLength: MIN_SEEN, maxLength: HALF_LIFE }), (outputs) => {
        const exact = exactly(outputs, 95);
        const likely = likelyAfter(outputs);
        expect(likely).toBeGreaterThanOrEqual(exact);
        expect(likely).toBeLessThan(exact * WIDTH + 1);
      }),
    );
  });

  test('is that of what fades: half the weight for each half-life', () => {
    fc.assert(
      fc.property(
        fc.array(counts, { minLength: 2 * HALF_LIFE, maxLength: 8 * HALF_LIFE }),
        fc.nat(9),
        (outputs, shift) => {
          const drifting = outputs.map((value, i) => Math.ceil(value * (1 + (shift * i) / outputs.length)));
          const likely = likelyAfter(drifting);
          // A rank's leeway, for weights are kept to a 128th.
          expect(likely).toBeGreaterThanOrEqual(exactly(drifting, 94.5));
          expect(likely).toBeLessThan(exactly(drifting, 95.5) * WIDTH + 1);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('is exact for small counts, and for one that is always the same within an eighth', () => {
    for (let count = 0; count < 16; count++) expect(likelyAfter(Array(MIN_SEEN).fill(count))).toBe(count);
    fc.assert(
      fc.property(fc.nat(MAX_LEARNED), (count) => {
        const likely = likelyAfter(Array(MIN_SEEN).fill(count)) as number;
        expect(likely).toBeGreaterThanOrEqual(count);
        expect(likely).toBeLessThanOrEqual(Math.floor(count * WIDTH));
      }),
    );
    for (let power = 0; power < 30; power++) {
      for (const count of [2 ** power - 1, 2 ** power, 2 ** power + 1]) {
        expect(likelyAfter(Array(MIN_SEEN).fill(count))).toBeGreaterThanOrEqual(count);
      }
    }
  });

  test('rounds parts of a token up, and takes what is beyond all measure for the greatest', () => {
    expect(likelyAfter(Array(MIN_SEEN).fill(3.2))).toBe(4);
    expect(likelyAfter(Array(MIN_SEEN).fill(Number.MAX_SAFE_INTEGER))).toBe(MAX_LEARNED);
  });

  test('leaves out the highest twentieth, and no more', () => {
    const usual: number[] = Array(95).fill(10);
    expect(likelyAfter([...usual, ...Array(5).fill(10_000)])).toBe(10);
    expect(likelyAfter([...usual, ...Array(6).fill(10_000)])).toBeGreaterThanOrEqual(10_000);
  });

  test('follows a rise within 25 observations, and a fall within 1200', () => {
    for (const before of [HALF_LIFE, 2 * HALF_LIFE - 1, 10 * HALF_LIFE - 1, 10 * HALF_LIFE, 10 * HALF_LIFE + 77]) {
      const learned = createLearned();
      learnAll(learned, Array(before).fill(100));
      learnAll(learned, Array(25).fill(8000));
      expect(learned.likely('f', 'm')?.outputTokens).toBeGreaterThanOrEqual(8000);
      learnAll(learned, Array(before).fill(8000));
      learnAll(learned, Array(1200).fill(100));
      expect(learned.likely('f', 'm')?.outputTokens).toBeLessThan(100 * WIDTH);
    }
  });

  test('is known of each kind by itself', () => {
    const learned = createLearned();
    for (let i = 0; i < MIN_SEEN; i++) learned.learn('f', 'm', undefined, { outputTokens: 7 });
    expect(learned.likely('f', 'm')).toEqual({ inputTokens: undefined, outputTokens: 7 });
    for (let i = 0; i < MIN_SEEN; i++) learned.learn('f', 'm', undefined, { inputTokens: 3 });
    expect(learned.likely('f', 'm')).toEqual({ inputTokens: 3, outputTokens: 7 });
  });

  test('holds for its feature and model alone, and knows requests without', () => {
    const learned = createLearned();
    const names = [undefined, 'a', 'b', '__proto__', 'constructor', 'undefined', 'a\0b', ''];
    const cases = names.flatMap((feature) => names.map((model) => ({ feature, model })));
    cases.forEach(({ feature, model }, i) => {
      for (let n = 0; n < MIN_SEEN; n++)
        learned.learn(feature, model, undefined, { inputTokens: 1, outputTokens: i % 16 });
    });
    cases.forEach(({ feature, model }, i) => {
      expect(learned.likely(feature, model)?.outputTokens).toBe(i % 16);
    });
    expect(learned.likely('a', 'toString')).toBeUndefined();
    expect(learned.likely('toString', 'a')).toBeUndefined();
    expect(learned.states()).toHaveLength(cases.length);
  });

  test('is the same until something is learned, and another after', () => {
    const learned = createLearned();
    learnAll(learned, Array(MIN_SEEN).fill(5));
    const likely = learned.likely('f', 'm');
    expect(learned.likely('f', 'm')).toBe(likely);
    learnAll(learned, Array(MIN_SEEN).fill(9));
    expect(learned.likely('f', 'm')?.outputTokens).toBe(9);
    expect(likely?.outputTokens).toBe(5);
  });
});

describe('the states', () => {
  test('say how many were seen, and the median and 95th percentile of answers', () => {
    const learned = createLearned();
    expect(learned.states()).toEqual([]);
    fc.assert(
      fc.property(fc.array(counts, { minLength: 1, maxLength: HALF_LIFE }), (outputs) => {
        const learned = createLearned();
        learnAll(learned, outputs);
        const {
          feature,
          model,
          seen,
          p50 = -1,
          p95 = -1,
        } = stateOf(learned) as NonNullable<ReturnType<typeof stateOf>>;
        expect({ feature, model, seen }).toEqual({ feature: 'f', model: 'm', seen: outputs.length });
        for (const [p, percent] of [
          [p50, 50],
          [p95, 95],
        ] as const) {
          expect(p).toBeGreaterThanOrEqual(exactly(outputs, percent));
          expect(p).toBeLessThan(exactly(outputs, percent) * WIDTH + 1);
        }
      }),
    );
  });

  test('say what was estimated for each token used', () => {
    const learned = createLearned();
    for (let i = 0; i < 10; i++) {
      learned.learn('f', 'm', { inputTokens: 150, outputTokens: 50 }, { inputTokens: 100, outputTokens: 200 });
    }
    expect(stateOf(learned)).toMatchObject({ inputRatio: 1.5, outputRatio: 0.25 });
    learned.learn('f', 'm', undefined, { inputTokens: 9999, outputTokens: 9999 });
    learned.learn('f', 'm', { inputTokens: 9999 }, { outputTokens: 9999 });
    expect(stateOf(learned)).toMatchObject({ seen: 12, inputRatio: 1.5, outputRatio: 0.25 });
  });

  test('follow a change in what is estimated', () => {
    const learned = createLearned();
    for (const estimated of [...Array(1000).fill(400), ...Array(1000).fill(100)]) {
      learned.learn('f', 'm', { outputTokens: estimated }, { outputTokens: 100 });
    }
    expect(stateOf(learned)?.outputRatio).toBeGreaterThan(1);
    expect(stateOf(learned)?.outputRatio).toBeLessThan(1.15);
  });

  test('say nothing of what was not seen', () => {
    const learned = createLearned();
    learned.learn('f', 'm', { outputTokens: 5 }, { inputTokens: 3 });
    learned.learn('f', 'idle', { outputTokens: 5 }, { outputTokens: 0 });
    learned.learn('f', 'nothing', { outputTokens: 5 }, {});
    const nothing = { inputRatio: undefined, outputRatio: undefined };
    expect(stateOf(learned)).toMatchObject({ seen: 1, p50: undefined, p95: undefined, ...nothing });
    expect(stateOf(learned, 'idle')).toMatchObject({ seen: 1, p50: 0, p95: 0, ...nothing });
    expect(stateOf(learned, 'nothing')).toBeUndefined();
  });
});

describe('a flood of names', () => {
  const known = { inputTokens: 10, outputTokens: 5 };

  function flood(learned: Learned, names: number, each = 1): void {
    for (let i = 0; i < names; i++) {
      for (let n = 0; n < each; n++) learned.learn('f', `made-up-${i}`, undefined, { inputTokens: 1, outputTokens: 1 });
    }
  }

  test('is bounded, and pushes out nothing that is known', () => {
    const learned = createLearned();
    for (let i = 0; i < 100; i++) learnAll(learned, Array(MIN_SEEN).fill(5), `real-${i}`);
    flood(learned, 5 * MAX_PAIRS);
    flood(learned, 5 * MAX_PAIRS, MIN_SEEN - 1);
    expect(learned.states()).toHaveLength(MAX_PAIRS);
    for (let i = 0; i < 100; i++) expect(learned.likely('f', `real-${i}`)).toEqual(known);
  });

  test('leaves room for what is new', () => {
    const learned = createLearned();
    flood(learned, 5 * MAX_PAIRS);
    learnAll(learned, Array(MIN_SEEN).fill(5), 'real');
    flood(learned, 5 * MAX_PAIRS);
    expect(learned.likely('f', 'real')).toEqual(known);
  });

  test('of names that are all known by now pushes out what was least recently learned', () => {
    const learned = createLearned();
    learnAll(learned, Array(MIN_SEEN).fill(5), 'kept');
    learnAll(learned, Array(MIN_SEEN).fill(5), 'left');
    flood(learned, MAX_PAIRS - 2, MIN_SEEN);
    learnAll(learned, [5], 'kept');
    expect(learned.states()).toHaveLength(MAX_PAIRS);
    learnAll(learned, Array(MIN_SEEN).fill(5), 'new');
    expect(learned.likely('f', 'left')).toBeUndefined();
    expect(learned.likely('f', 'kept')).toEqual(known);
    expect(learned.likely('f', 'new')).toEqual(known);
    expect(learned.states()).toHaveLength(MAX_PAIRS);
  });

  test('of features is bounded too', () => {
    const learned = createLearned();
    for (let i = 0; i < 2 * MAX_PAIRS; i++) learned.learn(`feature-${i}`, 'm', undefined, known);
    expect(learned.states()).toHaveLength(MAX_PAIRS);
    expect(stateOf(learned)?.feature).toBe(`feature-${MAX_PAIRS}`);
  });

  test('of long names is not learned', () => {
    const learned = createLearned();
    learned.learn('f', 'm'.repeat(MAX_NAME_LENGTH + 1), undefined, known);
    learned.learn('f'.repeat(MAX_NAME_LENGTH + 1), 'm', undefined, known);
    expect(learned.states()).toEqual([]);
    learned.learn('f'.repeat(MAX_NAME_LENGTH), 'm'.repeat(MAX_NAME_LENGTH), undefined, known);
    expect(learned.states()).toHaveLength(1);
  });
});
