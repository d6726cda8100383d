/**
 * The process of one contender: `key-verifier.ts <name>`. Shows keys in no order, and reports the
 * nanoseconds of the processor's time that each takes: there is no other contender to compare with on a busy machine.
 */
import { memoryStore, type Store } from '@tollgate/core';
import { type KeyRingOptions, keyRing } from '@tollgate/core/keys';
import { manualClock } from '@tollgate/core/testing';
import { serve } from './harness.js';

export type VerifierName = 'memory' | 'shared store' | 'shared store, pepper' | 'malformed';

const KEYS = 1_000;
const PEPPER = 'a pepper of good length';

/** A store that is shared with nobody: what is read of it is known from then on. */
function sharedStore(): Store {
  const shared = { instances: () => 1, claim: async () => true, publish: async () => {}, listen: () => () => {} };
  return { ...memoryStore(), shared };
}

const name = process.argv[2] as VerifierName;
const store = name.startsWith('shared') ? sharedStore() : memoryStore();
/** Time stands still: what is known is not read again, as it is every half minute. */
const base = { store, clock: manualClock() };
const options: KeyRingOptions<Record<never, never>> = name.endsWith('pepper') ? { ...base, pepper: PEPPER } : base;
process.removeAllListeners('warning');
const keys = keyRing(options);
const texts: string[] = [];
for (let i = 0; i < KEYS; i++) {
  const text = (await keys.create({ service: 'bench' })).reveal();
  await keys.verify(text);
  texts.push(name === 'malformed' ? `${text.slice(0, -1)}!` : text);
}

serve<true, number, number>(true, async (shown) => {
  let verified = 0;
  // Each text is new, as what is read from a request is.
  const buffers = Array.from({ length: shown }, () => Buffer.from(texts[Math.floor(Math.random() * KEYS)]));
  const read = buffers.map((buffer) => buffer.toString('latin1'));
  globalThis.gc?.();
  const from = process.cpuUsage();
  for (const text of read) if ('then' in keys.verify(text)) verified++;
  const { user, system } = process.cpuUsage(from);
  if (verified > 0) throw new Error('a key was not known at once');
  return ((user + system) * 1000) / shown;
});
