/** What goes in and out over the wire, as schemas that a description can be made of: they check, and change nothing. */
import { z } from 'zod';
import { A_NAME, NAME } from '../schema.js';
import { DURATION } from '../units.js';

/** A text that is right where it fits the pattern; what is expected is said in errors and in the description alike. */
export function text(expected: string, pattern?: RegExp) {
  const given = z.string({ error: expected }).min(1, { error: expected });
  return (pattern ? given.regex(pattern, { error: expected }) : given).describe(expected);
}

export const name = text(A_NAME, NAME);
export const duration = text("a duration such as '90d'", DURATION);
export const wait = text("a duration such as '1d', or '0s' for none", DURATION);

/** A limit as it is configured. What is right for which limit is for the gate or the ring to say. */
const A_LIMIT = "a number such as 60, or a text such as '200k', '100/h' or '$5'";
export const limit = z.union([z.number(), z.string()], { error: A_LIMIT }).describe(A_LIMIT);

export const nothing = z.strictObject({}, { error: 'an object without fields' });

const time = z.number().describe('Milliseconds since 1970');
/** JSON has no Infinity. */
const amount = z.number().nullable().describe('null: without end');

const A_SCOPE = "a list of texts such as ['chat', 'search-*']";
const scope = z.array(text(A_SCOPE), { error: A_SCOPE }).optional();
const routes = scope.describe("Methods and paths such as 'POST /chat', 'GET /chats/:id' or '* /v1/*'");
export const scopes = z
  .strictObject({ routes, features: scope, models: scope }, { error: "an object such as { features: ['chat'] }" })
  .describe('What a key may be used for. What is left out is not restricted.');

export const key = z
  .object({
    id: z.string(),
    identity: z.string().describe('What it is counted as: the id of the first of those rotated into each other'),
    service: z.string(),
    environment: z.string(),
    subject: z.record(z.string(), z.unknown()).describe('On whose behalf requests come that show it'),
    scopes,
    createdAt: time,
    expiresAt: time,
    revokedAt: time.optional(),
    successor: z.string().optional().describe('The id of the key that takes its place'),
  })
  .describe('All there is to know of a key but its text');

export const listedKey = key.extend({
  uses: z.number().describe('How many requests have shown it'),
  lastUsedAt: time.optional(),
});

export const issuedKey = z.object({
  key,
  text: z.string().describe('The key itself. It is kept nowhere: it is told now or never.'),
});

export const layer = z
  .object({
    layer: z.string().describe('The name of the limit or budget'),
    unit: z.string().describe('What the figures are in; of budgets whole nano-dollars'),
    by: z.array(z.string()),
    key: z.array(z.string().nullable()).describe('Whom it counts: a value for each dimension of `by`'),
    mode: z.enum(['enforce', 'shadow']),
    used: z.number(),
    limit: amount,
    remaining: amount,
    refillMs: amount.describe('Milliseconds until there is more room than now; null never'),
    windowMs: amount.describe('Milliseconds that the limit spans'),
    resetsAt: time.optional().describe("When a budget's period ends, in milliseconds since 1970"),
  })
  .describe('How a limit or budget stands for one subject');

export const budget = layer.extend({
  exhaustsAt: time.optional().describe('When it will be exhausted at the present burn, in milliseconds since 1970'),
});

const waiting = z.object({ waiting: z.number(), longestMs: z.number() });
export const line = z.object({
  waiting: z.number(),
  delayed: z.number().describe('Shed, and not refused since they had rather wait'),
  level: z.number().describe('0 where nothing is shed, up to 4'),
  priorities: z.object({ interactive: waiting, standard: waiting, batch: waiting, background: waiting }),
  values: z
    .array(
      z.object({
        value: z.string().optional(),
        interactive: z.number(),
        standard: z.number(),
        batch: z.number(),
        background: z.number(),
      }),
    )
    .describe('Who waits, by what shares go by'),
});

export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number(),
    detail: z.string().optional(),
    errors: z.array(z.object({ field: z.string(), detail: z.string() })).optional(),
  })
  .describe('Why something was not done (RFC 9457)');

/** Those that have a name of their own in the description. */
export const SHARED = { ApiKey: key, ListedKey: listedKey, Layer: layer, Budget: budget, Line: line, Problem: problem };
