/** Two providers of the same models. The first allows half of what is asked of it, and is dead from half-way on. */
import { type Clock, createProvider, type FakeProvider, fetchOf, textAnswer } from '@tollgate/fake-provider';

export interface Api {
  readonly baseUrl: string;
  readonly keys: readonly string[];
}

export const FIRST: Api = { baseUrl: 'https://first.example/v1', keys: ['first-1', 'first-2'] };
export const SECOND: Api = { baseUrl: 'https://second.example/v1', keys: ['second-1', 'second-2'] };

/** Requests a minute that each allows a key. They may be drawn at once, so the first bears twice as many for a minute. */
const ALLOWED = { first: 20, second: 50 };

/** An answer takes 0.8 s. */
const PACE = { latencyMs: 400, tokenMs: 10, answer: () => textAnswer(40) };

export interface Providers {
  readonly fetch: typeof fetch;
  /** All that has reached either. */
  calls(): FakeProvider['calls'];
}

/** @param diesInMs when the first breaks every connection */
export function startProviders(clock: Clock, diesInMs: number): Providers {
  const start = ({ keys }: Api, requests: number) =>
    createProvider({ kind: 'openai', keys, limits: { requests }, clock, ...PACE });
  const first = start(FIRST, ALLOWED.first);
  const second = start(SECOND, ALLOWED.second);
  clock.after(diesInMs, () => {
    first.fault = () => ({});
  });
  return {
    fetch: (input, init) => fetchOf(String(input).startsWith(FIRST.baseUrl) ? first : second)(input, init),
    calls: () => [...first.calls, ...second.calls],
  };
}
