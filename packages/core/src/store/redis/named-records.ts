/** What is kept by name, in Redis. Each record is a key that ends by itself; a sorted set has the names of a collection. */
import type { Records } from '../store.js';
import type { RedisClient } from './client.js';
import { valueName } from './keys.js';
import { PUT, runScript } from './scripts.js';

/** So many are read at once. */
const MOST_AT_ONCE = 500;

/**
 * @param head of all keys
 * @param within lets a promise fail where Redis takes too long
 */
export function createRecords(
  client: RedisClient,
  head: string,
  within: <T>(promise: Promise<T>) => Promise<T>,
): Records {
  const recordKey = (collection: string, name: string) => `${head}/record${valueName(collection)}${valueName(name)}`;
  const namesKey = (collection: string) => `${head}/names${valueName(collection)}`;

  return {
    async get(collection, name) {
      const text = (await within(client.callBuffer('get', [recordKey(collection, name)]))) as Buffer | null;
      return text === null ? undefined : text.toString();
    },
    async put({ collection, name, was, text, ttlMs }) {
      const keys = [recordKey(collection, name), namesKey(collection)];
      const values = [name, text, String(Math.ceil(ttlMs)), ...(was === undefined ? [] : [was])];
      // Clients may be set to give numbers as texts.
      return Number(await within(runScript(client, PUT, keys, values))) === 1;
    },
    async list(collection) {
      const names = (await within(client.callBuffer('zrange', [namesKey(collection), 0, -1]))) as Buffer[];
      const found = new Map<string, string>();
      for (let from = 0; from < names.length; from += MOST_AT_ONCE) {
        const part = names.slice(from, from + MOST_AT_ONCE).map((name) => name.toString());
        const keys = part.map((name) => recordKey(collection, name));
        const texts = (await within(client.callBuffer('mget', keys))) as (Buffer | null)[];
        // What has ended meanwhile is not there any more.
        for (const [i, text] of texts.entries()) if (text !== null) found.set(part[i], text.toString());
      }
      return found;
    },
  };
}
