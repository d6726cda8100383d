/** How the records of which the same is asked are read: records.lua says how they are kept. */
import type { Meter } from '../../meters/meter.js';
import { width } from '../../meters/rules.js';
import { areAlike, type Counted } from './columns.js';
import { meterNumber } from './keys.js';

export interface Shape {
  readonly charges: readonly Counted[];
  /** How many numbers its rows have. */
  readonly numbers: number;
  /** In JSON. */
  readonly format: string;
  readonly directory: string;
  /** By charge, each from 1: where its row begins in a record, and where its last minute stands. */
  readonly rows: readonly number[];
  readonly minutes: readonly number[];
}

/** Of one scope: who charges it often does so alike. */
const MOST_KNOWN = 8;

/** Finds the shape for charges to a scope, of which the last ones are known. */
export function createShapes(): (known: Shape[], charges: readonly Counted[]) => Shape {
  // Weak, since each admission that is resumed can bring meters of its own.
  const numbers = new WeakMap<Meter, number>();

  function numberOf(meter: Meter): number {
    const number = numbers.get(meter) ?? meterNumber(meter);
    numbers.set(meter, number);
    return number;
  }

  /** Charges to one meter by several rules share its section. */
  function shapeOf(charges: readonly Counted[]): Shape {
    const meters: number[] = [];
    const widths: number[] = [];
    const starts: number[] = [];
    let count = 0;
    for (const { meter, rule } of charges) {
      const number = numberOf(meter);
      if (meters.includes(number)) continue;
      meters.push(number);
      widths.push(width(rule));
      starts.push(count + 1);
      count += width(rule);
    }
    const directory = meters.map((meter, i) => charactersOf(meter, 5) + charactersOf(widths[i], 2)).join('');
    const sections = charges.map(({ meter }) => meters.indexOf(numberOf(meter)));
    return {
      charges,
      numbers: count,
      format: JSON.stringify(`<${'d'.repeat(count)}${'I4'.repeat(meters.length)}c${directory.length}`),
      directory: JSON.stringify(directory),
      rows: sections.map((section) => starts[section]),
      minutes: sections.map((section) => count + section + 1),
    };
  }

  return (known, charges) => {
    let shape = known.find((shape) => areAlike(charges, shape.charges));
    if (shape !== undefined) return shape;
    shape = shapeOf(charges);
    if (known.push(shape) > MOST_KNOWN) known.shift();
    return shape;
  };
}

/** A number in characters of 7 bits each, the least first: as bytes they are the same in any text. */
function charactersOf(number: number, count: number): string {
  let [text, rest] = ['', number];
  for (let i = 0; i < count; i++) {
    text += String.fromCharCode(rest % 128);
    rest = Math.floor(rest / 128);
  }
  return text;
}
