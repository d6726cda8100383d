/** Meters with their rules, as columns of layouts: batch.lua says how they are written. */
import type { Charge, Rule } from '../../meters/meter.js';
import { width } from '../../meters/rules.js';

/** A meter, and the rule by which it counts. */
export type Counted = Pick<Charge, 'meter' | 'rule'>;

const MINUTE_MS = 60_000;

const KINDS = { window: 1, bucket: 2, calendar: 3, slots: 4, headroom: 5 };

/** What tells how a charge's meter is counted, but for which meter that is. */
export interface Column {
  readonly kind: number;
  readonly width: number;
  /** The rule in two numbers. */
  readonly first: number;
  readonly second: number;
}

export function columnOf({ rule }: Counted, now: number): Column {
  const [first, second] = numbersOf(rule, now);
  return { kind: KINDS[rule.kind], width: width(rule), first, second };
}

/** True for charges to the same meters by the same rules. */
export function areAlike(some: readonly Counted[], others: readonly Counted[]): boolean {
  if (some === others) return true;
  if (some.length !== others.length) return false;
  for (let i = 0; i < some.length; i++) if (!isAlike(some[i], others[i])) return false;
  return true;
}

/** True for charges to one meter by one rule. */
export function isAlike(a: Counted, b: Counted): boolean {
  return a.meter === b.meter && isSameRule(a.rule, b.rule);
}

function isSameRule(a: Rule, b: Rule): boolean {
  if (a === b) return true;
  if (a.kind === 'bucket' && b.kind === 'bucket') return a.perMs === b.perMs;
  if (a.kind === 'headroom' && b.kind === 'headroom') return a.perMs === b.perMs;
  if (a.kind === 'calendar' && b.kind === 'calendar') return a.period === b.period;
  // Of all others the rule is a part of what tells the meter from others.
  return true;
}

function numbersOf(rule: Rule, now: number): readonly [number, number] {
  switch (rule.kind) {
    case 'window':
      return [rule.parts, rule.partMs];
    case 'bucket':
    case 'headroom':
      return [rule.perMs, 0];
    case 'calendar':
      // By the gate's clock, as periods are. What was spent is asked for until the next period is over, which may be longer.
      return [rule.period, wholeMinutes(rule.resetsAt + 2 * (rule.resetsAt - rule.startsAt) - now)];
    case 'slots':
      return [rule.leaseMs, 0];
  }
}

/** Milliseconds rounded up to minutes: records live by those, and a number that seldom changes is written faster. */
function wholeMinutes(ms: number): number {
  return Math.max(0, Math.ceil(ms / MINUTE_MS) * MINUTE_MS);
}
