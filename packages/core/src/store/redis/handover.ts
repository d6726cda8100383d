/** Admissions that are kept in Redis for whoever settles them. */
import { keyIn, type Meter, whoHas } from '../../meters/meter.js';
import type { Handover, Receipt } from '../store.js';
import type { RedisEntry } from './operation.js';
import { HANDOVER, type RedisClient, runScript } from './scripts.js';

/** An entry as it is written: the meter by what any process knows it by, and who by the key alone. */
interface Written extends Omit<RedisEntry, 'charge' | 'who' | 'settling'> {
  readonly charge: Omit<RedisEntry['charge'], 'meter'>;
  readonly meter: Omit<Meter, 'scope' | 'outside'>;
  readonly by: readonly string[];
  readonly key: readonly (string | null)[];
}

/** Begins with neither a brace nor a bracket, as what is kept does. */
const CLAIMED = '!';

/**
 * @param head of all keys
 * @param within lets a promise fail where Redis takes too long
 */
export function createHandover(
  client: RedisClient,
  head: string,
  within: <T>(promise: Promise<T>) => Promise<T>,
): Handover {
  const ask = (name: string, ...values: string[]) =>
    within(runScript(client, HANDOVER, [keyOf(name)], values)) as Promise<0 | 1 | null>;

  function keyOf(name: string): string {
    return `${head}/handed/${name}`;
  }

  return {
    async keep(name, { receipt, about }, ttlMs) {
      const text = JSON.stringify({ about, receipt: (receipt as readonly RedisEntry[]).map(written) });
      await ask(name, 'keep', text, String(ttlMs));
    },
    async read(name, meters) {
      const kept = (await within(client.callBuffer('get', [keyOf(name)]))) as Buffer | null;
      if (kept === null) return undefined;
      const text = kept.toString();
      if (text.startsWith(CLAIMED)) return 'claimed';
      const { about, receipt } = JSON.parse(text, revived) as { about: string; receipt: readonly Written[] };
      return { about, receipt: receipt.map((entry) => entryOf(entry, meters)) as Receipt };
    },
    async claim(name, by, unkeptMs) {
      const answer = await ask(name, 'claim', by, unkeptMs === undefined ? '' : String(Math.ceil(unkeptMs)));
      return answer === 1 ? 'claimed' : answer === 0 ? 'lost' : 'unknown';
    },
  };
}

function written({ charge, who, settling: _, ...entry }: RedisEntry): Written {
  const { meter, ...rest } = charge;
  const { scope, outside: __, ...known } = meter;
  const key = keyIn(scope, who).map((value) => value ?? null);
  return { ...entry, charge: rest, meter: known, by: scope.by, key };
}

function entryOf({ charge, meter, by, key, ...entry }: Written, meters: ReadonlyMap<string, Meter>): RedisEntry {
  const scope = { by, at: by.map((_, i) => i) } as Meter['scope'];
  const known = meters.get(meter.id) ?? { ...meter, scope };
  const values = key.map((value) => value ?? undefined);
  return { ...entry, charge: { ...charge, meter: known }, who: whoHas(values, known.scope), settling: undefined };
}

/** What can be infinite, which JSON has no word for: no other number is missing. */
const MAY_BE_INFINITE = new Set(['limit', 'whole', 'perMs']);

function revived(name: string, value: unknown): unknown {
  return value === null && MAY_BE_INFINITE.has(name) ? Number.POSITIVE_INFINITY : value;
}
