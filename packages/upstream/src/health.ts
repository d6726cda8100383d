/**
 * What is known of keys and providers from how calls ended: which key rests, which is out of service, which provider cools.
 * It is this process's own knowledge; what a key has left is in meters, which all processes share.
 */
import type { UpstreamEmitter } from './events.js';
import { type CallWay, takenOf } from './way.js';

/** After so many 429s of a key in a row somebody is told: the limits known here can't be right. */
const ESCALATE_AT = 3;
/** After so many failures of a provider in a row, with no answer between, it cools. One alone is an accident. */
const COOL_AT = 3;
/** Milliseconds; doubled for each failure more. */
const REST = { first: 1000, escalated: 10_000, longest: 60_000 };
const COOL = { first: 1000, longest: 60_000 };
const OUT = { first: 60_000, longest: 3_600_000 };

interface KeyHealth {
  /** By family, how many 429s in a row. */
  readonly throttled: Map<string, number>;
  /** How often in a row it was taken out of service. */
  outs: number;
  outUntil: number;
}

interface ProviderHealth {
  failures: number;
  coolingUntil: number;
  /** Calls that are on their way since it began to fail. */
  probes: number;
}

/** Times are in milliseconds since 1970. */
export interface Health {
  /** When the key serves again; in the past where it does. */
  outUntil(provider: string, key: string): number;
  coolingUntil(provider: string): number;
  /** It has failed, and nothing has shown yet that it is well: others go first while one call tries it. */
  isDoubtful(provider: string): boolean;
  sent(way: CallWay): void;
  /** The provider is well, whatever it said of the key. */
  answered(way: CallWay): void;
  /** An answer that says nothing against the key either. */
  succeeded(way: CallWay): void;
  /** Returns for how many milliseconds nothing is to be sent with it. */
  throttled(way: CallWay, retryAfterMs: number | undefined): number;
  out(way: CallWay, why: 'exhausted' | 'unauthorized' | 'no secret', now: number, retryAfterMs?: number): void;
  /** Returns for how many milliseconds it cools; `undefined` where it doesn't. */
  failed(
    way: CallWay,
    why: 'overloaded' | 'broken' | 'unanswered',
    now: number,
    retryAfterMs?: number,
  ): number | undefined;
  /** It came to no end that says anything: whoever asked has gone. */
  ended(way: CallWay): void;
  /** A key with a new secret begins anew. */
  forget(provider: string, key: string): void;
}

export function createHealth(emitter: UpstreamEmitter): Health {
  const keys = new Map<string, KeyHealth>();
  const providers = new Map<string, ProviderHealth>();

  function keyOf(provider: string, key: string): KeyHealth {
    const id = JSON.stringify([provider, key]);
    const known = keys.get(id) ?? { throttled: new Map(), outs: 0, outUntil: Number.NEGATIVE_INFINITY };
    keys.set(id, known);
    return known;
  }

  function providerOf(name: string): ProviderHealth {
    const known = providers.get(name) ?? { failures: 0, coolingUntil: Number.NEGATIVE_INFINITY, probes: 0 };
    providers.set(name, known);
    return known;
  }

  function ended(way: CallWay): void {
    const provider = providerOf(way.provider.name);
    provider.probes = Math.max(0, provider.probes - 1);
  }

  function answered(way: CallWay): void {
    ended(way);
    const provider = providerOf(way.provider.name);
    const hadCooled = provider.coolingUntil > Number.NEGATIVE_INFINITY;
    provider.failures = 0;
    provider.coolingUntil = Number.NEGATIVE_INFINITY;
    if (hadCooled) emitter.emit('provider.recovered', { provider: way.provider.name });
  }

  return {
    outUntil: (provider, key) => keyOf(provider, key).outUntil,
    coolingUntil: (provider) => providerOf(provider).coolingUntil,
    isDoubtful: (provider) => providerOf(provider).failures > 0 && providerOf(provider).probes > 0,

    sent(way) {
      providerOf(way.provider.name).probes++;
    },

    answered,

    succeeded(way) {
      answered(way);
      const key = keyOf(way.provider.name, way.key.name);
      key.throttled.delete(way.family);
      if (key.outs > 0) emitter.emit('key.back', { provider: way.provider.name, key: way.key.name });
      key.outs = 0;
      key.outUntil = Number.NEGATIVE_INFINITY;
    },

    throttled(way, retryAfterMs) {
      answered(way);
      const { throttled } = keyOf(way.provider.name, way.key.name);
      const inARow = (throttled.get(way.family) ?? 0) + 1;
      throttled.set(way.family, inARow);
      const least = inARow >= ESCALATE_AT ? REST.escalated : 0;
      const restsMs = Math.max(least, retryAfterMs ?? doubled(REST, inARow));
      emitter.emit('throttled', { ...takenOf(way), restsMs, inARow });
      if (inARow % ESCALATE_AT === 0) emitter.emit('escalated', { ...takenOf(way), restsMs, inARow });
      return restsMs;
    },

    out(way, why, now, retryAfterMs) {
      answered(way);
      const { provider, key } = takenOf(way);
      const health = keyOf(provider, key);
      const until = now + Math.max(retryAfterMs ?? 0, doubled(OUT, ++health.outs));
      health.outUntil = until;
      emitter.emit('key.out', { provider, key, why, until });
    },

    failed(way, why, now, retryAfterMs) {
      ended(way);
      const provider = providerOf(way.provider.name);
      provider.failures++;
      const own = provider.failures >= COOL_AT ? doubled(COOL, provider.failures - COOL_AT + 1) : undefined;
      const coolsMs = retryAfterMs === undefined ? own : Math.max(retryAfterMs, own ?? 0);
      if (coolsMs === undefined) return undefined;
      const until = now + coolsMs;
      if (until > provider.coolingUntil) {
        provider.coolingUntil = until;
        emitter.emit('provider.cooling', { provider: way.provider.name, why, until });
      }
      return coolsMs;
    },

    ended,

    forget(provider, key) {
      keys.delete(JSON.stringify([provider, key]));
    },
  };
}

function doubled({ first, longest }: { first: number; longest: number }, times: number): number {
  return Math.min(longest, first * 2 ** (times - 1));
}
