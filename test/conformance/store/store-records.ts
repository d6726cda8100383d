/** What stores promise that keep texts by name, beside their meters. */
import type { Records, Store } from '@tollgate/core';
import fc from 'fast-check';
import { START } from './charges.js';

const HOUR = 3_600_000;

export function keepsRecords(open: () => Store): void {
  describe('keeps records by name', () => {
    let count = 0;
    let collection: string;
    let records: Records;
    beforeEach(() => {
      collection = `collection ${count++}`;
      records = open().records as Records;
    });

    const get = (name: string, of = collection) => records.get(of, name, START);
    const put = (name: string, was: string | undefined, text: string, of = collection) =>
      records.put({ collection: of, name, was, text, ttlMs: HOUR }, START);

    it('gives what was put, and nothing of what was not', async () => {
      expect(await put('a', undefined, 'text "ü☃"\n')).toBe(true);
      expect([await get('a'), await get('b'), await get('a', 'another')]).toEqual([
        'text "ü☃"\n',
        undefined,
        undefined,
      ]);
    });

    it('puts only in place of what it is to replace', async () => {
      expect(await put('a', 'was', 'one')).toBe(false);
      expect(await get('a')).toBeUndefined();
      await put('a', undefined, 'one');
      expect(await put('a', undefined, 'two')).toBe(false);
      expect(await put('a', 'other', 'two')).toBe(false);
      expect(await get('a')).toBe('one');
      expect(await put('a', 'one', 'two')).toBe(true);
      expect(await get('a')).toBe('two');
    });

    it('lets one of many win that replace the same', async () => {
      await put('a', undefined, 'start');
      const texts = Array.from({ length: 20 }, (_, i) => `by ${i}`);
      const won = await Promise.all(texts.map((text) => put('a', 'start', text)));
      expect(won.filter((isPut) => isPut)).toHaveLength(1);
      expect(await get('a')).toBe(texts[won.indexOf(true)]);
    });

    it('lists a collection, and no other', async () => {
      await put('elsewhere', undefined, 'x', `${collection}, another`);
      expect(await records.list(collection, START)).toEqual(new Map());
      const names = Array.from({ length: 1_100 }, (_, i) => `name ${i}`);
      await Promise.all(names.map((name) => put(name, undefined, `of ${name}`)));
      await put('name 7', 'of name 7', 'changed');
      const listed = await records.list(collection, START);
      expect(new Map([...listed].sort())).toEqual(
        new Map(names.map((name): [string, string] => [name, name === 'name 7' ? 'changed' : `of ${name}`]).sort()),
      );
    });

    it('keeps names apart, whatever they are', async () => {
      const hostile = fc.constantFrom(
        '__proto__',
        'constructor',
        'toString',
        '',
        ':',
        '/',
        '{x}',
        '\r\nGET a',
        'ü',
        '☃',
      );
      const texts = fc.oneof(hostile, fc.string({ unit: 'binary' }));
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(fc.tuple(texts, texts), { selector: ([a, b]) => JSON.stringify([a, b]) }),
          async (names) => {
            const mark = `${count++}`;
            const at = names.map(([of, name]) => [`${mark}${of}`, name] as const);
            for (const [i, [of, name]] of at.entries()) expect(await put(name, undefined, `text ${i}`, of)).toBe(true);
            for (const [i, [of, name]] of at.entries()) expect(await get(name, of)).toBe(`text ${i}`);
          },
        ),
        { numRuns: 50 },
      );
    });
  });
}
