/** Which models may serve a request: that asked for and, where it stands in a ladder, cheaper ones down to the floor. */
import { oneOfNames, type TollgateError, wrongValue } from '../errors.js';
import type { Rung } from '../meters/asked.js';
import type { AdmitRequest } from '../request.js';
import { isRecord } from '../schema.js';
import { checkSubject } from '../subject.js';

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
 * The models that may serve a request, best first. Of the request's floor and the subject's the better model holds. A
 * subject's means nothing in a ladder that lacks it, but has to be in one. For a model in no ladder there is none cheaper,
 * and floors mean nothing.
 *
 * @throws TollgateError `TOLLGATE_REQUEST_INVALID` for what is no request, or whose subject is none; where the request's
 *   floor is not in its model's ladder, or the subject's in no ladder; for a model that is no name, and for a `degrade`
 *   that is neither true nor false
 */
export function rungsOf(ladders: Ladders, request: AdmitRequest): readonly Rung[] {
  checkRequest(request);
  const { model, floor, degrade, subject } = request;
  checkSubject(subject);
  checkDegrade('degrade', degrade);
  checkDegrade('subject.degrade', subject?.degrade);
  if (model === undefined) return NO_MODEL;
  if (typeof model !== 'string' || model === '') throw wrong('model', model, 'a name, or undefined');
  const step = ladders.get(model);
  if (step === undefined) return [{ model, index: 0, last: true }];
  const { ladder, down } = step;
  const first = down[0].index;
  if (degrade === false || subject?.degrade === false) return rungs(ladder, first, first);
  if (floor === undefined && subject?.floor === undefined) return down;
  if (floor !== undefined && !ladder.includes(floor)) {
    throw wrong('floor', floor, oneOfNames(ladder));
  }
  if (subject?.floor !== undefined && !ladders.has(subject.floor)) {
    throw wrong('subject.floor', subject.floor, oneOfNames(ladders.keys()));
  }
  const lowest = Math.min(placeOf(floor, ladder), placeOf(subject?.floor, ladder));
  return rungs(ladder, first, Math.max(first, lowest));
}

function checkRequest(request: unknown): void {
  if (!isRecord(request)) throw wrong('request', request, 'an object such as { subject, tier }');
}

/** The place of a floor in a ladder; the last one where it is not in it. */
function placeOf(floor: string | undefined, ladder: readonly string[]): number {
  const place = floor === undefined ? -1 : ladder.indexOf(floor);
  return place < 0 ? ladder.length - 1 : place;
}

function rungs(ladder: readonly string[], first: number, last: number): Rung[] {
  return ladder.slice(first, last + 1).map((model, i) => ({ model, index: first + i, last: first + i === last }));
}

function checkDegrade(field: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') throw wrong(field, value, 'true, false or undefined');
}

function wrong(field: string, value: unknown, expected: string): TollgateError {
  return wrongValue('TOLLGATE_REQUEST_INVALID', field, value, expected);
}
