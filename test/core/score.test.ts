import { ageingField, evenAgeing, scoreOf } from '../../packages/core/src/line/score.js';
import { check } from '../../packages/core/src/schema.js';

const MINUTE = 60_000;

const read = (ageing: unknown) => check(ageingField, ageing);

describe('config', () => {
  test('is how long batch takes to catch up with interactive, standard half of that, background half as much more', () => {
    const even = { interactive: 0, standard: MINUTE, batch: 2 * MINUTE, background: 3 * MINUTE };
    expect(read('2m')).toEqual(even);
    expect(read(120_000)).toEqual(even);
    expect(read(undefined)).toEqual(evenAgeing(5 * MINUTE));
  });

  test('is given for each priority, ascending', () => {
    expect(read({ standard: '10s', batch: '1m', background: '1h' })).toEqual({
      interactive: 0,
      standard: 10_000,
      batch: MINUTE,
      background: 60 * MINUTE,
    });
    expect(read({ standard: '1m', batch: '1m', background: '1m' })).toMatchObject({
      standard: MINUTE,
      background: MINUTE,
    });
  });

  test.each([
    ['soon', 'config', "'soon'"],
    [0, 'config', '0'],
    [-5, 'config', '-5'],
    ['0m', 'config', "'0m'"],
    [null, 'config', 'null'],
    [['5m'], 'config', 'a list'],
    [{ standard: '1m', batch: 'x', background: '5m' }, 'batch', "'x'"],
    [{ standard: '1m', background: '5m' }, 'batch', 'undefined'],
    [{ standard: '2m', batch: '1m', background: '5m' }, 'batch', "'1m'"],
    [{ standard: '1m', batch: '3m', background: '2m' }, 'background', "'2m'"],
    [{ interactive: '1m', standard: '1m', batch: '3m', background: '5m' }, 'interactive', "'1m'"],
  ])('that is wrong says where and what: %j', (given, path, value) => {
    expect(() => read(given)).toThrow(`${path}: got ${value}; expected`);
  });

  test('orders by how long each has waited, less how far it is behind', () => {
    const ageing = evenAgeing(10 * MINUTE);
    const now = Date.UTC(2026, 0, 1);
    expect(scoreOf(ageing, 'batch', now)).toBe(scoreOf(ageing, 'interactive', now + 10 * MINUTE));
    expect(scoreOf(ageing, 'background', now)).toBe(scoreOf(ageing, 'standard', now + 10 * MINUTE));
    expect(scoreOf(ageing, 'interactive', now)).toBeLessThan(scoreOf(ageing, 'standard', now));
  });
});
