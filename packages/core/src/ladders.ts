/** Which models may serve a request: that asked for and, where it stands in a ladder, cheaper ones down to the floor. */
import { show, TollgateError } from './errors.js';
import type { Rung } from './meters/asked.js';
import type { AdmitRequest } from './request.js';

/** Where a model stands, and what may serve in its place. */
interface Step {
  readonly ladder: readonly string[];
  /** From this model down to the cheapest. */
  readonly down: readonly Rung[];
}

/** By model. */
export type Ladders = ReadonlyMap<string, Step>;

const NO_MODEL: readonly Rung[] = [{ model: undefined, index: 0, last: true }];

/** @param ladders each from the best model to the cheapest; no model in two of them */
export function makeLadders(ladders: readonly (readonly string[])[]): Ladders {
  return new Map(
    ladders.flatMap((ladder) =>
      ladder.map((model, index) => [model, { ladder, down: rungs(ladder, index, ladder.length - 1) }] as const),
    ),
  );
}

/**
 * The models that may serve a request, best first. Of the request's floor and the subject's the better model holds; a
 * subject's means nothing in ladders that lack it.
 *
 * @throws TollgateError `TOLLGATE_REQUEST_INVALID` where the request's floor is not in its model's ladder
 */
export function rungsOf(ladders: Ladders, { model, floor, degrade, subject }: AdmitRequest): readonly Rung[] {
  if (model === undefined) return NO_MODEL;
  const step = ladders.get(model);
  if (step === undefined) return [{ model, index: 0, last: true }];
  const { ladder, down } = step;
  const first = down[0].index;
  if (degrade === false || subject?.degrade === false) return rungs(ladder, first, first);
  if (floor === undefined && subject?.floor === undefined) return down;
  if (floor !== undefined && !ladder.includes(floor)) {
    const names = ladder.map((name) => `'${name}'`).join(', ');
    throw new TollgateError('TOLLGATE_REQUEST_INVALID', `floor: got ${show(floor)}; expected one of ${names}.`);
  }
  const floors = [floor, subject?.floor].flatMap((name) =>
    ladder.includes(name ?? '') ? ladder.indexOf(name ?? '') : [],
  );
  return rungs(ladder, first, Math.max(first, Math.min(ladder.length - 1, ...floors)));
}

function rungs(ladder: readonly string[], first: number, last: number): Rung[] {
  return ladder.slice(first, last + 1).map((model, i) => ({ model, index: first + i, last: first + i === last }));
}
