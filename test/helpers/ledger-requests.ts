/** What is asked of the gate and of the ledger, in the terms of each, and all that may be asked. */
import type { Admission, AdmitRequest, Outcome, TokenCounts } from '@tollgate/core';
import fc from 'fast-check';
import { FEATURES, LADDER, LEARNED, MODELS, PLANS, priceAt, type Sizes, written } from './ledger-books.js';
import { type Lot, priceOf, type Want, type Who } from './oracle-ledger.js';

export interface Spec {
  readonly user: string;
  readonly feature: string;
  readonly model: string;
  readonly floor: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly usd: number | undefined;
}

const isDraft = ({ feature }: Pick<Who, 'feature'>) => feature === 'drafts';

export function wantOf({ user, feature, model, floor, inputTokens, outputTokens, usd }: Spec): Want {
  const likely = isDraft({ feature }) ? Math.min(LEARNED, outputTokens) : outputTokens;
  return {
    who: { user, feature, model },
    floor,
    tokens: { inputTokens, outputTokens: likely },
    mostOutput: outputTokens,
    usd: usd === undefined ? undefined : BigInt(usd),
  };
}

export function requestOf({ user, feature, model, floor, inputTokens, outputTokens, usd }: Spec): AdmitRequest {
  return {
    subject: { user, plan: PLANS[user] },
    feature,
    model,
    floor: LADDER[floor],
    permits: 1,
    estimate: isDraft({ feature }) ? { inputTokens } : { inputTokens, outputTokens },
    usd: usd === undefined ? undefined : written(BigInt(usd)),
  };
}

export const bodyOf = (spec: Spec) => (isDraft(spec) ? { max_tokens: spec.outputTokens } : undefined);

/** An admission, as the ledger knows it. */
export interface Held {
  handle?: Admission;
  readonly at: number;
  want: Want;
  model: string;
  tokens: TokenCounts;
  lots: Lot[];
  state: 'open' | 'provisional' | 'settled';
  changing: boolean;
}

export interface Ending {
  readonly outcome: 'succeeded' | 'failed' | 'ignored';
  readonly usage: TokenCounts | 'as estimated' | undefined;
  readonly model: string | undefined;
  readonly usd: number | undefined;
}

/** What a gate is told of an ending, and the total that is due; `undefined` where what was charged stands. */
export function settlement(
  { want, model, tokens, at }: Held,
  ending: Ending,
): { outcome: Outcome; total: bigint | undefined } {
  const { outcome, usage: given } = ending;
  const told = given === 'as estimated' ? tokens : given;
  // Other answers would be learned from. Of a draft the answer is what is unknown, and no model alone tells that.
  const usage = isDraft(want.who) && told ? { ...told, outputTokens: LEARNED, reasoningTokens: 0 } : told;
  const usd = ending.usd === undefined ? undefined : BigInt(ending.usd);
  const tellsNone = usage === undefined && usd === undefined && (isDraft(want.who) || ending.model === model);
  const served = tellsNone ? undefined : ending.model;
  // Dollars that were given stand until the answer is known, or another model.
  const givenStand = want.usd !== undefined && usage?.outputTokens === undefined && (served ?? model) === model;
  const isKnown = usd !== undefined || (!givenStand && (usage !== undefined || served !== undefined));
  const whole = {
    ...usage,
    inputTokens: usage?.inputTokens ?? tokens.inputTokens,
    outputTokens: usage?.outputTokens ?? tokens.outputTokens,
  };
  const total = usd ?? priceOf(priceAt(served ?? model, at), whole);
  return {
    outcome: { outcome, usage, model: served, usd: usd === undefined ? undefined : written(usd) },
    total: isKnown ? total : undefined,
  };
}

export type Command =
  | { do: 'admit'; spec: Spec }
  | { do: 'amend'; nth: number; spec: Spec }
  | { do: 'extend'; nth: number; tokens: TokenCounts }
  | { do: 'end'; nth: number; ending: Ending; provisional: boolean }
  | { do: 'advance'; ms: number }
  | { do: 'run'; nth: number };

const amounts = (most: number) =>
  fc.oneof({ weight: 5, arbitrary: fc.nat(most) }, { weight: 1, arbitrary: fc.constantFrom(0, 1, most) });

export const specs: fc.Arbitrary<Spec> = fc.record({
  user: fc.constantFrom(...Object.keys(PLANS)),
  feature: fc.constantFrom(...FEATURES),
  model: fc.constantFrom(...MODELS),
  floor: fc.constantFrom(2, 2, 1, 0),
  inputTokens: amounts(2_000),
  outputTokens: amounts(400).map((count) => count + 1),
  usd: fc.option(amounts(50_000_000), { nil: undefined, freq: 8 }),
});

const tokens: fc.Arbitrary<TokenCounts> = fc.record({ inputTokens: amounts(1_000), outputTokens: amounts(200) });

/** Below, equal and far above what was estimated; the parts of a whole are no more than it. */
const usages: fc.Arbitrary<TokenCounts> = fc
  .record({
    inputTokens: fc.option(fc.oneof(amounts(2_000), amounts(60_000)), { nil: undefined }),
    outputTokens: fc.option(fc.oneof(amounts(400), amounts(12_000)), { nil: undefined }),
    parts: fc.array(fc.nat(33), { minLength: 3, maxLength: 3 }),
  })
  .map(({ inputTokens, outputTokens, parts: [cached, write, reasoning] }) => {
    const part = (whole: number | undefined, percent: number) => whole && Math.floor((whole * percent) / 100);
    return {
      inputTokens,
      outputTokens,
      cachedInputTokens: part(inputTokens, cached),
      cacheWriteTokens: part(inputTokens, write),
      reasoningTokens: part(outputTokens, reasoning),
    };
  });

const endings: fc.Arbitrary<Ending> = fc.record({
  outcome: fc.constantFrom('succeeded', 'succeeded', 'failed', 'ignored'),
  usage: fc.oneof(
    { weight: 3, arbitrary: usages },
    { weight: 2, arbitrary: fc.constantFrom('as estimated', undefined) },
  ),
  model: fc.option(fc.constantFrom(...MODELS), { nil: undefined, freq: 3 }),
  usd: fc.option(amounts(200_000_000), { nil: undefined, freq: 4 }),
});

const MINUTE = 60_000;
export const nth = fc.nat(1_000_000);
const steps = fc.oneof(
  { weight: 6, arbitrary: fc.nat(40 * MINUTE) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(60 * MINUTE, 130 * MINUTE, 24 * 60 * MINUTE, 49 * 60 * MINUTE, 8 * 24 * 60 * MINUTE),
  },
);

/** @param runs how often a step of the store is done, where commands don't wait for them */
export const commandsOf = (admits: number, runs: number): fc.Arbitrary<Command> =>
  fc.oneof(
    { weight: admits, arbitrary: fc.record({ do: fc.constant('admit'), spec: specs }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('amend'), nth, spec: specs }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('extend'), nth, tokens }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('end'), nth, ending: endings, provisional: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('advance'), ms: steps }) },
    { weight: runs, arbitrary: fc.record({ do: fc.constant('run'), nth }) },
  );

export const sizesOf = (factor: number): fc.Arbitrary<Sizes> =>
  fc.record({
    limits: fc.tuple(...[300e6, 60e6, 60e6, 120e6, 400e6].map((most) => fc.integer({ min: 0, max: most * factor }))),
    percents: fc
      .uniqueArray(fc.integer({ min: 1, max: 100 }), { minLength: 2, maxLength: 2 })
      .map((some) => some.sort((a, b) => a - b)),
  });
