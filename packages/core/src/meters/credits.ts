/** Room that keys of a budget have been given beyond its limit, for the period in which it was given. */
import type { Key, Rule } from './meter.js';

/** Nano-dollars. */
interface Credit {
  readonly period: number;
  readonly amount: number;
  /** The part of it that made good what was used: what the next reset need not give again. */
  readonly madeGood: number;
  /** The ids of what it was given. */
  readonly grants: Set<string>;
}

/** Of one budget, by key as JSON. */
export type Credits = Map<string, Credit>;

/** Room that a key is given. */
export interface Grant {
  /** Unlike that of any other. */
  readonly id: string;
  readonly key: Key;
  readonly period: number;
  /** Some nano-dollars, or what had been used: of that, what has not been made good yet. */
  readonly room: { readonly amount?: number; readonly used?: number };
}

/**
 * Adds what was given, once, however often it is told. What was given for earlier periods is forgotten.
 *
 * @returns false where it has been added already, or is for a period that is over
 */
export function addCredit(credits: Credits, { id, key, period, room }: Grant): boolean {
  for (const [name, credit] of credits) if (credit.period < period) credits.delete(name);
  const name = JSON.stringify(key);
  const before = credits.get(name) ?? { period, amount: 0, madeGood: 0, grants: new Set<string>() };
  if (before.period > period || before.grants.has(id)) return false;
  const { amount = 0, used = 0 } = room;
  const madeGood = Math.max(before.madeGood, used);
  credits.set(name, {
    period,
    amount: before.amount + amount + madeGood - before.madeGood,
    madeGood,
    grants: before.grants.add(id),
  });
  return true;
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
