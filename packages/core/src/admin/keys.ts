/** Operations on keys. */
import { z } from 'zod';
import type { KeyChange, KeyLimits, NewKey, Rotation } from '../keys/key-options.js';
import type { IssuedKey, KeyRing } from '../keys/key-ring.js';
import { type Operation, operation } from './operation.js';
import { duration, issuedKey, key, limit, listedKey, name, nothing, scopes, text, wait } from './schemas.js';

/** What a surface takes of a ring. */
export type AdminKeyRing = Pick<KeyRing, 'create' | 'list' | 'rotate' | 'revoke' | 'update'>;

const A_SUBJECT = "an object such as { tenant: 'acme', plan: 'pro' }";
const A_VALUE = 'a text, a number or a boolean';
const LIMITS = 'an object from names of limits of the ring to limits';

const change = {
  subject: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()], { error: A_VALUE }), { error: A_SUBJECT })
    .optional(),
  scopes: scopes.optional(),
  limits: z.record(z.string(), limit, { error: LIMITS }).optional(),
  expiresIn: duration.optional(),
};
const keyChange = z.strictObject(change, { error: 'an object with what is to change' });
const newKey = z.strictObject(
  { service: name, environment: name.optional(), ...change },
  { error: "an object such as { service: 'search' }" },
);
const rotation = z.strictObject(
  { overlap: wait.optional(), expiresIn: duration.optional() },
  { error: "an object such as { overlap: '1d' }" },
);

const page = z.strictObject(
  {
    after: text('the `next` of the answer before', /^\d{16}-[0-9A-Za-z]{12}$/).optional(),
    limit: text('how many at most, from 1 to 1000; 100 unless given', /^(?:[1-9]\d{0,2}|1000)$/).optional(),
  },
  { error: 'a query such as limit=100' },
);

export function keyOperations(ring: AdminKeyRing): readonly Operation[] {
  return [
    operation({
      id: 'listKeys',
      method: 'GET',
      path: '/keys',
      summary: 'Keys, oldest first; those that have expired, for thirty days after.',
      input: page,
      output: z.object({
        keys: z.array(listedKey),
        next: z.string().optional().describe('What `after` takes for those that follow; left out where there are none'),
      }),
      run: async (_, input) => pageOf(await ring.list(), input),
    }),
    operation({
      id: 'createKey',
      method: 'POST',
      path: '/keys',
      summary: 'Makes a key. Its text is told in this answer and never again.',
      input: newKey,
      status: 201,
      output: issuedKey,
      run: async (_, input) => shown(await ring.create(input as NewKey<KeyLimits>)),
    }),
    operation({
      id: 'getKey',
      method: 'GET',
      path: '/keys/{id}',
      summary: 'A key, with how often it was used.',
      input: nothing,
      output: listedKey,
      run: async ({ id }) => (await ring.list()).find((one) => one.id === id),
    }),
    operation({
      id: 'updateKey',
      method: 'PATCH',
      path: '/keys/{id}',
      summary: 'Changes a key, each field as a whole; what is left out stays as it is.',
      input: keyChange,
      output: key,
      run: ({ id }, input) => ring.update(id, input as KeyChange<KeyLimits>),
    }),
    operation({
      id: 'rotateKey',
      method: 'POST',
      path: '/keys/{id}/rotate',
      summary: 'Makes a successor of the same identity. Both are taken until the overlap is over, a day unless given.',
      input: rotation,
      status: 201,
      output: issuedKey,
      run: async ({ id }, input) => shown(await ring.rotate(id, input as Rotation)),
    }),
    operation({
      id: 'revokeKey',
      method: 'POST',
      path: '/keys/{id}/revoke',
      summary: 'The key is taken no more, for good.',
      input: nothing,
      output: key,
      run: ({ id }) => ring.revoke(id),
    }),
  ];
}

/** By the time and the id, so that it goes on at the same place when a key in between has gone. */
function pageOf(all: Awaited<ReturnType<AdminKeyRing['list']>>, { after, limit = '100' }: z.output<typeof page>) {
  const placed = all
    .map((key) => ({ key, place: `${String(key.createdAt).padStart(16, '0')}-${key.id}` }))
    .filter(({ place }) => after === undefined || place > after)
    .sort((a, b) => (a.place < b.place ? -1 : 1));
  const shown = placed.slice(0, Number(limit));
  return { keys: shown.map(({ key }) => key), next: shown.length < placed.length ? shown.at(-1)?.place : undefined };
}

function shown({ key, reveal }: IssuedKey) {
  return { key, text: reveal() };
}
