/** Checks a configuration, all of it at once, and turns its shorthands into numbers and functions. */
import { z } from 'zod';
import { type Clock, systemClock } from '../clock.js';
import { type AlertOptions, DEFAULT_TIERS, type TollgateConfig } from '../config.js';
import { configError, type Problem } from '../errors.js';
import { limiterInTime } from '../in-time.js';
import { incompleteFields, type QueueSlots, type QueueTerms, queueField } from '../line/queue-options.js';
import type { Layer } from '../meters/charges.js';
import { type PriceTable, prices } from '../money/prices.js';
import { isWebhookUrl } from '../money/webhook.js';
import type { TokenCounts } from '../request.js';
import { A_NAME, check, field, hasMethods, isRecord, parseName, reading, readMap } from '../schema.js';
import { memoryStore } from '../store/memory/memory.js';
import type { Store } from '../store/store.js';
import { type Ladders, makeLadders } from '../terms/ladders.js';
import { A_COST, isCost } from '../units.js';
import type { ReadLayer } from './layer-fields.js';
import { budget, concurrency, slidingWindow, slotsOf, tokenBucket } from './validate-layers.js';
import { flexible, headroom } from './validate-others.js';

/** What a tier costs, and what it is expected to use. */
export interface Tier extends Pick<TokenCounts, 'inputTokens' | 'outputTokens'> {
  readonly permits: number;
}

export interface CheckedConfig {
  readonly name: string;
  readonly tiers: ReadonlyMap<string, Tier>;
  /** Limits first, then that of the queue, then budgets. */
  readonly layers: readonly Layer[];
  readonly queue: QueueTerms | undefined;
  readonly ladders: Ladders;
  readonly prices: PriceTable | undefined;
  readonly alerts?: AlertOptions | undefined;
  readonly budgetStatus?: 402 | 429 | undefined;
  readonly features: ReadonlySet<string> | undefined;
  readonly store: Store;
  readonly clock: Clock;
}

const A_TIER = `the permits it costs, ${A_COST}, or { permits, inputTokens?, outputTokens? } with such numbers`;
const A_LIMIT =
  'what slidingWindow({ … }), tokenBucket({ … }), concurrency({ … }), headroom({ … }) or flexible(…) returns';
const A_LADDER = 'a list of at least one model, from the best to the cheapest, each in one ladder only';
const A_MODEL = "a model's name in printable ASCII without spaces around it, as it stands in a header";
const A_PRICED_MODEL = "a model that has a price, since budgets count what it costs: add it to prices, or a 'default'";

/** The name of the limit that the queue's own slots are. */
const QUEUE_LAYER = 'concurrency';

const MODEL = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

const tiers = reading((value = DEFAULT_TIERS, context) => {
  if (isRecord(value) && Object.keys(value).length > 0) return readMap(value, A_TIER, parseTier, context);
  context.addIssue({ code: 'custom', message: 'a map from the names of tiers to what they cost' });
  return z.NEVER;
});

/** Each from the best model to the cheapest. */
const ladders = reading((value = [], context): Ladders => {
  if (!Array.isArray(value)) {
    context.addIssue({ code: 'custom', message: "a list of ladders such as [['best', 'cheaper', 'cheapest']]" });
    return z.NEVER;
  }
  const seen = new Set<unknown>();
  const lists = [...(value as readonly unknown[])].map((list, i) => {
    const models: readonly unknown[] = Array.isArray(list) ? [...list] : [];
    if (models.length === 0) context.addIssue({ code: 'custom', message: A_LADDER, path: [i] });
    return models.filter((model, j): model is string => {
      const isName = typeof model === 'string' && MODEL.test(model);
      const isRight = isName && !seen.has(model);
      seen.add(model);
      if (!isRight) context.addIssue({ code: 'custom', message: isName ? A_LADDER : A_MODEL, path: [i, j] });
      return isRight;
    });
  });
  return makeLadders(lists);
});

