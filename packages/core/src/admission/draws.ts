/**
 * The calls that are made under one admission, such as an agent's. Each draws on what the admission was charged: its
 * estimate while it is open, then what it did use.
 */
import type { Refusal } from '../http/problem.js';
import { moneyFrom } from '../money/nano-dollars.js';
import { type Cost, NOTHING, type TokenCounts } from '../request.js';
import { type Priced, type Quote, replaced } from '../terms/costs.js';
import { sumOfCounts } from '../terms/token-counts.js';
import { actualOf, checkOutcome, hasFigures, type Outcome } from './outcome.js';

/** Leave to make one call. What is never settled counts as estimated. */
export interface Draw {
  /**
   * Puts what the call did use in place of its estimate, and leaves the rest to other calls: `usage` as far as it is known,
   * `ignored` where nothing was spent; without either the estimate stands. The first call counts. One that comes after
   * the admission's end changes what was charged where that goes by its draws, and nothing else.
   *
   * @throws TollgateError `TOLLGATE_USAGE_INVALID` for an outcome or a usage that is none, or has an unknown field;
   *   `TOLLGATE_UNKNOWN_MODEL` where its tokens have no price. The draw stays as it was
   */
  settle(outcome?: Outcome): void;
}

export type Drawn =
  | { readonly admitted: true; readonly draw: Draw }
  | { readonly admitted: false; readonly refusal: Refusal };

/** What draws have come to. */
export interface DrawnTotal {
  /** What they take together. */
  readonly taken: Cost;
  /** What those have used that have told; `undefined` where none has. */
  readonly told: TokenCounts | undefined;
}

/** All draws of an admission. */
export interface Draws extends DrawnTotal {
  /** One is made, at least. */
  readonly areAny: boolean;
  readonly areOpen: boolean;
  /** What the last one told of an overload that has told of one. */
  readonly overloaded: Outcome['overloaded'];
  /** Takes what a call is estimated to use. `undo` is for a call that comes to nothing: it was none. */
  begin(call: Priced): { readonly draw: Draw; undo(): void };
}

/**
 * @param learn what a call did use that went well
 * @param allEnded called whenever none is open any more
 * @param before what those have come to that were made in another process
 */
export function createDraws(
  learn: (call: Priced, model: string | undefined, usage: TokenCounts) => void,
  allEnded: () => void,
  before?: DrawnTotal,
): Draws {
  let made = before === undefined ? 0 : 1;
  let open = 0;
  let taken = before?.taken ?? NOTHING;
  let told = before?.told;
  let overload: Outcome['overloaded'];

  return {
    get areAny() {
      return made > 0;
    },
    get areOpen() {
      return open > 0;
    },
    get taken() {
      return taken;
    },
    get told() {
      return told;
    },
    get overloaded() {
      return overload;
    },
    begin(call) {
      const estimated = call.quote.cost;
      let isOpen = true;
      made++;
      open++;
      taken = replaced(taken, NOTHING, estimated);

      function end(actual: Cost): void {
        isOpen = false;
        open--;
        taken = replaced(taken, estimated, actual);
        if (open === 0) allEnded();
      }

      function settle(outcome: Outcome = {}): void {
        if (!isOpen) return;
        checkOutcome(outcome);
        const { outcome: how = 'succeeded', usage, model = call.model, overloaded } = outcome;
        const actual = how === 'ignored' ? NOTHING : actualOf(call, outcome);
        if (usage !== undefined && how !== 'ignored') told = sumOfCounts(told ?? {}, usage);
        if (usage !== undefined && how === 'succeeded') learn(call, model, usage);
        overload = overloaded || overload;
        end(actual);
      }

      function undo(): void {
        made--;
        end(NOTHING);
      }

      return { draw: { settle }, undo };
    },
  };
}

/**
 * What a call needs beyond what the others leave it of what is held; `undefined` where that is enough.
 *
 * @param countsKinds tokens of the prompt and of the answer are counted apart: else one kind can be used for the other
 */
export function lackOf(held: Cost, taken: Cost, { cost, ...call }: Quote, countsKinds: boolean): Quote | undefined {
  const inputs = taken.inputTokens + cost.inputTokens - held.inputTokens;
  const outputs = taken.outputTokens + cost.outputTokens - held.outputTokens;
  const most = countsKinds ? Number.POSITIVE_INFINITY : Math.max(0, inputs + outputs);
  const inputTokens = Math.min(most, Math.max(0, inputs));
  const outputTokens = Math.min(most - inputTokens, Math.max(0, outputs));
  const usd = Math.max(0, taken.usd + cost.usd - held.usd);
  const worstUsd = Math.max(0, taken.worstUsd + cost.worstUsd - held.worstUsd);
  if (inputTokens + outputTokens + usd + worstUsd === 0) return undefined;
  return {
    cost: { requests: 0, permits: 0, inputTokens, outputTokens, usd, worstUsd },
    tokens: { inputTokens, outputTokens },
    mostOutputTokens: outputTokens,
    choices: 1,
    isUsdGiven: call.isUsdGiven,
  };
}

/**
 * True where an admission comes to what its draws have: some were made, and its outcome doesn't say more of it. What they
 * have used is spent, though the admission be ignored.
 */
export function isByDraws(draws: Draws | undefined, outcome: Outcome, model: string | undefined): draws is Draws {
  return draws?.areAny === true && (outcome.outcome === 'ignored' || !hasFigures(outcome, model));
}

/** What an admission comes to; `undefined` where all is given back. */
export function totalOf(draws: Draws | undefined, outcome: Outcome, priced: Priced): Cost | undefined {
  const isIgnored = outcome.outcome === 'ignored';
  if (!isByDraws(draws, outcome, priced.model)) return isIgnored ? undefined : actualOf(priced, outcome);
  const { requests, permits } = isIgnored ? NOTHING : priced.quote.cost;
  return { ...draws.taken, requests, permits };
}

/** The outcome with what draws have told, where it goes by them. Of those that have told no usage the estimate stands. */
export function withDraws(draws: Draws | undefined, outcome: Outcome, { model, costing }: Priced): Outcome {
  if (!isByDraws(draws, outcome, model)) return outcome;
  const { told, taken, overloaded } = draws;
  const { inputTokens, outputTokens, usd } = taken;
  return {
    ...outcome,
    usage: told && { ...told, inputTokens, outputTokens },
    usd: costing.countsUsd ? moneyFrom(usd) : undefined,
    overloaded: outcome.overloaded ?? overloaded,
  };
}
