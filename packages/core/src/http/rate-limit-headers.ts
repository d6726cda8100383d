/**
 * The header fields that tell a client how it stands: `RateLimit-Policy` and `RateLimit` of
 * draft-ietf-httpapi-ratelimit-headers-10, an item for each limit that counts this caller alone, or the older
 * `X-RateLimit-*`, which have room for one limit only: the one that is nearest to its end. Where several gates or other
 * limiters stand before a route, the items of all stand in one list; of the older fields those of the last gate hold.
 */
import type { LayerState } from '../meters/layer-state.js';
import type { Unit } from '../meters/meter.js';
import { secondsUp } from './wording.js';

export type HeaderStyle = 'draft' | 'legacy' | 'both' | false;

/** Slots have no window that a client could reckon with, and are no quota. */
type Quota = LayerState & { readonly unit: Exclude<Unit, 'slots'> };

/** The units as quotas name them; the draft registers none of these, and leaving it out would claim requests. */
const QUOTA_UNITS: Record<Quota['unit'], string> = {
  requests: '',
  permits: ';qu="tollgate-permits"',
  tokens: ';qu="tollgate-tokens"',
  inputTokens: ';qu="tollgate-input-tokens"',
  outputTokens: ';qu="tollgate-output-tokens"',
  usd: ';qu="tollgate-microdollars"',
};

/** The fields, by names in lower case: those go into a response as they are, where others have to be made so first. */
export function rateLimitHeaders(layers: readonly LayerState[], style: HeaderStyle): [name: string, value: string][] {
  if (style === false || !layers.some(isShown)) return [];
  if (style === 'draft') return draftHeaders(layers);
  const legacy = legacyHeaders(layers.filter(isShown).reduce((a, b) => (share(b) < share(a) ? b : a)));
  return style === 'legacy' ? legacy : [...draftHeaders(layers), ...legacy];
}

function draftHeaders(layers: readonly LayerState[]): [name: string, value: string][] {
  const policies = policiesOf(layers);
  let limits = '';
  let item = 0;
  for (let i = 0; i < layers.length; i++) {
    const state = layers[i];
    if (isShown(state)) limits += policies.items[item++] + limitOf(state);
  }
  return [
    ['ratelimit-policy', policies.text],
    ['ratelimit', limits],
  ];
}

/** Header fields, by names in lower case. */
export type Fields = readonly (readonly [name: string, value: string])[];

/**
 * A field's value where the response may have it already: items of others stay, and those that the gate has told before
 * give way. What is no list of items, as by older drafts, gives way too: no client could read both as one.
 *
 * @param told what the gate has told before
 */
export function besideOthers(present: unknown, told: Fields, name: string, value: string): string {
  if (present === undefined || !LISTS.has(name)) return value;
  const items = String(present);
  if (!items.startsWith('"')) return value;
  const own = told.find((field) => field[0] === name)?.[1];
  const list = `, ${items}, `;
  if (own === undefined || !list.includes(`, ${own}, `)) return `${items}, ${value}`;
  return list.replace(`, ${own}, `, () => `, ${value}, `).slice(2, -2);
}

const LISTS: ReadonlySet<string> = new Set(['ratelimit-policy', 'ratelimit']);

function legacyHeaders(quota: Quota): [name: string, value: string][] {
  return [
    ['x-ratelimit-limit', String(integer(inQuotaUnit(quota.limit, quota.unit)))],
    ['x-ratelimit-remaining', String(integer(inQuotaUnit(quota.remaining, quota.unit)))],
    ['x-ratelimit-reset', String(secondsToRoom(quota))],
  ];
}

function isShown(state: LayerState): state is Quota {
  const { own, mode, limit, unit } = state;
  return own && mode === 'enforce' && Number.isFinite(limit) && unit !== 'slots';
}

/** What a policy says; nothing of whom it is told. */
type Policy = Pick<Quota, 'layer' | 'unit' | 'limit' | 'windowMs'>;

interface Policies {
  readonly of: readonly Policy[];
  readonly text: string;
  /** Of each what its item in the other field begins with: a comma behind the one before, and its name. */
  readonly items: readonly string[];
}

/** What was told of last: policies change seldom, and are told of in every response. */
let told: Policies = { of: [], text: '', items: [] };

function policiesOf(layers: readonly LayerState[]): Policies {
  let known = 0;
  let isTold = true;
  for (let i = 0; isTold && i < layers.length; i++) {
    const state = layers[i];
    if (isShown(state)) isTold = known < told.of.length && isAlike(state, told.of[known++]);
  }
  if (!isTold || known < told.of.length) {
    const of = layers.filter(isShown).map(({ layer, unit, limit, windowMs }) => ({ layer, unit, limit, windowMs }));
    const items = of.map(({ layer }, i) => `${i === 0 ? '' : ', '}"${layer}";r=`);
    told = { of, text: of.map(policyItem).join(', '), items };
  }
  return told;
}

function isAlike(a: Policy, b: Policy): boolean {
  return a.layer === b.layer && a.limit === b.limit && a.windowMs === b.windowMs && a.unit === b.unit;
}

function policyItem({ layer, unit, limit, windowMs }: Policy): string {
  return `"${layer}";q=${integer(inQuotaUnit(limit, unit))}${QUOTA_UNITS[unit]};w=${secondsUp(windowMs)}`;
}

/** What an item says behind `r=`. */
function limitOf(state: Quota): string {
  return `${integer(inQuotaUnit(state.remaining, state.unit))};t=${secondsToRoom(state)}`;
}

/** As quotas are told: structured fields have no room for nano-dollars. */
function inQuotaUnit(amount: number, unit: Unit): number {
  return unit === 'usd' ? amount / 1000 : amount;
}

/** Seconds until there is room again: for this request if there is none now, else for more than now. */
function secondsToRoom({ retryAfterMs, refillMs }: LayerState): number {
  return secondsUp(retryAfterMs || refillMs);
}

/** Structured fields know integers of at most 15 digits. */
function integer(value: number): number {
  return Math.min(Math.floor(value), 999_999_999_999_999);
}

/** The part of the limit that is left. */
function share({ limit, remaining }: LayerState): number {
  return limit > 0 ? remaining / limit : 0;
}
