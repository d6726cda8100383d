/** The records that a batch is about, and where in them each of its charges counts: batch.lua says how that is written. */
import { type Charge, needsNoRoom, type Scope, type Who } from '../../meters/meter.js';
import { areAlike, type Counted, columnOf, isAlike } from './columns.js';
import { recordName, scopeName } from './keys.js';
import { createShapes, type Shape } from './shapes.js';
import { push, type Words } from './words.js';

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

/** Records of which the same is asked. */
interface Layout {
  readonly charges: readonly Counted[];
  readonly limits: readonly number[];
  readonly shape: Shape;
  readonly places: Place[];
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
interface Settled {
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

const NO_COST = -1;

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
  const shapeOf = createShapes();
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
  let layouts: Layout[] = [];

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

  /** Puts records of which the same is asked together, when all of it is known. Returns their names, in order. */
  function layOut(): string[] {
    layouts = [];
    for (let i = 0; i < count; i++) {
      const place = places[i];
      const { charges, limits } = place;
      const layout = layouts.find((layout) => isLaidOut(place, layout));
      if (layout !== undefined) layout.places.push(place);
      else layouts.push({ charges, limits, shape: shapeOf(place.shapes, charges), places: [place] });
    }
    const keys: string[] = [];
    for (const { places } of layouts) for (const place of places) place.number = keys.push(place.name);
    return keys;
  }

  /** How many there are. */
  function countLayouts(): number {
    return layouts.length;
  }

  /** How each is read. */
  function formats(): (string | Buffer)[] {
    return layouts.flatMap(({ shape }) => [shape.format, shape.directory]);
  }

  /** Writes the layouts, and what the run does by their columns. Returns that, in the order in which it is answered. */
  function writeLayouts(words: Words, now: number): RunColumn[] {
    for (const { places, charges, shape } of layouts) {
      push(words, places.length);
      push(words, charges.length);
      push(words, shape.numbers);
    }
    const run: RunColumn[] = [];
    for (const layout of layouts) {
      for (let i = 0; i < layout.charges.length; i++) run.push(writeColumn(words, layout, i, now));
    }
    return run;
  }

  function writeColumn(
    words: Words,
    { charges, limits, shape, places }: Layout,
    column: number,
    now: number,
  ): RunColumn {
    const { kind, width, first, second } = columnOf(charges[column], now);
    push(words, kind);
    push(words, shape.rows[column]);
    push(words, width);
    push(words, shape.minutes[column]);
    push(words, first);
    push(words, second);
    push(words, limits[column]);
    const counts = words.length;
    push(words, 0);
    push(words, 0);
    const settled: Settled[] = [];
    let sums = 0;
    const cells: number[] = [];
    const costs: number[] = [];
    for (let j = 0; j < places.length; j++) {
      const place = places[j];
      if (place.costs[column] !== NO_COST) {
        cells.push(place.cells[column]);
        costs.push(place.costs[column]);
      }
      const cell = place.settled[column];
      if (cell === undefined) continue;
      settled.push(cell);
      for (const sum of cell.sums) {
        sums++;
        push(words, j + 1);
        push(words, sum.place);
        push(words, sum.cost);
        push(words, sum.actual);
      }
    }
    if (cells.length > 0) for (let j = 0; j < places.length; j++) push(words, places[j].costs[column]);
    words.numbers[counts] = sums;
    words.numbers[counts + 1] = cells.length;
    return { isBudget: charges[column].rule.kind === 'calendar', settled, cells, costs };
  }

  function writeCells(words: Words): void {
    for (let i = 0; i < cells; i++) {
      push(words, owners[i].number);
      push(words, columns[i]);
    }
  }

  return { reset, placeOf, columnIn, add, addSettled, layOut, countLayouts, formats, writeLayouts, writeCells };
}

function isLaidOut({ charges, limits }: Place, layout: Layout): boolean {
  if (!areAlike(charges, layout.charges)) return false;
  for (let i = 0; i < limits.length; i++) if (limits[i] !== layout.limits[i]) return false;
  return true;
}
