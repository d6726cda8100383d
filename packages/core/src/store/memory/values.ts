/**
 * The values of one dimension, each with a small number for as long as a record needs it. Strings are what a decision
 * costs: here one is looked up once, however many limits count by it, and from there on records are found by numbers.
 */
export interface Values {
  readonly numbers: Map<string | undefined, number>;
  /** By number; `undefined` also where the number is free. */
  readonly values: (string | undefined)[];
  /** By number: how many records need it. */
  needs: Uint32Array;
  readonly free: number[];
  /** What was looked up last: limits with a dimension in common ask for the same value one after the other. */
  last: string | undefined;
  lastNumber: number;
}

/** The number of a value that no record needs. */
export const UNKNOWN = -1;

export function createValues(): Values {
  return {
    numbers: new Map(),
    values: [],
    needs: new Uint32Array(16),
    free: [],
    last: undefined,
    lastNumber: UNKNOWN,
  };
}

export function numberOf(values: Values, value: string | undefined): number {
  if (value !== values.last) {
    values.last = value;
    values.lastNumber = values.numbers.get(value) ?? UNKNOWN;
  }
  return values.lastNumber;
}

/** The number of a value that one more record needs. */
export function need(values: Values, value: string | undefined): number {
  const known = numberOf(values, value);
  const number = known === UNKNOWN ? add(values, own(value)) : known;
  values.lastNumber = number;
  values.needs[number]++;
  return number;
}

/** One record less needs the value. */
export function release(values: Values, number: number): void {
  if (--values.needs[number] > 0) return;
  values.numbers.delete(values.values[number]);
  values.values[number] = undefined;
  values.free.push(number);
  if (values.lastNumber === number) values.lastNumber = UNKNOWN;
}

function add(values: Values, value: string | undefined): number {
  const number = values.free.pop() ?? values.values.length;
  if (number === values.needs.length) {
    const longer = new Uint32Array(number + (number >> 2));
    longer.set(values.needs);
    values.needs = longer;
  }
  values.values[number] = value;
  values.numbers.set(value, number);
  return number;
}

/** Strings shorter than this are never slices of others in V8. */
const SHORTEST_SLICE = 13;

/** A string of its own: a slice of a long header would keep all of that header in memory. */
function own(value: string | undefined): string | undefined {
  return value === undefined || value.length < SHORTEST_SLICE ? value : JSON.parse(JSON.stringify(value));
}
