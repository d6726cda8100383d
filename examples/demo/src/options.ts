import { parseArgs } from 'node:util';

export interface Options {
  readonly seconds: number;
  readonly seed: number;
  readonly json: boolean;
}

/** Seconds that it runs where nobody watches who could end it. */
const UNWATCHED = 30;

/** Seconds within the day that the budgets are for. */
const LONGEST = 86_000;

export const HELP = `A small AI app behind a gate, under load.

  --seconds N  how long to run; until Ctrl-C unless given, or ${UNWATCHED} where nobody watches
  --seed N     another seed, other calls; 1 unless given
  --json       prints nothing but the summary, as JSON
  --help       prints this`;

/** @throws Error that says what is wrong with the arguments */
export function readOptions(args: readonly string[], watched: boolean): Options | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string' },
      seed: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  const unlimited = watched && !values.json ? LONGEST : UNWATCHED;
  return {
    seconds:
      values.seconds === undefined ? unlimited : number('--seconds', values.seconds, (n) => n > 0 && n <= LONGEST),
    seed: number('--seed', values.seed, (n) => Number.isInteger(n) && n >= 0 && n < 2 ** 32),
    json: values.json,
  };
}

function number(option: string, text: string, accepts: (value: number) => boolean): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (accepts(value)) return value;
  const expected =
    option === '--seconds' ? `a number of seconds up to ${LONGEST}` : 'a whole number from 0 to 4294967295';
  throw new Error(`${option}: got '${text}'; expected ${expected}.`);
}
