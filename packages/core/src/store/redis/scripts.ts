/** The scripts as Redis is given them, and the digests by which it knows them. */
import { createHash } from 'node:crypto';
import batch from './batch.lua.js';
import bucket from './bucket.lua.js';
import calendar from './calendar.lua.js';
import cancel from './cancel.lua.js';
import cells from './cells.lua.js';
import type { RedisClient } from './client.js';
import headroom from './headroom.lua.js';
import prelude from './prelude.lua.js';
import publish from './publish.lua.js';
import put from './put.lua.js';
import records from './records.lua.js';
import run from './run.lua.js';
import shared from './shared.lua.js';
import slots from './slots.lua.js';
import turns from './turns.lua.js';
import wait from './wait.lua.js';
import waiters from './waiters.lua.js';
import window from './window.lua.js';

export interface Script {
  readonly text: string;
  readonly digest: string;
}

/** The rules and the records, what most batches end with, and the rest. */
export const BATCH = scriptOf(
  [prelude, window, bucket, calendar, slots, records, cells, run, headroom, waiters, turns, batch].join('\n'),
);

export const WAIT = scriptOf([prelude, waiters, wait].join('\n'));

export const CANCEL = scriptOf(cancel);

export const SHARED = scriptOf(shared);

export const PUBLISH = scriptOf(publish);

export const PUT = scriptOf(put);

/** Runs a script by its digest or, where Redis doesn't know that, by its text. */
export async function runScript(
  client: RedisClient,
  { digest, text }: Script,
  keys: readonly string[],
  values: readonly string[],
): Promise<unknown> {
  try {
    return await client.callBuffer('evalsha', [digest, keys.length, ...keys, ...values]);
  } catch (error) {
    const isUnknown = error instanceof Error && error.message.startsWith('NOSCRIPT');
    if (!isUnknown) throw error;
    return await client.callBuffer('eval', [text, keys.length, ...keys, ...values]);
  }
}

function scriptOf(text: string): Script {
  return { text, digest: createHash('sha1').update(text).digest('hex') };
}
