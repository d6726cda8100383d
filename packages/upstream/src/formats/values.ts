/** Values from the wire, of which nothing is taken for granted: what can't be is unknown, and never free. */
import type { Money } from '@tollgate/core';
import { isRecord, moneyFrom, nanoDollarsFrom } from '@tollgate/core/options';
import type { Usage } from './format.js';

export type Fields = Readonly<Record<string, unknown>>;

/** More tokens than any model reads or writes for one request. */
const MAX_TOKENS = 2 ** 30;
/** More dollars than any request costs. */
const MAX_DOLLARS = 1e6;

const BYTE_ORDER_MARK = 0xfeff;
const NONE: Fields = {};

/** What an object has; nothing of anything else. */
export function fields(value: unknown): Fields {
  return isRecord(value) ? value : NONE;
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** What JSON says, with a byte order mark before it or without; `undefined` for what is none. */
export function parsed(json: string): unknown {
  try {
    return JSON.parse(json.charCodeAt(0) === BYTE_ORDER_MARK ? json.slice(1) : json);
  } catch {
    return undefined;
  }
}

/** A segment of a path, decoded; unchanged if it can't be. */
export function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** Tokens, as a whole number from 0; `undefined` for what can't be that. */
export function count(value: unknown): number | undefined {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_TOKENS
    ? (value as number)
    : undefined;
}

/** Dollars as a number, rounded up to whole nano-dollars; `undefined` for what is no cost of a request. */
export function money(dollars: unknown): Money | undefined {
  if (typeof dollars !== 'number' || !(dollars >= 0 && dollars <= MAX_DOLLARS)) return undefined;
  return moneyFrom(nanoDollarsFrom(dollars));
}

/** What was told of tokens: two wholes, and their parts. */
export interface Told {
  readonly input: number | undefined;
  readonly cached?: number | undefined;
  readonly cacheWrite?: number | undefined;
  readonly output: number | undefined;
  readonly reasoning?: number | undefined;
  readonly model?: unknown;
  readonly usd?: Money | undefined;
}

/**
 * Usage of what was told; `undefined` where that is nothing. A prompt of no tokens is one that wasn't told, and parts that
 * exceed their whole are none.
 */
export function usageOf({
  input,
  cached = 0,
  cacheWrite = 0,
  output,
  reasoning = 0,
  model,
  usd,
}: Told): Usage | undefined {
  if (!input && output === undefined && usd === undefined) return undefined;
  const hasParts = input !== undefined && cached + cacheWrite > 0 && cached + cacheWrite <= input;
  const hasReasoning = output !== undefined && reasoning > 0 && reasoning <= output;
  return {
    inputTokens: input || undefined,
    cachedInputTokens: (hasParts && cached) || undefined,
    cacheWriteTokens: (hasParts && cacheWrite) || undefined,
    outputTokens: output,
    reasoningTokens: hasReasoning ? reasoning : undefined,
    model: text(model) || undefined,
    usd,
  };
}