/** Of what is wrong only the log is shown: a misspelt field, or a value without one, may be the webhook, which is secret. */
const alerts = reading((value, context): AlertOptions | undefined => {
  const wrong = (message: string, ...path: string[]) =>
    context.addIssue({ code: 'custom', message, path, params: { isSecret: true } });
  if (value === undefined) return undefined;
  if (!isRecord(value)) {
    wrong("an object such as { webhook: 'https://…' }");
    return z.NEVER;
  }
  const { webhook, log, ...others } = value;
  for (const name of Object.keys(others)) wrong('no such field', name);
  const isUrl = webhook === undefined || isWebhookUrl(webhook);
  if (!isUrl) wrong('an http: or https: URL without user and password', 'webhook');
  const isLog = log === undefined || log === false || typeof log === 'function';
  if (!isLog) context.addIssue({ code: 'custom', message: 'a function (line) => void, or false', path: ['log'] });
  return isUrl && isLog ? { webhook, log: log as AlertOptions['log'] } : z.NEVER;
});

const config = z.strictObject(
  {
    name: field(A_NAME, (value = 'default') => parseName(value)),
    tiers,
    limits: z
      .array(
        z.discriminatedUnion('kind', [slidingWindow, tokenBucket, concurrency, headroom, flexible], { error: A_LIMIT }),
        {
          error: 'a list of limits',
        },
      )
      .default([]),
    budgets: z
      .array(z.discriminatedUnion('kind', [budget], { error: 'what budget({ … }) returns' }), {
        error: 'a list of budgets',
      })
      .default([]),
    queue: queueField,
    ladders,
    prices,
    alerts,
    budgetStatus: z.literal([402, 429], { error: '402 or 429' }).optional(),
    features: z.array(field(A_NAME, parseName), { error: 'a list of names' }).optional(),
    store: field('a store, such as memoryStore()', (value = memoryStore()) => parseStore(value)),
    clock: field('a clock, such as systemClock', (value = systemClock) => parseClock(value)),
  },
  { error: 'an object with limits, budgets or a queue' },
);

/**
 * The configuration, complete and in numbers.
 *
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem
 */
export function validate(input: TollgateConfig): CheckedConfig {
  const { features, limits, budgets, queue, ...rest } = check(config, input, [
    ...missingLayers(input),
    ...repeatedNames(input),
    ...vainWaits(input),
    ...unobserved(input),
    ...incompleteFields(input?.queue),
  ]);
  const complete = (layer: ReadLayer) => withWhenFull(withTimeout(layer, rest.clock), queue !== undefined);
  const layers = [...limits.map(complete), ...queueLayers(queue?.slots), ...budgets.map(complete)];
  const checked = { ...rest, layers, queue: queue?.terms, features: features && new Set(features) };
  const unpriced = unpricedModels(input, checked);
  if (unpriced.length > 0) throw configError(unpriced);
  return checked;
}

/** No limiter holds up a request for longer than a store may. */
function withTimeout(layer: ReadLayer, clock: Clock): ReadLayer {
  const { outside } = layer;
  if (outside === undefined) return layer;
  return { ...layer, outside: { ...outside, limiter: limiterInTime(outside.limiter, clock) } };
}

/** Concurrency limits and headroom wait where they can: what runs now is soon over, and others refuse for it anyway. */
function withWhenFull({ whenFull, ...layer }: ReadLayer, canWait: boolean): Layer {
  const isBrief = layer.unit === 'slots' || layer.headroom !== undefined;
  const waits = isBrief && canWait && !layer.shadow;
  return { ...layer, whenFull: whenFull ?? (waits ? 'wait' : 'refuse') };
}

/** What the queue lets run at once, as a limit like others. */
function queueLayers(slots: QueueSlots | undefined): readonly Layer[] {
  if (slots === undefined) return [];
  const { limit, leaseMs } = slots;
  const layer = { name: QUEUE_LAYER, by: [], shadow: false, onStoreError: 'local', whenFull: 'wait' } as const;
  return [{ ...layer, ...slotsOf(limit, leaseMs) }];
}

