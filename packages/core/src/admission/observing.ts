/** What an answer to an admission said of headroom, as the store is told of it. */
import type { Observation } from '../admission.js';
import { oneOfNames, type TollgateError, wrongValue } from '../errors.js';
import { whomOf } from '../meters/bills.js';
import type { HeadroomTerms, MeteredLayer, Plan } from '../meters/charges.js';
import { isRecord } from '../schema.js';
import type { Receipt, Seen } from '../store/store.js';
import type { Offer } from '../terms/terms.js';
import { A_COST, isCost } from '../units.js';

const FIELDS = ['layer', 'limit', 'remaining', 'shutMs'];

interface HeadroomLayer extends MeteredLayer {
  readonly headroom: HeadroomTerms;
}

/** @throws TollgateError `TOLLGATE_OBSERVATION_INVALID` for what is none */
export function seenOf(plan: Plan, offer: Offer, receipt: Receipt, readings: readonly Observation[]): Seen[] {
  if (!Array.isArray(readings)) throw wrong('readings', readings, "a list such as [{ layer: 'rpm', remaining: 12 }]");
  const whom = () => whomOf(offer.request.subject, offer.request, offer.model);
  const layers = [...plan.layerOf.values()].filter(isHeadroom);
  return readings.map((reading: unknown, i) => {
    const { layer, limit: told, remaining, shutMs } = checked(reading, `readings[${i}]`, layers);
    const { meter, headroom } = layer;
    const entry = receipt.findLast(({ charge }) => charge.meter === meter);
    // Who allows less than they do counts by that.
    const own = headroom.limit(whom) ?? Number.POSITIVE_INFINITY;
    const limit = Math.min(told ?? own, own);
    return {
      meter,
      who: entry?.who ?? offer.who,
      rule: headroom.rule(limit),
      entry,
      used: usedOf(limit, told, remaining),
      limit,
      shutMs,
    };
  });
}

/** `undefined` where that isn't said, as where they have more left than counts here, of a limit that is above it. */
function usedOf(limit: number, told: number | undefined, remaining: number | undefined): number | undefined {
  if (remaining === undefined || limit === Number.POSITIVE_INFINITY) return undefined;
  return told !== undefined && told > limit && remaining >= limit ? undefined : Math.max(0, limit - remaining);
}

function isHeadroom(layer: MeteredLayer): layer is HeadroomLayer {
  return layer.headroom !== undefined;
}

function checked(
  reading: unknown,
  at: string,
  layers: readonly HeadroomLayer[],
): Omit<Observation, 'layer'> & { readonly layer: HeadroomLayer } {
  if (!isRecord(reading)) throw wrong(at, reading, "an object such as { layer: 'rpm', limit: 500, remaining: 12 }");
  for (const name in reading) {
    if (!FIELDS.includes(name)) throw wrong(`${at}.${name}`, reading[name], `${FIELDS.join(', ')} alone`);
  }
  const layer = layers.find(({ name }) => name === reading.layer);
  if (layer === undefined) {
    const names = layers.map(({ name }) => name);
    const expected = names.length > 0 ? oneOfNames(names) : 'none, as no limit of the gate is headroom';
    throw wrong(`${at}.layer`, reading.layer, expected);
  }
  return {
    layer,
    limit: countAt(reading, 'limit', at),
    remaining: countAt(reading, 'remaining', at),
    shutMs: countAt(reading, 'shutMs', at),
  };
}

function countAt(reading: Record<string, unknown>, field: string, at: string): number | undefined {
  const value = reading[field];
  if (value === undefined || isCost(value)) return value;
  throw wrong(`${at}.${field}`, value, `${A_COST}, or undefined where it isn't known`);
}

function wrong(field: string, value: unknown, expected: string): TollgateError {
  return wrongValue('TOLLGATE_OBSERVATION_INVALID', field, value, expected);
}
