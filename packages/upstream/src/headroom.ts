/**
 * What providers have left for us: a gate of its own, whose alternatives are the ways that a call can go, and whose limits are
 * those of the providers. What they say with their answers corrects it. It keeps that where the gate of the app does, so it
 * is shared wherever that is: of a store that is sharded in one shard, since keys are of no tenant.
 */
import {
  type AdaptiveLimit,
  type AdmitRequest,
  type BudgetState,
  budget,
  type Clock,
  concurrency,
  createTollgate,
  type Dimension,
  headroom,
  type LayerState,
  type Limit,
  type LineState,
  type Money,
  type Observation,
  type Outcome,
  type Prices,
  type PriceTable,
  priceTable,
  type QueueOptions,
  type Refusal,
  type Store,
  type Subject,
  type TollgateConfig,
  TollgateError,
  type Way,
  type Whom,
} from '@tollgate/core';
import { NO_TOKENS } from './formats/format.js';
import { createKnownLimits, type KnownLimits, type LimitsOf } from './limits.js';
import {
  type HeadroomUnit,
  type HeadroomWindow,
  type Provider,
  type Reading,
  UNITS,
  WINDOWS,
} from './providers/provider.js';
import type { Asked } from './request.js';
import type { CallWay } from './way.js';

/** Leave to send a call by one of its ways. */
export interface Turn {
  readonly way: CallWay;
  /** For whom, as far as that is known: who has its own share of the line. */
  readonly caller: string;
  /** Milliseconds that it waited for. */
  readonly waitedMs: number;
  /** What an answer has said of the limits. */
  observe(readings: readonly Reading[]): void;
  /** Nothing more is to be sent for so many milliseconds: with the key for its family, or for any, or to the provider. */
  shut(ms: number, what: Shut): void;
  settle(outcome: Outcome): Promise<void>;
}

export type Shut = 'family' | 'key' | 'provider';

/** What a key has left. */
export interface KeyHeadroom {
  readonly families: readonly { readonly family: string; readonly limits: readonly LayerState[] }[];
  /** Of its daily budget; `undefined` where no key has one. */
  readonly spent: BudgetState | undefined;
}

