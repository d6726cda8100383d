/** From limits and a request to bills: whom each limit counts, what this costs them, and how much they may. */
import { createHash } from 'node:crypto';
import { show, showThrown, TollgateError, warn } from '../errors.js';
import type { AdmitRequest, Cost, Dimension, Subject } from '../request.js';
import type { Bill, Charge, Key, Meter, Rule, Scope, Unit } from './meter.js';
import type { PerSubject } from './per-subject.js';

/** A limit as it is configured, in numbers. */
export interface Layer {
  readonly name: string;
  readonly by: readonly Dimension[];
  readonly unit: Unit;
  readonly shadow: boolean;
  readonly onStoreError: 'open' | 'closed';
  readonly limit: number | PerSubject<number>;
  readonly rule: Rule | PerSubject<Rule>;
}

interface MeteredLayer extends Layer {
  readonly meter: Meter;
}

/** The limits that share their dimensions. */
interface Group {
  readonly scope: Scope;
  /** Of each dimension of the scope, how to read it. */
  readonly read: readonly Read[];
  readonly layers: readonly MeteredLayer[];
  /** By layer, what a request was charged last: the next one is mostly charged alike, and shares it. */
  charges: readonly (Charge | undefined)[];
}

type Read = (subject: Subject, request: AdmitRequest) => unknown;

/** All limits of a gate. */
export interface Plan {
  readonly groups: readonly Group[];
  /** Every limit that enforces says so: while the store can't be asked, requests pass. */
  readonly failsOpen: boolean;
  /** What has been warned of. */
  readonly warned: Set<string>;
}

export const NO_SUBJECT: Subject = Object.freeze({});

/** A longer value is counted by its digest, so that no caller decides how much memory a key takes. */
const LONGEST_VALUE = 128;

/** Read by name where the name is known: the engine is quick at that, and this is done for every request. */
const READ: Readonly<Record<string, Read>> = {
  user: (subject) => subject.user,
  tenant: (subject) => subject.tenant,
  key: (subject) => subject.key,
  plan: (subject) => subject.plan,
  ip: (subject) => subject.ip,
  feature: (_, request) => request.feature,
  route: (_, request) => request.route,
  model: (_, request) => request.model,
  provider: (_, request) => request.provider,
};

/** Gives each layer a meter. Layers that `previous` knows by name keep theirs, and with it their usage. */
export function makePlan(layers: readonly Layer[], previous?: Plan): Plan {
  const known = new Map(previous?.groups.flatMap((group) => group.layers.map(({ name, meter }) => [name, meter])));
  const scopes = new Map(previous?.groups.map(({ scope }) => [JSON.stringify(scope.by), scope]));
  const groups = new Map<string, Group & { layers: MeteredLayer[] }>();
  for (const [position, layer] of layers.entries()) {
    const { name, unit, by } = layer;
    const id = JSON.stringify(by);
    const group = groups.get(id) ?? { scope: scopes.get(id) ?? { by }, read: by.map(reader), layers: [], charges: [] };
    group.charges = [...group.charges, undefined];
    group.layers.push({ ...layer, meter: known.get(name) ?? { name, position, unit, scope: group.scope } });
    groups.set(id, group);
  }
  const failsOpen = layers.every(({ shadow, onStoreError }) => shadow || onStoreError === 'open');
  return { groups: [...groups.values()], failsOpen, warned: previous?.warned ?? new Set() };
}

function reader(dimension: Dimension): Read {
  return Object.hasOwn(READ, dimension) ? READ[dimension] : (subject) => subject[dimension as keyof Subject];
}

export function costIn(unit: Unit, cost: Cost): number {
  switch (unit) {
    case 'requests':
      return cost.requests;
    case 'permits':
      return cost.permits;
    case 'tokens':
      return cost.inputTokens + cost.outputTokens;
    case 'inputTokens':
      return cost.inputTokens;
    case 'outputTokens':
      return cost.outputTokens;
  }
}

/** What a request would be charged. */
export function billsOf({ groups, warned }: Plan, request: AdmitRequest, cost: Cost): Bill[] {
  const subject = request.subject ?? NO_SUBJECT;
  const bills: Bill[] = new Array(groups.length);
  for (let i = 0; i < groups.length; i++) {
    const group = groups[i];
    const key = keyOf(group, subject, request, warned);
    bills[i] = { scope: group.scope, key, charges: chargesOf(group, subject, cost, warned) };
  }
  return bills;
}

