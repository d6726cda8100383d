/**
 * Records of a batch of which the same is asked, together, and what a run does to them column by column: batch.lua says how that
 * is written.
 */
import { areAlike, type Counted, columnOf } from './columns.js';
import { type Numbers, push, pushText } from './numbers.js';
import { createShapes, type Shape } from './shapes.js';

/** A record of the batch at hand; the next one uses it again for another. */
export interface Place {
  name: string;
  /** What is asked of it. */
  charges: readonly Counted[];
  /** By charge its cell: 1, 2 … in the batch. */
  readonly cells: number[];
  /** By charge what the run charges there, or {@link NO_COST}. */
  readonly costs: number[];
  /** By charge the least of the limits of that. */
  readonly limits: number[];
  /** By charge what the run settles there. */
  readonly settled: (Settled | undefined)[];
  /** Of its scope. */
  shapes: Shape[];
  /** Among the keys of records, from 1, once all of them are known. */
  number: number;
}

/** What a run settles of one cell and place in it, either for less or for more. */
export interface Sum {
  readonly cell: Settled;
  /** In the row. */
  readonly place: number;
  readonly isMore: boolean;
  cost: number;
  actual: number;
  /** What of it is booked, once that is answered. */
  booked: number;
  /** Of a budget: it changes what is used. */
  counts: boolean;
}

/** What a run settles of one cell. */
export interface Settled {
  readonly sums: Sum[];
  /** Of a budget, once that is answered: what was used before what is read next. */
  used: number;
}

/** What a run does to a meter. */
export interface RunColumn {
  readonly isBudget: boolean;
  readonly settled: readonly Settled[];
  /** Where its takes charge, and how much. */
  readonly cells: readonly number[];
  readonly costs: readonly number[];
}

/** Of a cell that a run charges nothing. */
export const NO_COST = -1;

/** Records of which the same is asked. */
interface Layout {
  readonly charges: readonly Counted[];
  readonly limits: readonly number[];
  readonly shape: Shape;
  readonly places: Place[];
}

/** Of one batch after the other. */
export function createLayouts() {
  const shapeOf = createShapes();
  let layouts: Layout[] = [];

  /** @param count how many of the places are of this batch */
  function layOut(all: readonly Place[], count: number): string[] {
    layouts = [];
    for (let i = 0; i < count; i++) {
      const place = all[i];
      const { charges, limits } = place;
      const layout = layouts.find((layout) => isLaidOut(place, layout));
      if (layout !== undefined) layout.places.push(place);
      else layouts.push({ charges, limits, shape: shapeOf(place.shapes, charges), places: [place] });
    }
    const keys: string[] = [];
    for (const { places } of layouts) for (const place of places) place.number = keys.push(place.name);
    return keys;
  }

  /** Writes the layouts, and what the run does by their columns. Returns that, in the order in which it is answered. */
  function write(numbers: Numbers, now: number): RunColumn[] {
    for (const { places, charges, shape } of layouts) {
      push(numbers, places.length);
      push(numbers, charges.length);
      push(numbers, shape.numbers);
      pushText(numbers, shape.format);
      pushText(numbers, shape.directory);
    }
    const run: RunColumn[] = [];
    for (const layout of layouts) {
      for (let i = 0; i < layout.charges.length; i++) run.push(writeColumn(numbers, layout, i, now));
    }
    return run;
  }

  return { layOut, count: () => layouts.length, write };
}

function writeColumn(numbers: Numbers, { charges, limits, shape, places }: Layout, i: number, now: number): RunColumn {
  const settled: Settled[] = [];
  const cells: number[] = [];
  const costs: number[] = [];
  let sums = 0;
  for (const place of places) {
    const cell = place.settled[i];
    if (cell !== undefined) {
      settled.push(cell);
      sums += cell.sums.length;
    }
    if (place.costs[i] !== NO_COST) {
      cells.push(place.cells[i]);
      costs.push(place.costs[i]);
    }
  }
  const { kind, width, first, second } = columnOf(charges[i], now);
  push(numbers, kind);
  push(numbers, shape.rows[i]);
  push(numbers, width);
  push(numbers, shape.minutes[i]);
  push(numbers, first);
  push(numbers, second);
  push(numbers, limits[i]);
  push(numbers, sums);
  push(numbers, cells.length);
  if (sums > 0) writeSums(numbers, places, i);
  if (cells.length > 0) for (const place of places) push(numbers, place.costs[i]);
  return { isBudget: charges[i].rule.kind === 'calendar', settled, cells, costs };
}

function writeSums(numbers: Numbers, places: readonly Place[], column: number): void {
  for (let j = 0; j < places.length; j++) {
    const cell = places[j].settled[column];
    if (cell === undefined) continue;
    for (const { place, cost, actual } of cell.sums) {
      push(numbers, j + 1);
      push(numbers, place);
      push(numbers, cost);
      push(numbers, actual);
    }
  }
}

function isLaidOut({ charges, limits }: Place, layout: Layout): boolean {
  if (!areAlike(charges, layout.charges)) return false;
  for (let i = 0; i < limits.length; i++) if (limits[i] !== layout.limits[i]) return false;
  return true;
}
