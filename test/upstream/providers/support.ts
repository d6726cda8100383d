import type { Answer, Failure, ProviderOptions } from '@tollgate/upstream';

/** A moment that all these tests stand in. */
export const NOW = Date.UTC(2026, 10, 23, 12, 0, 0);

export const keys: ProviderOptions['keys'] = [
  { name: 'prod-1', secret: () => 'sk-one' },
  { name: 'prod-2', secret: () => 'sk-two' },
];

export function answer(status: number, headers: Record<string, string> = {}, body?: unknown): Answer {
  return { status, headers: new Headers(headers), body };
}

/** A title, an answer and what it comes to. */
export type FailureCase = readonly [string, Answer, Failure | undefined];
