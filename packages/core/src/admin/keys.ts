/** Operations on keys. */
import { z } from 'zod';
import type { KeyChange, KeyLimits, NewKey, Rotation } from '../keys/key-options.js';
import type { IssuedKey, KeyRing } from '../keys/key-ring.js';
import { type Operation, operation } from './operation.js';
import { duration, issuedKey, key, limit, listedKey, name, nothing, scopes, wait } from './schemas.js';

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

export function keyOperations(ring: AdminKeyRing): readonly Operation[] {
  return [
    operation({
      id: 'listKeys',
      method: 'GET',
      path: '/keys',
      summary: 'All keys, oldest first; those that have expired, for thirty days after.',
      input: nothing,
      output: z.object({ keys: z.array(listedKey) }),
      run: async () => ({ keys: await ring.list() }),
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

function shown({ key, reveal }: IssuedKey) {
  return { key, text: reveal() };
}