/** The bill without what it charges nothing for; none where that is all of it. */
export function withoutZeros({ charges, ...bill }: Bill): Bill[] {
  const some = charges.filter(({ cost }) => cost > 0);
  return some.length === 0 ? [] : [{ ...bill, charges: some }];
}

const ALL: Key = Object.freeze([]);

/** Nearly all limits have two dimensions at most, and an array that is born complete takes a fifth of one that grows. */
function keyOf(group: Group, subject: Subject, request: AdmitRequest, warned: Set<string>): Key {
  const { read } = group;
  if (read.length === 0) return ALL;
  const first = keyValue(group, 0, subject, request, warned);
  if (read.length === 1) return [first];
  const second = keyValue(group, 1, subject, request, warned);
  if (read.length === 2) return [first, second];
  return read.map((_, i) => keyValue(group, i, subject, request, warned));
}

function keyValue(group: Group, i: number, subject: Subject, request: AdmitRequest, warned: Set<string>) {
  const value = group.read[i](subject, request);
  const isPlain = typeof value === 'string' && value.length > 0 && value.length <= LONGEST_VALUE;
  return isPlain ? value : otherValue(group.scope.by[i], value, warned);
}

function chargesOf(group: Group, subject: Subject, cost: Cost, warned: Set<string>): readonly Charge[] {
  const { layers, charges: last } = group;
  let next: (Charge | undefined)[] | undefined;
  let isWhole = true;
  for (let i = 0; i < layers.length; i++) {
    const charge = layers[i].shadow
      ? shadowCharge(layers[i], last[i], subject, cost, warned)
      : chargeOf(layers[i], last[i], subject, cost);
    if (charge === undefined) isWhole = false;
    if (charge === last[i]) continue;
    next ??= [...last];
    next[i] = charge;
  }
  if (next) group.charges = next;
  const charges = next ?? last;
  return isWhole ? (charges as readonly Charge[]) : charges.filter((charge) => charge !== undefined);
}

/** @param last given back where its rule is the same object and its numbers are the same */
function chargeOf(layer: MeteredLayer, last: Charge | undefined, subject: Subject, total: Cost): Charge {
  const { meter, unit, shadow } = layer;
  const rule = typeof layer.rule === 'function' ? layer.rule(subject) : layer.rule;
  const cost = costIn(unit, total);
  const limit = typeof layer.limit === 'function' ? layer.limit(subject) : layer.limit;
  if (last !== undefined && last.cost === cost && last.limit === limit && last.rule === rule) return last;
  return { meter, rule, cost, limit, shadow };
}

/** A limit on trial alters no answer, not even where it has no value for a plan: then it counts nothing. */
function shadowCharge(
  layer: MeteredLayer,
  last: Charge | undefined,
  subject: Subject,
  cost: Cost,
  warned: Set<string>,
) {
  try {
    return chargeOf(layer, last, subject, cost);
  } catch (error) {
    const message = `Limit '${layer.name}', in shadow mode, did not count a request: ${showThrown(error)}`;
    warnOnce(warned, `limit ${layer.name}`, 'TOLLGATE_SHADOW_FAILED', message);
    return undefined;
  }
}

function otherValue(dimension: Dimension, value: unknown, warned: Set<string>): string | undefined {
  if (typeof value === 'string' && value !== '') return digest(value);
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (value !== undefined && value !== null && value !== '') {
    const expected = 'a string, a number, or undefined where it is not known';
    throw new TollgateError('TOLLGATE_REQUEST_INVALID', `${dimension}: got ${show(value)}; expected ${expected}.`);
  }
  warnOnce(
    warned,
    dimension,
    'TOLLGATE_DIMENSION_MISSING',
    `A request came without '${dimension}', which limits count by. All such requests are counted together, as one ` +
      `${dimension}. Say who or what this is (in identify, or on the route), or count by something else.`,
  );
  return undefined;
}

function warnOnce(warned: Set<string>, what: string, code: string, message: string): void {
  if (warned.has(what)) return;
  warned.add(what);
  warn(code, message);
}

/** Longer than any value that is kept as it is, so it can't be mistaken for one. */
function digest(value: string): string {
  return `sha512:${createHash('sha512').update(value, 'utf8').digest('hex')}`;
}
