/** From limits and a request to charges: whom each limit counts, what this costs them, and how much they may. */
import { createHash } from 'node:crypto';
import { show, showThrown, TollgateError, warn } from '../errors.js';
import type { AdmitRequest, Cost, Dimension, Subject } from '../request.js';
import type { Charge, Key, Meter, Rule, Scope, Unit } from './meter.js';
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
  const groups = new Map<string, { scope: Scope; read: Read[]; layers: MeteredLayer[] }>();
  for (const [position, layer] of layers.entries()) {
    const { name, unit, by } = layer;
    const id = JSON.stringify(by);
    const meter = known.get(name);
    const group = groups.get(id) ?? { scope: meter?.scope ?? { by }, read: by.map(reader), layers: [] };
    group.layers.push({ ...layer, meter: meter ?? { name, position, unit, scope: group.scope } });
    groups.set(id, group);
  }
  const failsOpen = layers.every(({ shadow, onStoreError }) => shadow || onStoreError === 'open');
  return { groups: [...groups.values()], failsOpen, warned: previous?.warned ?? new Set() };
}

function reader(dimension: Dimension): Read {
  return Object.hasOwn(READ, dimension) ? READ[dimension] : (subject) => subject[dimension as keyof Subject];
}

export function costIn(unit: Unit, cost: Cost): number {
  return unit === 'tokens' ? cost.inputTokens + cost.outputTokens : cost[unit];
}

/** What a request would be charged. */
export function chargesOf({ groups, warned }: Plan, request: AdmitRequest, cost: Cost): Charge[] {
  const subject = request.subject ?? NO_SUBJECT;
  const charges: Charge[] = [];
  for (const group of groups) {
    const key = keyOf(group, subject, request, warned);
    for (const layer of group.layers) {
      const charge = layer.shadow
        ? shadowCharge(layer, key, subject, cost, warned)
        : chargeOf(layer, key, subject, cost);
      if (charge) charges.push(charge);
    }
  }
  return charges;
}

const ALL: Key = Object.freeze([]);

/** Nearly all limits have two dimensions at most, and an array that is born complete takes a fifth of one that grows. */
function keyOf({ scope, read }: Group, subject: Subject, request: AdmitRequest, warned: Set<string>): Key {
  const value = (i: number) => keyValue(scope.by[i], read[i](subject, request), warned);
  if (read.length === 0) return ALL;
  if (read.length === 1) return [value(0)];
  if (read.length === 2) return [value(0), value(1)];
  return read.map((_, i) => value(i));
}

function chargeOf({ meter, unit, rule, limit, shadow }: MeteredLayer, key: Key, subject: Subject, cost: Cost): Charge {
  return {
    meter,
    key,
    rule: typeof rule === 'function' ? rule(subject) : rule,
    cost: costIn(unit, cost),
    limit: typeof limit === 'function' ? limit(subject) : limit,
    shadow,
  };
}

/** A limit on trial alters no answer, not even where it has no value for a plan. */
function shadowCharge(layer: MeteredLayer, key: Key, subject: Subject, cost: Cost, warned: Set<string>) {
  try {
    return chargeOf(layer, key, subject, cost);
  } catch (error) {
    const message = `Limit '${layer.name}', in shadow mode, did not count a request: ${showThrown(error)}`;
    warnOnce(warned, `limit ${layer.name}`, 'TOLLGATE_SHADOW_FAILED', message);
    return undefined;
  }
}

function keyValue(dimension: Dimension, value: unknown, warned: Set<string>): string | undefined {
  if (typeof value === 'string' && value !== '') return value.length > LONGEST_VALUE ? digest(value) : value;
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
