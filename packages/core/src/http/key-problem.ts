/** Refusals of API keys. They say how to do it right, and of a bad key not why it is one. */
import { randomBytes } from 'node:crypto';
import type { NotVerified } from '../keys/verification.js';
import { KINDS, type Refusal, type RefusalReason } from './problem.js';
import { duration } from './wording.js';

const DETAILS: Record<NotVerified['refused'], (wait: string) => string> = {
  unauthenticated: () => "A valid API key is needed, as 'Authorization: Bearer <key>' or as 'x-api-key: <key>'.",
  forbidden: () => 'This API key is of another environment.',
  'locked-out': (wait) => `Too many requests with bad API keys came from your address. Try again in ${wait}.`,
  'store-down': (wait) => `API keys can't be checked at the moment. Try again in ${wait}.`,
};

export function keyRefusal({ refused, retryAfterMs }: NotVerified): Refusal {
  return refusalFor(refused, DETAILS[refused](duration(retryAfterMs ?? 0)), retryAfterMs);
}

/** @param lacked what the key has no right to, of what the request is for */
export function scopeRefusal(lacked: 'route' | 'feature' | 'model'): Refusal {
  return refusalFor('forbidden', `This API key has no access to this ${lacked}.`);
}

function refusalFor(reason: RefusalReason, detail: string, retryAfterMs?: number): Refusal {
  const { status, title } = KINDS[reason];
  return {
    id: randomBytes(9).toString('base64url'),
    reason,
    layer: undefined,
    status,
    title,
    detail,
    retryAfterMs,
    resetsAt: undefined,
    violated: [],
    layers: [],
  };
}
