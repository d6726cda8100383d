/** Three ways to ask the providers: through Tollgate, as SDKs do by themselves, and so with the other one to fall back on. */
import { type Clock, createTollgate } from '@tollgate/core';
import { compatible, createUpstream } from '@tollgate/upstream';
import type { Random } from '../random.js';
import { type Api, FIRST, SECOND } from './providers.js';

/**
 * Asks for an answer on behalf of a user.
 *
 * @throws Error where there is none
 */
export type Ask = (user: string) => Promise<Response>;

export type Way = (fetch: typeof globalThis.fetch, clock: Clock, dice: Random) => Ask;

const RETRIES = 2;

export const throughTollgate: Way = (fetch, clock) => {
  const provider = (name: string, { baseUrl, keys }: Api) =>
    compatible({ name, baseUrl, keys: keys.map((key) => ({ name: key, secret: () => key })) });
  const llm = createUpstream({
    gate: createTollgate({ name: 'upstream', limits: [], clock }),
    providers: [provider('first', FIRST), provider('second', SECOND)],
    failover: { first: [{ provider: 'second' }] },
    fetch,
  });
  return (user) => send(llm.as({ subject: { user } }).fetch, FIRST, 'managed');
};

/** Where it is refused, fails or can't be reached: waits for as long as it is told to, or a moment, and asks again. */
export const twoRetries: Way = (fetch, clock, dice) => () => persist(fetch, FIRST, clock, dice);

export const thenTheOther: Way = (fetch, clock, dice) => async () => {
  const response = await persist(fetch, FIRST, clock, dice).catch(() => undefined);
  return response?.ok ? response : persist(fetch, SECOND, clock, dice);
};

async function persist(fetch: typeof globalThis.fetch, api: Api, clock: Clock, dice: Random): Promise<Response> {
  const key = api.keys[dice.between(0, api.keys.length - 1)];
  for (let retries = 0; ; retries++) {
    const response = await send(fetch, api, key).catch((error: Error) => error);
    const isWorthIt = response instanceof Error || response.status === 429 || response.status >= 500;
    if (isWorthIt && retries < RETRIES) await pause(backoffMs(response, retries, dice), clock);
    else if (response instanceof Error) throw response;
    else return response;
  }
}

function send(fetch: typeof globalThis.fetch, { baseUrl }: Api, key: string): Promise<Response> {
  const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${key}` };
  const messages = [{ role: 'user', content: 'What is a toll, and who pays it?' }];
  const body = JSON.stringify({ model: 'gpt-5-mini', max_tokens: 40, messages });
  return fetch(`${baseUrl}/chat/completions`, { method: 'POST', headers, body });
}

/** Doubles with each retry, less up to a quarter, so that not all come back at once. */
function backoffMs(response: Response | Error, retries: number, dice: Random): number {
  const told = response instanceof Error ? null : response.headers.get('retry-after');
  return told === null ? 500 * 2 ** retries * (1 - dice.next() / 4) : Number(told) * 1000;
}

function pause(ms: number, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}
