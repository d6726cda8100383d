/** Room that keys of a budget have been given beyond its limit, for the period in which it was given. */
import type { Key, Rule } from './meter.js';

/** Nano-dollars. */
interface Credit {
  readonly period: number;
  readonly amount: number;
  /** The part of it that made good what was used: what the next reset need not give again. */
  readonly madeGood: number;
}

/** Of one budget, by key as JSON. */
export type Credits = Map<string, Credit>;

/** Adds an amount, and what of `used` has not been made good yet. What was added for earlier periods is forgotten. */
export function addCredit(
  credits: Credits,
  key: Key,
  period: number,
  { amount = 0, used = 0 }: { readonly amount?: number; readonly used?: number },
): void {
  for (const [id, credit] of credits) if (credit.period < period) credits.delete(id);
  const id = JSON.stringify(key);
  const before = credits.get(id) ?? { amount: 0, madeGood: 0 };
  const madeGood = Math.max(before.madeGood, used);
  credits.set(id, { period, amount: before.amount + amount + madeGood - before.madeGood, madeGood });
}

/** A budget's limit with what a key has beyond it in the rule's period; nothing can be counted beyond 2⁵³ − 1. */
export function withCredit(limit: number, credits: Credits, key: Key, rule: Rule): number {
  if (credits.size === 0 || rule.kind !== 'calendar') return limit;
  const id = JSON.stringify(key);
  const credit = credits.get(id);
  if (credit === undefined || credit.period > rule.period) return limit;
  if (credit.period === rule.period) return Math.min(limit + credit.amount, Number.MAX_SAFE_INTEGER);
  credits.delete(id);
  return limit;
}
