/** A list of doubles that grows. */
export interface Words {
  numbers: Float64Array;
  length: number;
}

export function createWords(): Words {
  return { numbers: new Float64Array(1024), length: 0 };
}

export function push(words: Words, value: number): void {
  if (words.length === words.numbers.length) {
    const { numbers } = words;
    words.numbers = new Float64Array(2 * numbers.length);
    words.numbers.set(numbers);
  }
  words.numbers[words.length++] = value;
}

export function bytesOf({ numbers, length }: Words): Buffer {
  return Buffer.from(numbers.slice(0, length).buffer);
}
