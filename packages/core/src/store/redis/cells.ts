/** The records that a batch is about, and where in them each of its charges counts: batch.lua says how that is written. */
import { type Charge, type Meter, needsNoRoom, type Scope, type Who } from '../../meters/meter.js';
import { areAlike, type Counted, columnOf, isAlike } from './columns.js';
import { meterNumber, recordName, scopeName } from './keys.js';
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
  /** Among the keys of records, from 1, once all of them are known. */
  number: number;
}

/** Records of which the same is asked. */
interface Layout {
  readonly charges: readonly Counted[];
  readonly limits: readonly number[];
  readonly places: Place[];
}

/** What a run charges to a cell. */
export interface Sum {
  readonly cell: number;
  readonly cost: number;
  readonly isBudget: boolean;
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
  // Weak, since each admission that is resumed can bring meters and scopes of its own.
  const numbers = new WeakMap<Meter, number>();
  const scopes = new WeakMap<Scope, Known>();
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
    const known = scopes.get(scope) ?? learn(scope);
    if (known.batch !== batch) {
      known.batch = batch;
      known.places.clear();
    }
    const { at } = scope;
    const isNamed = at.length !== 1;
    const key = isNamed ? recordName(known.start, scope, who) : who[at[0]];
    let place = known.places.get(key);
    if (place !== undefined) return place;
    if (count === places.length) places.push({ name: '', charges, cells: [], costs: [], limits: [], number: 0 });
    place = places[count++];
    known.places.set(key, place);
    place.name = isNamed ? (key as string) : recordName(known.start, scope, who);
    place.charges = charges;
    if (place.limits.length > charges.length) place.limits.length = charges.length;
    for (let i = 0; i < charges.length; i++) addCell(place, i);
    return place;
  }

  function learn(scope: Scope): Known {
    const start = prefix + scopeName(scope);
    const known = knownBy.get(start) ?? { start, places: new Map(), batch: 0 };
    knownBy.set(start, known);
    scopes.set(scope, known);
    return known;
  }

  function addCell(place: Place, column: number): void {
    owners[cells] = place;
    columns[cells] = column + 1;
    place.cells[column] = ++cells;
    place.costs[column] = NO_COST;
    place.limits[column] = Number.POSITIVE_INFINITY;
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

  /** Puts records of which the same is asked together, when all of it is known. Returns their names, in order. */
  function layOut(): string[] {
    layouts = [];
    for (let i = 0; i < count; i++) {
      const place = places[i];
      const layout = layouts.find((layout) => isLaidOut(place, layout));
      if (layout === undefined) layouts.push({ charges: place.charges, limits: place.limits, places: [place] });
      else layout.places.push(place);
    }
    const keys: string[] = [];
    for (const { places } of layouts) for (const place of places) place.number = keys.push(place.name);
    return keys;
  }

  function writeLayouts(words: Words, now: number): void {
    push(words, layouts.length);
    for (const { charges, limits, places } of layouts) {
      push(words, places.length);
      push(words, charges.length);
      for (const [i, charge] of charges.entries()) {
        push(words, numberOf(charge.meter));
        for (const value of columnOf(charge, now)) push(words, value);
        push(words, limits[i]);
      }
    }
  }

  /** Writes what the run charges. Returns it in the order in which it is answered. */
  function writeRun(words: Words): Sum[] {
    const sums: Sum[] = [];
    for (const { charges, places } of layouts) {
      for (let i = 0; i < charges.length; i++) {
        const isBudget = charges[i].rule.kind === 'calendar';
        for (let j = 0; j < places.length; j++) {
          const { cells, costs } = places[j];
          push(words, costs[i]);
          if (costs[i] !== NO_COST) sums.push({ cell: cells[i], cost: costs[i], isBudget });
        }
      }
    }
    return sums;
  }

  function writeCells(words: Words): void {
    for (let i = 0; i < cells; i++) {
      push(words, owners[i].number);
      push(words, columns[i]);
    }
  }

  function numberOf(meter: Meter): number {
    const number = numbers.get(meter) ?? meterNumber(meter);
    numbers.set(meter, number);
    return number;
  }

  return { reset, placeOf, columnIn, add, layOut, writeLayouts, writeRun, writeCells };
}

function isLaidOut({ charges, limits }: Place, layout: Layout): boolean {
  if (!areAlike(charges, layout.charges)) return false;
  for (let i = 0; i < limits.length; i++) if (limits[i] !== layout.limits[i]) return false;
  return true;
}
