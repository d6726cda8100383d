/** The scripts as Redis is given them, and the digests by which it knows them. */
import { createHash } from 'node:crypto';
import batch from './batch.lua.js';
import bucket from './bucket.lua.js';
import calendar from './calendar.lua.js';
import cancel from './cancel.lua.js';
import prelude from './prelude.lua.js';
import records from './records.lua.js';
import slots from './slots.lua.js';
import window from './window.lua.js';

export interface Script {
  readonly text: string;
  readonly digest: string;
}

/** The rules and the records, and what uses them. */
export const BATCH = scriptOf([prelude, window, bucket, calendar, slots, records, batch].join('\n'));

export const CANCEL = scriptOf(cancel);

function scriptOf(text: string): Script {
  return { text, digest: createHash('sha1').update(text).digest('hex') };
}
