/** The records that a batch is about, and where in them each of its charges counts: batch.lua says how that is written. */
import { type Charge, needsNoRoom, type Scope, type Who } from '../../meters/meter.js';
import { type Counted, isAlike } from './columns.js';
import { recordName, scopeName } from './keys.js';
import { createLayouts, NO_COST, type Place, type Sum } from './layouts.js';
import { type Numbers, push } from './numbers.js';
import type { Shape } from './shapes.js';

/** What is known of a scope. */
interface Known {
  /** What the names of its records begin with. */
  readonly start: string;
  /** Those of a batch, by the value of its dimension or, where it has several, by name. */
  readonly places: Map<string | undefined, Place>;
  batch: number;
}

export type Cells = ReturnType<typeof createCells>;

/** Of one batch after the other. @param prefix of all keys */
export function createCells(prefix: string) {
  // Weak, since each admission that is resumed can bring meters and scopes of its own.
  const scopes = new WeakMap<Scope, { readonly known: Known; readonly shapes: Shape[] }>();
  /** By what names begin with: gates that share the store have scopes of their own, and the same records. */
  const knownBy = new Map<string, Known>();
  let batch = 0;
  /** In the order in which they are mentioned first, and how many are of this batch. */
  const places: Place[] = [];
  let count = 0;
  /** By cell: its record, and which column of that it is; and how many there are. */
  const owners: Place[] = [];
  const columns: number[] = [];
  let cells = 0;
  const layouts = createLayouts();

  /** Begins a batch. */
  function reset(): void {
    batch++;
    count = 0;
    cells = 0;
  }

  /** @param charges what is charged there: at a record's first mention all of it has cells at once */
  function placeOf(scope: Scope, who: Who, charges: readonly Counted[]): Place {
    const { known, shapes } = scopes.get(scope) ?? learn(scope);
    if (known.batch !== batch) {
      known.batch = batch;
      known.places.clear();
    }
    const { at } = scope;
    const isNamed = at.length !== 1;
    const key = isNamed ? recordName(known.start, scope, who) : who[at[0]];
    let place = known.places.get(key);
    if (place !== undefined) return place;
    if (count === places.length) {
      places.push({ name: '', charges, cells: [], costs: [], limits: [], settled: [], shapes, number: 0 });
    }
    place = places[count++];
    known.places.set(key, place);
    place.name = isNamed ? (key as string) : recordName(known.start, scope, who);
    place.charges = charges;
    place.shapes = shapes;
    if (place.limits.length > charges.length) place.limits.length = charges.length;
    for (let i = 0; i < charges.length; i++) addCell(place, i);
    return place;
  }

  function learn(scope: Scope) {
    const start = prefix + scopeName(scope);
    const known: Known = knownBy.get(start) ?? { start, places: new Map(), batch: 0 };
    knownBy.set(start, known);
    const learned = { known, shapes: [] };
    scopes.set(scope, learned);
    return learned;
  }

  function addCell(place: Place, column: number): void {
    owners[cells] = place;
    columns[cells] = column + 1;
    place.cells[column] = ++cells;
    place.costs[column] = NO_COST;
    place.limits[column] = Number.POSITIVE_INFINITY;
    place.settled[column] = undefined;
  }

  /** Which of a record's columns counts a charge: 0, 1 … @param likely probably that one */
  function columnIn(place: Place, charge: Counted, likely: number): number {
    const { charges } = place;
    if (charges[likely] === charge) return likely;
    for (let i = 0; i < charges.length; i++) if (isAlike(charges[i], charge)) return i;
    place.charges = [...charges, charge];
    addCell(place, charges.length);
    return charges.length;
  }

  /** Counts what the run charges. */
  function add({ costs, limits }: Place, column: number, charge: Charge): void {
    costs[column] = costs[column] === NO_COST ? charge.cost : costs[column] + charge.cost;
    if (charge.limit < limits[column] && !needsNoRoom(charge)) limits[column] = charge.limit;
  }

  /** Counts what the run settles. Returns what that is a part of. @param at its place in the row */
  function addSettled(place: Place, column: number, at: number, cost: number, actual: number): Sum {
    const cell = place.settled[column] ?? { sums: [], used: 0 };
    place.settled[column] = cell;
    const isMore = actual > cost;
    let sum = cell.sums.find((sum) => sum.place === at && sum.isMore === isMore);
    if (sum === undefined) {
      sum = { cell, place: at, isMore, cost: 0, actual: 0, booked: 0, counts: false };
      cell.sums.push(sum);
    }
    sum.cost += cost;
    sum.actual += actual;
    return sum;
  }

  function writeCells(numbers: Numbers): void {
    for (let i = 0; i < cells; i++) {
      push(numbers, owners[i].number);
      push(numbers, columns[i]);
    }
  }

  return {
    reset,
    placeOf,
    columnIn,
    add,
    addSettled,
    writeCells,
    /** Puts records of which the same is asked together, when all of it is known. Returns their names, in order. */
    layOut: () => layouts.layOut(places, count),
    countLayouts: layouts.count,
    writeLayouts: layouts.write,
  };
}
