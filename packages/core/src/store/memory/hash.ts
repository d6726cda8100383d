/**
 * A hash of strings, seeded anew in each process: who may choose keys can't choose them so that they collide. Two
 * characters at a time, each time a multiplication that carries them upwards and a shift that brings them back down.
 */
import { randomInt } from 'node:crypto';

const SEED = randomInt(2 ** 32);

/** 32 bits. */
export function hashOf(value: string | undefined): number {
  if (value === undefined) return SEED | 0;
  const { length } = value;
  let hash = SEED ^ length;
  let i = 0;
  for (; i + 1 < length; i += 2) hash = mix(hash, value.charCodeAt(i) | (value.charCodeAt(i + 1) << 16));
  return i < length ? mix(hash, value.charCodeAt(i)) : hash;
}

function mix(hash: number, more: number): number {
  const mixed = Math.imul(hash ^ more, 0x5bd1e995);
  return mixed ^ (mixed >>> 15);
}
