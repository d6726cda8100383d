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
  type LayerState,
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
} from '@tollgate/core';
import { NO_TOKENS } from '../formats/format.js';
import type { Provider, Reading } from '../providers/provider.js';
import type { Asked } from '../request.js';
import { type CallWay, NO_FAMILY } from '../way.js';
import {
  FAMILY,
  headroomLayers,
  heldBack,
  isReading,
  limitNamed,
  SHUTS,
  type Shut,
  SLOTS,
  subjectOf,
  usedUp,
} from './headroom-layers.js';
import { createKnownLimits, type LimitsOf } from './limits.js';

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
    limits: [concurrency({ name: SLOTS, by: 'provider', limit: slots }), ...headroomLayers(known)],
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
    const [unit, window] = limitNamed(layer);
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
    let told: readonly Observation[] = [];
    return {
      way,
      caller,
      waitedMs: admission.waitedMs,
      observe(readings) {
        const right = readings.filter(isReading);
        known.learn(limitsOf(way), right);
        told = right.map((reading) => heldBack(reading, known.of(limitsOf(way), reading.unit, reading.window)));
        if (told.length > 0) void admission.observe(told);
      },
      shut(ms, what) {
        // None would end what was said before.
        if (!(ms > 0)) return;
        const shut = { layer: SHUTS[what], shutMs: Math.ceil(ms) };
        void admission.observe(
          what === 'provider' ? [shut] : [shut, ...usedUp(known, limitsOf(way), told, shut.shutMs)],
        );
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
      const [first, ...others] = await Promise.all([NO_FAMILY, ...known.familiesOf(key)].map(standOf));
      const families = others.map(({ family, limits }) => ({ family, limits }));
      return { families, spent: first.budget };
    },
    line: async () => (await gate.inspect({})).line,
    close: () => gate.close(),
  };
}

function tableOf(prices: NonNullable<TollgateConfig['prices']>): PriceTable {
  return typeof prices.costOf === 'function' ? (prices as PriceTable) : priceTable(prices as Prices);
}

function unpriced([{ model }]: readonly CallWay[]): TollgateError {
  const message = `model: got '${model}'; expected one that has a price, since the daily budgets of its keys count what it costs.`;
  return new TollgateError('TOLLGATE_UNKNOWN_MODEL', message);
}

/** Whoever has no tenant counts for itself. */
function shareOf({ tenant, user, key, ip }: Subject = {}): string {
  return String(tenant ?? user ?? key ?? ip ?? '-');
}

function wayOf(way: CallWay): Way {
  return { name: way.name, provider: way.provider.name, model: way.model, subject: subjectOf(way) };
}

function limitsOf({ provider, name, family }: CallWay): LimitsOf {
  return { provider: provider.name, way: name, family };
}
