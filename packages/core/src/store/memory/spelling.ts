/**
 * A string as it is kept and compared: as words of four characters each, with a hash of them. Reading characters is what
 * costs, so it is done once. Not for what is long or has characters of more than a byte: of that there is the hash alone.
 *
 * The hash is seeded anew in each process: who may choose keys can't choose them so that they collide. Each word is
 * carried upwards by a multiplication and brought back down by a shift.
 */
import { randomInt } from 'node:crypto';

export interface Spelling {
  readonly words: Int32Array;
  /** Characters; or {@link ABSENT} of no string, or {@link UNSPELT}. */
  length: number;
  /** 32 bits. */
  hash: number;
}

/** Characters of the longest string that is spelt: as many as a UUID has. */
export const LONGEST = 36;

export const ABSENT = -1;
export const UNSPELT = -2;

const SEED = randomInt(2 ** 32) | 0;

export function createSpelling(): Spelling {
  return { words: new Int32Array(LONGEST / 4), length: ABSENT, hash: SEED };
}

/** Words that so many characters take. */
export function wordsIn(length: number): number {
  return (length + 3) >> 2;
}

export function spell(spelling: Spelling, value: string | undefined): void {
  if (value === undefined || value.length > LONGEST) {
    hashAlone(spelling, value);
    return;
  }
  const { words } = spelling;
  const { length } = value;
  let hash = SEED ^ length;
  let all = 0;
  for (let i = 0; i < length; i += 4) {
    const a = value.charCodeAt(i);
    const b = i + 1 < length ? value.charCodeAt(i + 1) : 0;
    const c = i + 2 < length ? value.charCodeAt(i + 2) : 0;
    const d = i + 3 < length ? value.charCodeAt(i + 3) : 0;
    const word = a | (b << 8) | (c << 16) | (d << 24);
    all |= a | b | c | d;
    words[i >> 2] = word;
    hash = mix(hash, word);
  }
  spelling.length = length;
  spelling.hash = hash;
  if (all > 0xff) hashAlone(spelling, value);
}

function hashAlone(spelling: Spelling, value: string | undefined): void {
  let hash = SEED;
  if (value !== undefined) for (let i = 0; i < value.length; i++) hash = mix(hash, value.charCodeAt(i));
  spelling.length = value === undefined ? ABSENT : UNSPELT;
  spelling.hash = hash;
}

function mix(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0x5bd1e995);
  return mixed ^ (mixed >>> 15);
}
