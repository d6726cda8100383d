/** The text of an API key, `tg_live_<id>_<secret><checksum>`: how it is made, told from others, and known again. */
import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** The environment whose keys say `live`; those of all others say `test`. */
export const LIVE = 'production';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Characters. An id has 71 random bits, and a secret 190: too many to be guessed, and enough for a quick hash. */
const ID = 12;
const SECRET = 32;
const CHECKSUM = 6;

/** Of all before the checksum. */
const LENGTH = 'tg_live_'.length + ID + 1 + SECRET;

const TEXT = /^tg_(?:live|test)_([0-9A-Za-z]{12})_[0-9A-Za-z]{38}$/;

const ID_TEXT = /^[0-9A-Za-z]{12}$/;

export interface NewText {
  readonly id: string;
  readonly text: string;
}

export function newText(environment: string): NewText {
  const id = randomText(ID);
  const body = `tg_${environment === LIVE ? 'live' : 'test'}_${id}_${randomText(SECRET)}`;
  return { id, text: body + checksumText(crc32(body)) };
}

/** The id in what may be a key: its form and its checksum are right. Typos and noise end here, before anything is looked up. */
export function idIn(text: string): string | undefined {
  if (text.length !== LENGTH + CHECKSUM) return undefined;
  const match = TEXT.exec(text);
  return match !== null && hasChecksum(text) ? match[1] : undefined;
}

/** Digit by digit, the last one first: a text to compare with would take as long as the checksum itself. */
function hasChecksum(text: string): boolean {
  let left = crc32(text.slice(0, LENGTH));
  for (let at = LENGTH + CHECKSUM - 1; at >= LENGTH; at--) {
    if (text[at] !== ALPHABET[left % 62]) return false;
    left = Math.floor(left / 62);
  }
  return true;
}

export function isId(value: unknown): value is string {
  return typeof value === 'string' && ID_TEXT.test(value);
}

/** What is kept of a key, as base64: it can be compared with, and nothing can be told from it. */
export function digestOf(text: string, pepper: string | undefined): string {
  return pepper === undefined
    ? hash('sha256', text, 'base64')
    : createHmac('sha256', pepper).update(text).digest('base64');
}

/** What texts are compared with. */
export interface Digests {
  /** As it is kept. */
  readonly kept: Buffer;
  /** Of a text that was right before, without the pepper, which takes five times as long. In memory alone. */
  plain: Buffer | undefined;
}

/** In a time that says nothing of where they differ. */
export function isTextOf(digests: Digests, text: string, pepper: string | undefined): boolean {
  const plain = pepper === undefined ? digests.kept : digests.plain;
  if (plain !== undefined && isSame(plain, plainOf(text))) return true;
  if (pepper === undefined || !timingSafeEqual(digests.kept, Buffer.from(digestOf(text, pepper), 'base64')))
    return false;
  digests.plain = Buffer.from(plainOf(text), 'binary');
  return true;
}

/** A byte a character: the quickest way to get at it. */
function plainOf(text: string): string {
  return hash('sha256', text, 'binary');
}

/** One for all, since nothing is awaited: a new one each time takes longer than the hash. */
const digest = Buffer.alloc(32);

function isSame(known: Buffer, plain: string): boolean {
  digest.write(plain, 'binary');
  return timingSafeEqual(known, digest);
}

function randomText(length: number): string {
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      // What is above the last multiple of 62 would make some characters likelier than others.
      if (byte < 248 && text.length < length) text += ALPHABET[byte % 62];
    }
  }
  return text;
}

function checksumText(checksum: number): string {
  let text = '';
  for (let left = checksum, i = 0; i < CHECKSUM; i++) {
    text = ALPHABET[left % 62] + text;
    left = Math.floor(left / 62);
  }
  return text;
}
