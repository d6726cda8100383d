/** Checks what rings and keys are made of: every problem at once, and nothing secret in it. */
import { z } from 'zod';
import { type Clock, systemClock } from '../clock.js';
import { type Problem, problemsError } from '../errors.js';
import type { Limiter } from '../meters/outside.js';
import { parseMoney } from '../money/nano-dollars.js';
import type { Subject } from '../request.js';
import { A_NAME, check, field, isRecord, optionalField, optionalList, parseName, reading } from '../schema.js';
import type { Records, Store } from '../store/store.js';
import { parseCount, parseDuration, parseRate, parseWait } from '../units.js';
import type { KeyLimit, KeyLimits } from './key-options.js';
import { LIVE } from './key-text.js';
import { isRouteScope } from './scopes.js';

const A_DURATION = "a duration such as '90d'";
const A_WAIT = "a duration such as '5m', or 0";
const NAMES = "a list of texts such as ['chat', 'search-*']";
const ROUTES = "a list of methods and paths such as ['POST /chat', 'GET /chats/:id', '* /v1/*']";
const A_ROUTE = "a method and a path such as 'POST /chat' or '* /v1/*'; what is named otherwise is a feature";

/** Every kind of limit, by what its values are. */
const KINDS = {
  money: { expected: "an amount such as '$5'", isRight: (value: unknown) => parseMoney(value) !== undefined },
  rate: { expected: "a rate such as '100/h'", isRight: (value: unknown) => parseRate(value) !== undefined },
  number: {
    expected: 'a number from 0 to 2^53 - 1',
    isRight: (value: unknown) => typeof value === 'number' && Number.isFinite(value) && parseCount(value) !== undefined,
  },
  count: {
    expected: "a number from 0 to 2^53 - 1, such as 100 or '200k'",
    isRight: (value: unknown) => Number.isFinite(parseCount(value)),
  },
};

const A_LIMIT = "an amount such as '$5', a rate such as '100/h', or a number such as 60 or '200k'";

function kindOf(value: unknown) {
  return [KINDS.money, KINDS.rate, KINDS.number, KINDS.count].find(({ isRight }) => isRight(value));
}

const limitDefaults = reading((value = {}, context): KeyLimits => {
  if (!isRecord(value)) {
    context.addIssue({ code: 'custom', message: "a map from names to limits, such as { spend: '$5' }" });
    return z.NEVER;
  }
  for (const [name, limit] of Object.entries(value)) {
    const message = parseName(name) === undefined ? `to be named by ${A_NAME}` : A_LIMIT;
    if (parseName(name) === undefined || !kindOf(limit)) context.addIssue({ code: 'custom', message, path: [name] });
  }
  return value as KeyLimits;
});

const ringOptions = z.strictObject(
  {
    store: field('a store that keeps records, such as memoryStore() or redisStore(…)', parseStore),
    environment: field(A_NAME, (value = LIVE) => parseName(value)),
    maxExpiry: field(A_DURATION, (value = '90d') => parseDuration(value)),
    limits: limitDefaults,
    guard: optionalField(
      'a limiter of rate-limiter-flexible, such as new RateLimiterRedis({ …, points: 20, duration: 60, blockDuration: 600 })',
      parseGuard,
    ),
    staleFor: field(A_WAIT, (value = '5m') => parseWait(value)),
    pepper: reading((value, context): string | undefined => {
      if (value === undefined || (typeof value === 'string' && value.length >= 16)) return value;
      const message = 'a text of 16 characters at least, or nothing';
      context.addIssue({ code: 'custom', message, params: { isSecret: true } });
      return z.NEVER;
    }),
    clock: field('a clock, such as systemClock', (value = systemClock) =>
      isRecord(value) && typeof value.now === 'function' && typeof value.after === 'function'
        ? (value as unknown as Clock)
        : undefined,
    ),
  },
  { error: 'an object such as { store }' },
);

/** @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem */
export function checkRing(options: unknown) {
  return check(ringOptions, options);
}

/** What a ring says of its keys. */
export interface KeyRules {
  readonly environment: string;
  /** Milliseconds. */
  readonly maxExpiry: number;
  readonly limits: KeyLimits;
}