export interface HeadroomGate {
  /**
   * Waits until one of the ways has room, the first of them that has. Rejects with the signal's reason where that aborts.
   *
   * @param behalf for whom it is, and how urgent
   */
  turn(
    ways: readonly CallWay[],
    asked: Asked,
    behalf: Readonly<AdmitRequest> | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Turn | { readonly refusal: Refusal }>;
  /** How a key stands, by the name of its ways, with each family of models that it has had answers for. */
  inspect(provider: string, way: string): Promise<KeyHeadroom>;
  line(): Promise<LineState | undefined>;
  close(): Promise<void>;
}

export interface HeadroomOptions {
  readonly name: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly maxWait: QueueOptions['maxWait'];
  readonly providers: ReadonlyMap<string, Provider>;
  /** How many calls a provider has at once; follows what it bears unless given. */
  readonly slots: number | AdaptiveLimit | undefined;
  readonly prices: TollgateConfig['prices'];
  /** The most that is spent a day with the key of a way of this name; `undefined`: without bounds. Needs prices. */
  capOf(way: string): Money | undefined;
}

/** What nobody knows begins with few calls at once: what is borne is found out from there. */
const CAREFUL = { min: 1, max: 1000, initial: 10 };

/** A dimension of this gate alone: the models that share limits. */
const FAMILY = 'family' as Dimension;
const DURATIONS = { second: '1s', minute: '1m', day: '1d' } as const;

/** The layer of the calls that a provider has at once. */
export const SLOTS = 'slots';
/** The layer by which a provider is shut while it cools. */
export const COOLING = 'provider';
/** By which layer each is shut. That of the family is there whether its limit is known or not. */
const SHUTS: Readonly<Record<Shut, string>> = {
  family: layerName('requests', 'minute'),
  key: 'key',
  provider: COOLING,
};
const UNLIMITED = Number.POSITIVE_INFINITY;
/**
 * The part of a limit that is left alone: calls overtake each other on their way, so that what is let out by the limit may
 * arrive a little above it.
 */
const MARGIN = 0.02;
/** As much as a budget can be. */
const NO_CAP: Money = '$9000000';

/** @throws TollgateError `TOLLGATE_CONFIG_INVALID`, with paths of its own configuration */
export function createHeadroomGate(options: HeadroomOptions): HeadroomGate {
  const { name, store, clock, maxWait, slots = CAREFUL, prices } = options;
  const known = createKnownLimits(options.providers, clock);
  const table = prices && tableOf(prices);
  const cap = ({ key }: Subject): Money => options.capOf(String(key)) ?? NO_CAP;
  const gate = createTollgate<string, string, string, string, string>({
    name,
    store: store.unsharded ?? store,
    clock,
    limits: [
      concurrency({ name: SLOTS, by: 'provider', limit: slots }),
      headroom({ name: SHUTS.provider, by: 'provider', unit: 'requests', window: '1m', limit: UNLIMITED }),
      headroom({ name: SHUTS.key, by: 'key', unit: 'requests', window: '1m', limit: UNLIMITED }),
      ...UNITS.flatMap((unit) => WINDOWS.map((window) => layerOf(known, unit, window))),
    ],
    ...(table !== undefined && {
      prices: { costOf: (...used) => table.costOf(...used) ?? 0 },
      budgets: [budget({ name: 'key-per-day', by: 'key', limit: cap, per: 'day' })],
    }),
    queue: { fairBy: 'tenant', shedding: false, ...(maxWait !== undefined && { maxWait }) },
  });

  /** What is spent with a capped key has to be known; what is spent with others needn't. */
  const isCountable = ({ key, model }: CallWay) =>
    key.dailyBudget === undefined || model === undefined || table?.costOf(model, NO_TOKENS, clock.now()) !== undefined;

  /** A limit that was only told is the provider's to hold: it is told no more to whom it would never let pass. */
  function doubts(ways: readonly CallWay[], { reason, layer = '' }: Refusal): boolean {
    if (reason !== 'too-costly') return false;
    const [unit, window] = layer.split('-per-') as [HeadroomUnit, HeadroomWindow];
    return ways.filter((way) => known.doubt(limitsOf(way), unit, window)).length > 0;
  }

  const turn: HeadroomGate['turn'] = async (all, asked, behalf, signal) => {
    const { request, call } = asked;
    const { subject, feature, priority } = behalf ?? {};
    const ways = all.filter(isCountable);
    if (ways.length === 0) throw unpriced(all);
    const caller = shareOf(subject);
    const decision = await gate.admit(
      {
        subject: { tenant: caller },
        feature,
        priority,
        permits: 0,
        ways: ways.map(wayOf),
        ...(call === undefined && { estimate: NO_TOKENS }),
      },
      { signal, body: request.json },
    );
    if (!decision.admitted) {
      return doubts(ways, decision.refusal) ? turn(ways, asked, behalf, signal) : decision;
    }
    const { admission } = decision;
    const way = ways.find(({ name }) => name === admission.way) as CallWay;
    return {
      way,
      caller,
      waitedMs: admission.waitedMs,
      observe(readings) {
        const right = readings.filter(isReading);
        known.learn(limitsOf(way), right);
        const told = right.map((reading) => heldBack(reading, known.of(limitsOf(way), reading.unit, reading.window)));
        if (told.length > 0) void admission.observe(told);
      },
      shut(ms, what) {
        // None would end what was said before.
        if (ms > 0) void admission.observe([{ layer: SHUTS[what], shutMs: Math.ceil(ms) }]);
      },
      settle(outcome) {
        if (outcome.outcome === 'succeeded') known.served(limitsOf(way));
        return admission.settle(outcome);
      },
    };
  };

  return {
    turn,
    async inspect(provider, key) {
      const standOf = async (family: string) => {
        const { limits, budgets } = await gate.inspect({ key, [FAMILY]: family }, { provider });
        return { family, limits: limits.filter(({ by }) => by.includes(FAMILY)), budget: budgets[0] };
      };
      const [first, ...others] = await Promise.all(['', ...known.familiesOf(key)].map(standOf));
      const families = others.map(({ family, limits }) => ({ family, limits }));
      return { families, spent: first.budget };
    },
    line: async () => (await gate.inspect({})).line,
    close: () => gate.close(),
  };
}

function layerOf(known: KnownLimits, unit: HeadroomUnit, window: HeadroomWindow): Limit {
  const name = layerName(unit, window);
  const unknown = name === SHUTS.family ? UNLIMITED : undefined;
  const limit = (whom: Whom) => {
    const limit = known.of(whoseIn(whom), unit, window);
    return limit === undefined ? unknown : limit - marginOf(limit);
  };
  return headroom({ name, by: ['key', FAMILY], unit, window: DURATIONS[window], limit });
}

function marginOf(limit: number): number {
  return Math.floor(limit * MARGIN);
}

/** What was told of a limit, less what is left alone of it. */
function heldBack({ unit, window, limit, remaining }: Reading, known: number | undefined): Observation {
  const margin = marginOf(limit ?? known ?? 0);
  return {
    layer: layerName(unit, window),
    limit: limit && limit - margin,
    remaining: remaining && Math.max(0, remaining - margin),
  };
}

function tableOf(prices: NonNullable<TollgateConfig['prices']>): PriceTable {
  return typeof prices.costOf === 'function' ? (prices as PriceTable) : priceTable(prices as Prices);
}

function unpriced([{ model }]: readonly CallWay[]): TollgateError {
  const message = `model: got '${model}'; expected one that has a price, since the daily budgets of its keys count what it costs.`;
  return new TollgateError('TOLLGATE_UNKNOWN_MODEL', message);
}

/** What a provider tells, or who reads it, may be wrong: no call fails for that. */
function isReading({ unit, window, limit, remaining }: Reading): boolean {
  const isCount = (value: number | undefined) =>
    value === undefined || (value >= 0 && value <= Number.MAX_SAFE_INTEGER);
  return UNITS.includes(unit) && WINDOWS.includes(window) && limit !== 0 && isCount(limit) && isCount(remaining);
}

/** Such as `tokens-per-minute`. */
function layerName(unit: HeadroomUnit, window: HeadroomWindow): string {
  return `${unit}-per-${window}`;
}

/** Whoever has no tenant counts for itself. */
function shareOf({ tenant, user, key, ip }: Subject = {}): string {
  return String(tenant ?? user ?? key ?? ip ?? '-');
}

function wayOf(way: CallWay): Way {
  return { name: way.name, provider: way.provider.name, model: way.model, subject: subjectOf(way) };
}

/** A key's name is one in its provider; the way's, in all of them. */
function subjectOf({ name, family }: CallWay): Subject {
  return { key: name, [FAMILY]: family };
}

function limitsOf({ provider, name, family }: CallWay): LimitsOf {
  return { provider: provider.name, way: name, family };
}

function whoseIn(whom: Whom): LimitsOf {
  const { provider, key, [FAMILY]: family } = whom;
  return { provider: String(provider), way: String(key), family: String(family) };
}
