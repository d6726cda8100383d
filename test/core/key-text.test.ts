/** The text of a key: what passes for one without anything being looked up. */
import { crc32 } from 'node:zlib';
import { memoryStore, type Records } from '@tollgate/core';
import { keyRing } from '@tollgate/core/keys';
import fc from 'fast-check';
import { recordWarnings } from '../helpers/http-warnings.js';

describe('the text of a key', () => {
  recordWarnings();

  async function setUp(environment?: string) {
    const memory = memoryStore();
    const records = memory.records as Records;
    let lookUps = 0;
    const get: Records['get'] = (...how) => {
      lookUps++;
      return records.get(...how);
    };
    const keys = keyRing({ store: { ...memory, records: { ...records, get } }, environment });
    const issued = await keys.create({ service: 'search' });
    return { keys, issued, text: issued.reveal(), lookUps: () => lookUps };
  }

  it.each([
    [undefined, 'tg_live_'],
    ['production', 'tg_live_'],
    ['staging', 'tg_test_'],
  ])('of a ring of %s begins with %s, and has the id in it', async (environment, start) => {
    const { issued, text } = await setUp(environment);
    expect(text).toMatch(/^tg_(live|test)_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}$/);
    expect(text.startsWith(`${start}${issued.key.id}_`)).toBe(true);
  });

  it('ends with the CRC-32 of all before it, in base 62', async () => {
    const { text } = await setUp();
    const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
    const value = [...text.slice(-6)].reduce((sum, digit) => sum * 62 + digits.indexOf(digit), 0);
    expect(value).toBe(crc32(text.slice(0, -6)));
  });

  it('is another one each time, evenly of all its characters', async () => {
    const memory = memoryStore();
    const keys = keyRing({ store: memory });
    const texts = await Promise.all(
      Array.from({ length: 200 }, async () => (await keys.create({ service: 's' })).reveal()),
    );
    expect(new Set(texts).size).toBe(200);
    const counts = new Map<string, number>();
    for (const text of texts) for (const one of text.slice(21, 53)) counts.set(one, (counts.get(one) ?? 0) + 1);
    // 103 of each are expected; none is as rare or as frequent as this by chance.
    expect(counts.size).toBe(62);
    for (const count of counts.values()) expect(count > 45 && count < 180).toBe(true);
  });

  it('with any one character changed is refused before anything is looked up', async () => {
    const { keys, text, lookUps } = await setUp();
    const before = lookUps();
    for (let at = 0; at < text.length; at++) {
      for (const other of ['a', 'Z', '0', '_', ' ', '\n', 'ü', '\u0000']) {
        if (other === text[at]) continue;
        const changed = text.slice(0, at) + other + text.slice(at + 1);
        expect(keys.verify(changed)).toMatchObject({ key: undefined, refused: 'unauthenticated' });
      }
    }
    expect(lookUps()).toBe(before);
    expect(keys.verify(text)).toMatchObject({ key: { service: 'search' } });
  });

  it('of any other kind is refused at once, before anything is looked up', async () => {
    const { keys, text, lookUps } = await setUp();
    const before = lookUps();
    const hostile = fc.constantFrom(
      '',
      'tg_live_',
      '__proto__',
      'constructor',
      'toString',
      `${text}\n`,
      ` ${text}`,
      `${text}${text}`,
      text.toUpperCase(),
      'tg_live_'.repeat(100_000),
      '\r\nSET x 1\r\n',
    );
    const near = fc.tuple(
      fc.constantFrom('tg_live_', 'tg_test_', 'sk_live_'),
      fc.string({ minLength: 51, maxLength: 51 }),
    );
    const texts = fc.oneof(
      hostile,
      fc.string({ unit: 'binary' }),
      near.map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(texts, (one) => {
        expect(keys.verify(one)).toMatchObject({ key: undefined, refused: 'unauthenticated', why: 'malformed' });
      }),
      { numRuns: 1_000 },
    );
    expect(lookUps()).toBe(before);
  });

  it.each([[undefined], [null], [5], [{}], [['a', 'b']]])('that is %p is none', async (nonsense) => {
    const { keys } = await setUp();
    expect(keys.verify(nonsense as never)).toMatchObject({ refused: 'unauthenticated' });
  });
});
