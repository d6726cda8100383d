/**
 * What is known of keys and providers by how calls ended: which key is out of service, which provider cools. It is this
 * process's own knowledge; what a key has left is in meters, which all processes share.
 */
import { warn } from '@tollgate/core/options';
import type { UpstreamEmitter } from '../events.js';
import type { KeyOptions } from '../keys/key.js';
import { warnOfRefusal } from '../keys/warnings.js';
import { type CallWay, takenOf } from '../way.js';
import {
  type KeyHealth,
  keyHealth,
  noteForbidden,
  noteOut,
  noteSuccess,
  noteThrottled,
  type WhyOut,
} from './health-of-keys.js';
import {
  isDoubtful,
  noteAnswer,
  noteBeginning,
  noteEnd,
  noteFailure,
  type ProviderFailure,
  type ProviderHealth,
  providerHealth,
} from './health-of-providers.js';

export type WhyFailed = 'overloaded' | 'broken' | 'unanswered';

/** Times are in milliseconds since 1970. */
export interface Health {
  /** Until when the key is out of service, and why; `undefined` where it serves. */
  out(key: KeyOptions, now: number): { readonly why: WhyOut; readonly until: number } | undefined;
  /** The key isn't allowed the model, as it was told lately. */
  isForbidden(key: KeyOptions, model: string, now: number): boolean;
  /** Until when nothing is sent to the provider; in the past where something is. */
  coolingUntil(provider: string): number;
  /** Nothing has shown yet that it is well again, and a call is on its way that will: others go elsewhere first. */
  isDoubtful(provider: string): boolean;
  /** A call has been sent. */
  sent(way: CallWay): void;
  /** Something came back, or nothing will. What that says of key and provider is told by what is below. */
  back(way: CallWay): void;
  /** The provider is well, whatever it says of the key. */
  answered(way: CallWay): void;
  /** Nothing is wrong with the key either. @param hasBegun there is more to come of the answer, which may tell otherwise yet */
  succeeded(way: CallWay, sentAt: number, hasBegun: boolean): void;
  /** An answer has come to its end, and told of no error. */
  ended(way: CallWay, sentAt: number): void;
  /** Returns for how many milliseconds nothing is to be sent with the key. */
  throttled(way: CallWay, sentAt: number, now: number, retryAfterMs: number | undefined): number;
  keyOut(way: CallWay, why: WhyOut, now: number, retryAfterMs?: number): void;
  /** The key isn't allowed the way's model. */
  forbidden(way: CallWay, now: number): void;
  /** Returns for how many milliseconds the provider cools; `undefined` where it doesn't. */
  failed(way: CallWay, why: WhyFailed, failure: ProviderFailure, now: number): number | undefined;
}

export function createHealth(emitter: UpstreamEmitter): Health {
  /** A key that is replaced begins anew. */
  const keys = new WeakMap<KeyOptions, KeyHealth>();
  const providers = new Map<string, ProviderHealth>();
  const warned = new Set<string>();

  function ofKey(key: KeyOptions): KeyHealth {
    const known = keys.get(key) ?? keyHealth();
    keys.set(key, known);
    return known;
  }

  function ofProvider(name: string): ProviderHealth {
    const known = providers.get(name) ?? providerHealth();
    providers.set(name, known);
    return known;
  }

  function answered({ provider: { name: provider } }: CallWay, note = noteAnswer): void {
    if (note(ofProvider(provider))) emitter.emit('provider.recovered', { provider });
  }

  return {
    out(key, now) {
      const { why, outUntil: until } = ofKey(key);
      return why !== undefined && until > now ? { why, until } : undefined;
    },
    isForbidden: (key, model, now) => (ofKey(key).forbidden.get(model) ?? now) > now,
    coolingUntil: (provider) => ofProvider(provider).coolingUntil,
    isDoubtful: (provider) => isDoubtful(ofProvider(provider)),
    sent(way) {
      ofProvider(way.provider.name).underWay++;
    },
    back(way) {
      ofProvider(way.provider.name).underWay--;
    },
    answered,
    succeeded(way, sentAt, hasBegun) {
      answered(way, hasBegun ? noteBeginning : noteAnswer);
      if (!noteSuccess(ofKey(way.key), way.family, sentAt)) return;
      emitter.emit('key.back', { provider: way.provider.name, key: way.key.name });
    },
    ended: (way, sentAt) => answered(way, (health) => noteEnd(health, sentAt)),
    throttled(way, sentAt, now, retryAfterMs) {
      answered(way);
      const { restsMs, inARow, escalates } = noteThrottled(ofKey(way.key), way.family, sentAt, now, retryAfterMs);
      const told = { ...takenOf(way), restsMs, inARow };
      emitter.emit('throttled', told);
      if (escalates) {
        emitter.emit('escalated', told);
        warnOfThrottling(way, inARow, warned);
      }
      return restsMs;
    },
    keyOut(way, why, now, retryAfterMs) {
      if (why !== 'no secret') answered(way);
      const { provider, key } = takenOf(way);
      const until = noteOut(ofKey(way.key), why, now, retryAfterMs);
      if (until === undefined) return;
      emitter.emit('key.out', { provider, key, why, until });
      if (why === 'unauthorized') warnOfRefusal(provider, key, warned);
    },
    forbidden(way, now) {
      answered(way);
      if (way.model !== undefined) noteForbidden(ofKey(way.key), way.model, now);
    },
    failed(way, why, failure, now) {
      const { name: provider } = way.provider;
      const health = ofProvider(provider);
      const before = health.coolingUntil;
      const coolsMs = noteFailure(health, failure, now);
      const until = health.coolingUntil;
      if (until > before) emitter.emit('provider.cooling', { provider, why, until });
      return coolsMs;
    },
  };
}

function warnOfThrottling({ name, provider, key }: CallWay, inARow: number, warned: Set<string>): void {
  if (warned.has(`throttled ${name}`)) return;
  warned.add(`throttled ${name}`);
  const message =
    `Provider '${provider.name}' has answered ${inARow} calls in a row with 429 for key '${key.name}', though they were held ` +
    'back: others use the key too, or its limits are less than is known here. See `limits`.';
  warn('TOLLGATE_KEY_THROTTLED', message);
}
