/** What properties of the order in lines draw by chance. */
import fc from 'fast-check';

const MINUTE = 60_000;

export const PRIORITIES = ['interactive', 'standard', 'batch', 'background'] as const;

/** Steps in time: somebody comes and asks for something, one of those that run ends, or one of those that wait leaves. */
export function stepsOf<T>(ms: fc.Arbitrary<number>, asked: fc.Arbitrary<T>) {
  return fc.array(
    fc.record({
      ms,
      event: fc.oneof(
        { weight: 5, arbitrary: asked },
        { weight: 4, arbitrary: fc.record({ end: fc.nat(100) }) },
        { weight: 1, arbitrary: fc.record({ leave: fc.nat(100) }) },
      ),
    }),
    { maxLength: 80, size: 'max' },
  );
}

/** What is short: so many slots, of which each takes one; or so many dollars, of which each takes its cost. */
export type Short = { readonly slots: number } | { readonly dollars: number };

export const shortages: fc.Arbitrary<Short> = fc.oneof(
  fc.integer({ min: 1, max: 4 }).map((slots) => ({ slots })),
  fc.constant({ dollars: 100 }),
);

/** Milliseconds by which each priority goes behind interactive: each by more than the one above it. */
export const ageings = fc
  .tuple(fc.nat(MINUTE), fc.nat(MINUTE), fc.nat(MINUTE))
  .map(([a, b, c]) => ({ standard: a + 1, batch: a + b + 1, background: a + b + c + 1 }));
