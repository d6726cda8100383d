import { geminiFormat } from '../formats/gemini.js';
import { keyHeader } from './credentials.js';
import { defineProvider } from './define.js';
import { recordsIn } from './error-body.js';
import { type ErrorAnswer, usualFailure } from './failures.js';
import type { Failure } from './provider.js';

/** Why a key isn't taken at all, whether the status is 400 or 403. */
const KEY_REFUSED = /^(?:API_KEY_\w+|CONSUMER_SUSPENDED|SERVICE_DISABLED)$/;
const LEAKED = /reported as leaked/i;
const OUT_OF_MONEY = /\bcredits? (?:is|are) depleted/i;

const DAY_MS = 86_400_000;
/** Daily quotas start anew at midnight there. */
const pacific = new Intl.DateTimeFormat('en-US', {
  timeZone: 'America/Los_Angeles',
  hourCycle: 'h23',
  hour: 'numeric',
  minute: 'numeric',
  second: 'numeric',
});

/** Gemini, at `https://generativelanguage.googleapis.com` unless given. It says nothing of limits until one is used up. */
export const gemini = defineProvider({
  name: 'gemini',
  baseUrl: 'https://generativelanguage.googleapis.com',
  format: geminiFormat,
  authorize: keyHeader('x-goog-api-key'),
  family: (model) => model.replace(/^models\//, '').replace(/-(?:latest|\d{3})$/, ''),
  failure(error, now) {
    const { status, message, fields, retryAfterMs } = error;
    const isRefused = recordsIn(fields.details).some(({ reason }) => isText(reason) && KEY_REFUSED.test(reason));
    if (isRefused || (status === 403 && LEAKED.test(message))) return { kind: 'unauthorized' };
    if (status !== 429) return usualFailure(error);
    return OUT_OF_MONEY.test(message) ? { kind: 'exhausted', retryAfterMs } : failureOfQuotas(error, now);
  },
});

/** Most quotas are for each model; those that aren't hold for all that is done with the key. */
function failureOfQuotas({ fields, retryAfterMs }: ErrorAnswer, now: number): Failure {
  const violations = recordsIn(fields.details).flatMap(({ violations }) => recordsIn(violations));
  const quotas = violations.flatMap(({ quotaId }) => (isText(quotaId) ? [quotaId] : []));
  const daily = quotas.filter((quota) => quota.includes('PerDay'));
  if (daily.length > 0)
    return { kind: 'exhausted', retryAfterMs: untilMidnight(now), ofFamily: daily.every(isOfModel) };
  return { kind: 'throttled', retryAfterMs, ofKey: !quotas.every(isOfModel) };
}

function isOfModel(quota: string): boolean {
  return /Per(?:Base)?Model/.test(quota);
}

/** To the second; an hour off on the two days when clocks change. */
function untilMidnight(now: number): number {
  const parts = pacific.formatToParts(now);
  const [hour, minute, second] = ['hour', 'minute', 'second'].map((type) =>
    Number(parts.find((part) => part.type === type)?.value),
  );
  return DAY_MS - ((hour * 60 + minute) * 60 + second) * 1000;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
