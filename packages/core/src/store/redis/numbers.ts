/**
 * Lists of numbers in JSON, as scripts read them. They are text, since a client writes a command of text at once, and one that
 * has bytes in it piece by piece. Most are whole numbers, and those are written here digit by digit: joining them takes three
 * times as long.
 */
export interface Numbers {
  /** Behind each stands a comma. */
  text: Buffer;
  /** Of the text, and how many it has room for. */
  bytes: number;
  room: number;
  /** How many there are. */
  count: number;
}

const [OPENING, CLOSING, COMMA, MINUS, ZERO] = [...'[],-0'].map((character) => character.charCodeAt(0));

/** A number takes no more. */
const MOST_BYTES = 32;

const FIRST_BYTES = 4096;

export function createNumbers(): Numbers {
  return reset({ text: Buffer.alloc(FIRST_BYTES, OPENING), bytes: 0, room: FIRST_BYTES, count: 0 });
}

/** Begins anew. */
export function reset(numbers: Numbers): Numbers {
  numbers.bytes = 1;
  numbers.count = 0;
  return numbers;
}

export function push(numbers: Numbers, value: number): void {
  if (!Number.isSafeInteger(value)) {
    // JSON has no number that is infinite, but one that is read as such.
    pushText(numbers, Math.abs(value) === Number.POSITIVE_INFINITY ? `${Math.sign(value)}e999` : `${value}`);
    return;
  }
  const text = roomFor(numbers, MOST_BYTES);
  const size = Math.abs(value);
  if (value < 0) text[numbers.bytes++] = MINUS;
  let end = numbers.bytes + 1;
  for (let power = 10; power <= size; power *= 10) end++;
  let rest = size;
  for (let i = end - 1; i >= numbers.bytes; i--) {
    const tenth = Math.floor(rest / 10);
    text[i] = ZERO + (rest - 10 * tenth);
    rest = tenth;
  }
  text[end] = COMMA;
  numbers.bytes = end + 1;
  numbers.count++;
}

/** Adds what is in JSON already, as one. @param value of ASCII */
export function pushText(numbers: Numbers, value: string): void {
  const { length } = value;
  const text = roomFor(numbers, length + 1);
  text.write(value, numbers.bytes, 'latin1');
  numbers.bytes += length + 1;
  text[numbers.bytes - 1] = COMMA;
  numbers.count++;
}

export function textOf({ text, bytes, count }: Numbers): string {
  if (count === 0) return '[]';
  text[bytes - 1] = CLOSING;
  return text.toString('latin1', 0, bytes);
}

function roomFor(numbers: Numbers, more: number): Buffer {
  const { text, bytes, room } = numbers;
  if (bytes + more <= room) return text;
  numbers.room = 2 * (bytes + more);
  numbers.text = Buffer.alloc(numbers.room);
  text.copy(numbers.text, 0, 0, bytes);
  return numbers.text;
}
