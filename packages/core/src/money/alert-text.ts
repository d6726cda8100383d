import { inspect } from 'node:util';
import { minuteText } from '../units.js';
import { formatMoney } from './nano-dollars.js';

/** A budget of which a share has been spent that somebody wants to know of. Money in nano-dollars, time in milliseconds since 1970. */
export interface BudgetAlert {
  readonly gate: string;
  readonly budget: string;
  /** The dimensions that the budget is keyed by. */
  readonly by: readonly string[];
  /** Their values; `undefined` is the one key of all who lack the dimension. */
  readonly key: readonly (string | undefined)[];
  /** The share of the limit that was reached, such as 0.8. */
  readonly threshold: number;
  /** What counts against the limit: settled, and held for what is under way. */
  readonly spent: number;
  readonly limit: number;
  readonly resetsAt: number;
  /** When it will be exhausted at the present burn; `undefined` where it lasts until it resets. */
  readonly exhaustsAt: number | undefined;
}

/** How many characters of a name are shown. */
const LONGEST_NAME = 64;

/** Controls, line breaks, what turns the direction of writing, and halves of characters. */
const NOT_SHOWN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

const PERCENT = new Intl.NumberFormat('en-US', { style: 'percent', maximumFractionDigits: 2 });

/** The alert as one sentence on one line, for a person. It has no mark-up, but names in it may look like some. */
export function alertText(alert: BudgetAlert): string {
  const { gate, budget, by, key, threshold, spent, limit } = alert;
  const whom = by.map((dimension, i) => keyText(dimension, key[i])).join(', ');
  const what = `Budget ${quoted(budget)} of gate ${quoted(gate)} has reached ${PERCENT.format(threshold)}`;
  return `${what}${whom && ` for ${whom}`}: ${formatMoney(spent)} of ${formatMoney(limit)} is spent; ${outlook(alert)}.`;
}

function outlook({ spent, limit, resetsAt, exhaustsAt }: BudgetAlert): string {
  const reset = `it resets at ${minuteText(resetsAt)}`;
  if (spent >= limit) return `nothing is left until ${reset}`;
  if (exhaustsAt === undefined) return `at the present burn it lasts until ${reset}`;
  return `at the present burn it is exhausted at ${minuteText(exhaustsAt)}, before ${reset}`;
}

function keyText(dimension: string, value: string | undefined): string {
  return value === undefined ? `an unknown ${dimension}` : `${dimension} ${quoted(value)}`;
}

/** In quotes that the name can't end. */
function quoted(name: string): string {
  const characters = [...name];
  const start = characters.slice(0, LONGEST_NAME).join('').replace(NOT_SHOWN, '\uFFFD');
  return inspect(characters.length > LONGEST_NAME ? `${start}…` : start);
}
