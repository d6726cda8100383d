/** What must not compile of keys, and what must. */
import { budget, concurrency, memoryStore, slidingWindow, tokenBucket } from '@tollgate/core';
import { keyRing } from '@tollgate/core/keys';

const keys = keyRing({ store: memoryStore(), limits: { spend: '$5', rate: '100/h', tokens: '200k', runs: 4 } });

export function limits(): void {
  budget({ name: 'a', limit: keys.limit('spend'), per: 'day' });
  tokenBucket({ name: 'b', capacity: keys.limit('tokens'), refill: keys.limit('rate') });
  concurrency({ name: 'c', limit: keys.limit('runs') });
  slidingWindow({ name: 'd', limit: keys.limit('runs'), window: '1m' });
  // @ts-expect-error: a budget is in dollars
  budget({ name: 'e', limit: keys.limit('runs'), per: 'day' });
  // @ts-expect-error: slots are a number
  concurrency({ name: 'f', limit: keys.limit('tokens') });
  // @ts-expect-error: no such limit
  keys.limit('speed');
}

export function making(): void {
  void keys.create({ service: 'search', limits: { spend: '$10', rate: '5/s', tokens: 5, runs: 1 } });
  // @ts-expect-error: of another kind
  void keys.create({ service: 'search', limits: { spend: 10 } });
  // @ts-expect-error: no such limit
  void keys.create({ service: 'search', limits: { speed: 10 } });
  // @ts-expect-error: the ring says what the key is counted as
  void keys.create({ service: 'search', subject: { key: 'k' } });
  // @ts-expect-error: a key is of a service
  void keys.create({});
}