/** Each request for a ladder is priced for all its models: one without a price would fail them all. */
function unpricedModels({ ladders = [] }: TollgateConfig, { layers, prices, clock }: CheckedConfig): Problem[] {
  if (layers.every(({ unit, shadow }) => unit !== 'usd' || shadow)) return [];
  const now = clock.now();
  return ladders.flatMap((ladder, i) =>
    ladder.flatMap((model, j) => {
      const isPriced = prices?.costOf(model, { inputTokens: 1 }, now) !== undefined;
      return isPriced ? [] : [{ path: `ladders[${i}][${j}]`, value: model, expected: A_PRICED_MODEL }];
    }),
  );
}

function missingLayers(input: TollgateConfig): Problem[] {
  if (!isRecord(input) || 'limits' in input || 'budgets' in input || 'queue' in input) return [];
  return [{ path: 'limits', value: undefined, expected: 'a list of limits (or budgets or a queue alone)' }];
}

/** Limits and budgets as they are given, right or wrong, and where. */
function layersIn(
  input: TollgateConfig,
): { readonly path: string; readonly layer: Readonly<Record<string, unknown>> }[] {
  return (['limits', 'budgets'] as const).flatMap((field) => {
    const layers: unknown = input?.[field];
    if (!Array.isArray(layers)) return [];
    return layers.map((layer, i) => ({ path: `${field}[${i}]`, layer: isRecord(layer) ? layer : {} }));
  });
}

/** Limits and budgets are told apart by name alone, in refusals and elsewhere. */
function repeatedNames(input: TollgateConfig): Problem[] {
  const own = input?.queue?.concurrency === undefined ? [] : [{ path: 'queue.concurrency', name: QUEUE_LAYER }];
  const named = [...own, ...layersIn(input).map(({ path, layer }) => ({ path, name: layer.name }))];
  return named.flatMap(({ path, name }, i) => {
    const first = named.findIndex((other) => other.name === name);
    if (first === i || typeof name !== 'string') return [];
    return [{ path: `${path}.name`, value: name, expected: `a name of its own: ${named[first].path} has this one` }];
  });
}

/** Where a request would have to wait, and can't. */
function vainWaits(input: TollgateConfig): Problem[] {
  return layersIn(input).flatMap(({ path, layer: { whenFull, mode } }) => {
    if (whenFull !== 'wait' || (mode !== 'shadow' && input.queue !== undefined)) return [];
    const expected =
      mode === 'shadow'
        ? "'refuse', or nothing: what is in shadow mode never makes a request wait"
        : "'refuse', or a queue in the configuration, for requests to wait in";
    return [{ path: `${path}.whenFull`, value: whenFull, expected }];
  });
}

/** Headroom follows what is observed, and not every store of somebody's own can do that. */
function unobserved(input: TollgateConfig): Problem[] {
  const store = input?.store;
  if (store === undefined || !parseStore(store) || store.observe !== undefined) return [];
  const hasHeadroom = layersIn(input).some(({ layer }) => layer.kind === 'headroom');
  return hasHeadroom
    ? [{ path: 'store', value: store, expected: 'a store with observe(), since there is headroom' }]
    : [];
}

function parseTier(value: unknown): Tier | undefined {
  const { permits, inputTokens, outputTokens, ...others } = (
    isRecord(value) ? value : { permits: value }
  ) as Partial<Tier>;
  const counts = [permits, inputTokens ?? 0, outputTokens ?? 0];
  if (!counts.every(isCost) || Object.keys(others).length > 0) return undefined;
  return { permits: permits as number, inputTokens, outputTokens };
}

function parseStore(value: unknown): Store | undefined {
  return hasMethods(value, ['take', 'settle', 'peek', 'close']) ? (value as unknown as Store) : undefined;
}

function parseClock(value: unknown): Clock | undefined {
  return hasMethods(value, ['now', 'after']) ? (value as unknown as Clock) : undefined;
}