/** Reads what keys are made of and changed to, by a ring's rules. What it gives throws `TOLLGATE_KEY_INVALID`. */
export function keyReader({ environment, maxExpiry, limits }: KeyRules) {
  const life = (value: unknown) => {
    const ms = parseDuration(value);
    return ms !== undefined && ms <= maxExpiry ? ms : undefined;
  };
  const lifeExpected = `${A_DURATION}, and no more than the ring's maxExpiry`;
  const changes = {
    subject: reading((value, context) => (value === undefined ? undefined : readSubject(value, context))),
    scopes: z
      .strictObject(
        { routes: optionalList(ROUTES, A_ROUTE, parseRoute), features: names, models: names },
        { error: "an object such as { features: ['chat'] }" },
      )
      .optional(),
    limits: reading((value, context) => (value === undefined ? undefined : readLimits(value, limits, context))),
  };
  const change = z.strictObject({ ...changes, expiresIn: optionalField(lifeExpected, life) }, AN_OBJECT);
  const key = z.strictObject(
    {
      ...changes,
      service: field(A_NAME, parseName),
      environment: field(A_NAME, (value = environment) => parseName(value)),
      expiresIn: field(lifeExpected, (value = maxExpiry) => life(value)),
    },
    { error: "an object such as { service: 'search' }" },
  );
  const rotation = z.strictObject(
    {
      overlap: field(A_WAIT, (value = '1d') => parseWait(value)),
      expiresIn: field(lifeExpected, (value = maxExpiry) => life(value)),
    },
    AN_OBJECT,
  );
  const errorOf = (problems: readonly Problem[]) =>
    problemsError('TOLLGATE_KEY_INVALID', 'What the key is to be', problems);
  return {
    key: (options: unknown) => check(key, options, [], errorOf),
    change: (options: unknown) => check(change, options, [], errorOf),
    rotation: (options: unknown) => check(rotation, options, [], errorOf),
  };
}

const AN_OBJECT = { error: 'an object' };

const names = optionalList(NAMES, "a text such as 'chat' or 'search-*'", parseText);

function parseRoute(value: unknown): string | undefined {
  return isRouteScope(value) ? value : undefined;
}

function parseText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** What it holds beside the key itself, which the ring says, and the address, which differs each time. */
function readSubject(value: unknown, context: z.core.$RefinementCtx): Subject {
  if (!isRecord(value)) {
    context.addIssue({ code: 'custom', message: "an object such as { tenant: 'acme', plan: 'pro' }" });
    return z.NEVER;
  }
  for (const [name, one] of Object.entries(value)) {
    const isOurs = name === 'key' || name === 'ip' || name === 'limits';
    const isPlain = typeof one === 'string' || typeof one === 'boolean' || Number.isFinite(one) || one === undefined;
    const message = isOurs ? 'no such field: it is not for a key to say' : 'a text, a number or a boolean';
    if (isOurs || !isPlain) context.addIssue({ code: 'custom', message, path: [name] });
  }
  return { ...value };
}

function readLimits(value: unknown, known: KeyLimits, context: z.core.$RefinementCtx): Record<string, KeyLimit> {
  if (!isRecord(value)) {
    context.addIssue({ code: 'custom', message: 'a map from names of limits of the ring to limits' });
    return z.NEVER;
  }
  for (const [name, limit] of Object.entries(value)) {
    const kind = Object.hasOwn(known, name) ? kindOf(known[name]) : undefined;
    const message = kind?.expected ?? 'a limit that the ring names under `limits`';
    if (!kind?.isRight(limit)) context.addIssue({ code: 'custom', message, path: [name] });
  }
  return { ...value } as Record<string, KeyLimit>;
}

/** A store that keeps more than meters. */
type KeyStore = Store & { readonly records: Records };

function parseStore(value: unknown): KeyStore | undefined {
  const { records } = (value ?? {}) as Partial<Store>;
  return typeof records?.get === 'function' && typeof records.put === 'function' && typeof records.list === 'function'
    ? (value as KeyStore)
    : undefined;
}

function parseGuard(value: unknown): Limiter | undefined {
  const { points, consume, get } = (value ?? {}) as Partial<Limiter>;
  const isLimiter = typeof points === 'number' && typeof consume === 'function' && typeof get === 'function';
  return isLimiter ? (value as Limiter) : undefined;
}
