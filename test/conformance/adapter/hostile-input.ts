/**
 * What an attacker may send: it is answered, costs nobody else anything, and leaks nothing. Each test has a neighbour,
 * whose counters must not move.
 */
import { type Subject, slidingWindow, tokenBucket } from '@tollgate/core';
import { recordWarnings } from '../../helpers/http-warnings.js';
import type { Annotation } from './harness.js';
import { as, type Bench, byHeader, costing, type Open, ok } from './workbench.js';

const user = slidingWindow({ name: 'user', by: 'user', limit: 10, window: '1m' });
const global = slidingWindow({ name: 'global', limit: 1000, window: '1m' });
const neighbour = { user: 'neighbour', tenant: 'neighbours' };
const routes = [{ path: '/', toll: byHeader, handler: ok }];

const PROTOTYPE_NAMES = ['__proto__', 'constructor', 'hasOwnProperty', 'toString', 'valueOf', 'prototype'];

export function hostileInputContract(open: Open): void {
  recordWarnings();

  /** Charges the neighbour 7 of its 10, and sees in the end that it is still 7. */
  async function withNeighbour(bench: Bench, attack: () => Promise<void>): Promise<void> {
    await bench.send('/', costing(7, neighbour));
    await attack();
    expect(await bench.used('user', neighbour)).toBe(7);
    expect((await bench.send('/', costing(4, neighbour))).status).toBe(429);
    expect((await bench.send('/', costing(3, neighbour))).status).toBe(200);
  }

  test.each(PROTOTYPE_NAMES)('a user named %s is a user like any other', async (name) => {
    const bench = await open({ limits: [user, global], routes });
    await withNeighbour(bench, async () => {
      expect((await bench.send('/', costing(6, { user: name }))).status).toBe(200);
      const refused = await bench.send('/', costing(6, { user: name }));
      expect(refused.status).toBe(429);
      expect(JSON.parse(refused.text).detail).toMatch(/^You have used 6 of the 10 permits/);
    });
    expect(await bench.used('user', { user: 'somebody' })).toBe(0);
  });

  test.each(PROTOTYPE_NAMES)(
    'a plan, tier or feature named %s is unknown: an error, and charged nothing',
    async (name) => {
      const plans = { free: 10 };
      const named = (value: 'tier' | 'feature'): Annotation => ({
        tier: 'small',
        [value]: (req: { headers: Record<string, unknown> }) => req.headers['x-name'],
      });
      const bench = await open({
        limits: [slidingWindow({ name: 'user', by: 'user', limit: plans, window: '1m' })],
        features: ['chat'],
        routes: [
          { path: '/plan', toll: byHeader, handler: ok },
          { path: '/tier', toll: named('tier'), handler: ok },
          { path: '/feature', toll: named('feature'), handler: ok },
        ],
      });
      const eve = { user: 'eve', plan: 'free' };
      await bench.send('/plan', costing(1, { ...eve, plan: name }));
      for (const path of ['/tier', '/feature']) await bench.send(path, { headers: { ...as(eve), 'x-name': name } });
      expect(bench.errors).toMatchObject([
        { code: 'TOLLGATE_UNKNOWN_PLAN' },
        { code: 'TOLLGATE_UNKNOWN_TIER' },
        { code: 'TOLLGATE_UNKNOWN_FEATURE' },
      ]);
      expect(await bench.used('user', eve)).toBe(0);
    },
  );

  test.each(PROTOTYPE_NAMES)('a feature or model named %s is counted by itself where any is allowed', async (name) => {
    const { send, gate } = await open({
      limits: [slidingWindow({ name: 'both', by: ['feature', 'model'], limit: 5, window: '1m' })],
      routes: [{ path: '/', toll: { tier: 'small', feature: () => name, model: () => name }, handler: ok }],
    });
    expect((await send('/')).status).toBe(200);
    expect((await gate.inspect({}, { feature: name, model: name })).limits[0].used).toBe(1);
    expect((await gate.inspect({}, { feature: name, model: 'other' })).limits[0].used).toBe(0);
  });

  describe('permits', () => {
    test.each(['NaN', '-1', '-0.5', 'Infinity', '-Infinity', '9007199254740992', '1e300', 'abc'])(
      'of %s are an error: nothing is charged, given back or counted',
      async (permits) => {
        const bench = await open({ limits: [user, global], routes });
        await withNeighbour(bench, async () => {
          await bench.send('/', costing(5, { user: 'eve' }));
          expect((await bench.send('/', costing(permits, { user: 'eve' }))).status).toBe(500);
          expect(bench.errors).toMatchObject([{ code: 'TOLLGATE_REQUEST_INVALID' }]);
          expect(await bench.used('user', { user: 'eve' })).toBe(5);
          expect(await bench.used('global')).toBe(12);
        });
      },
    );

    test('of the greatest number there is are too costly, and nothing overflows', async () => {
      const bucket = tokenBucket({ name: 'bucket', by: 'user', capacity: 10, refill: '1/s' });
      const bench = await open({ limits: [user, bucket, global], routes });
      await withNeighbour(bench, async () => {
        const reply = await bench.send('/', costing(Number.MAX_SAFE_INTEGER, { user: 'eve' }));
        expect(reply.status).toBe(422);
        expect(await bench.used('user', { user: 'eve' })).toBe(0);
      });
    });

    test('of nothing at all are free, and let past no other limit', async () => {
      const calls = slidingWindow({ name: 'calls', by: 'user', unit: 'requests', limit: 2, window: '1m' });
      const { send } = await open({ limits: [user, calls], routes });
      const statuses = [];
      for (let i = 0; i < 3; i++) statuses.push((await send('/', costing(0, { user: 'eve' }))).status);
      expect(statuses).toEqual([200, 200, 429]);
    });

    test.each([
      ['a list', ['5']],
      ['an object', { valueOf: () => -5 }],
      ['a string', '-5'],
      ['null', null],
      ['a bigint', 5n],
      ['true', true],
    ])('that are %s are an error, or what the tier costs', async (_, permits) => {
      const bench = await open({
        limits: [user],
        routes: [{ path: '/', toll: { tier: 'small', permits: () => permits as never }, handler: ok }],
      });
      const { status } = await bench.send('/', { headers: as({ user: 'eve' }) });
      expect([status, await bench.used('user', { user: 'eve' })]).toEqual(permits === null ? [200, 1] : [500, 0]);
    });
  });

  test.each([
    ['NaN', { inputTokens: Number.NaN }],
    ['negative', { outputTokens: -100 }],
    ['infinite', { inputTokens: Number.POSITIVE_INFINITY }],
    ['text', { inputTokens: '5' }],
  ])('estimates that are %s are an error, and charge nothing', async (_, estimate) => {
    const tokens = slidingWindow({ name: 'tokens', by: 'user', unit: 'tokens', limit: 10, window: '1m' });
    const bench = await open({
      limits: [user, tokens],
      routes: [{ path: '/', toll: { tier: 'small', estimate: () => estimate as never }, handler: ok }],
    });
    expect((await bench.send('/', { headers: as({ user: 'eve' }) })).status).toBe(500);
    expect(await bench.used('user', { user: 'eve' })).toBe(0);
    expect(await bench.used('tokens', { user: 'eve' })).toBe(0);
  });

  describe('names', () => {
    const long = 'x'.repeat(100_000);
    const byHeaderValue = {
      identify: (req: { headers: Record<string, unknown> }): Subject => ({ user: req.headers['x-user'] as string }),
    };

    test('of 100 KB are counted each by itself, and appear in no answer', async () => {
      const bench = await open({ limits: [user], routes, options: byHeaderValue });
      const ask = (name: string, permits: number) =>
        bench.send('/', { headers: { 'x-user': name, 'x-permits': String(permits) } });
      expect((await ask(`${long}a`, 8)).status).toBe(200);
      expect((await ask(`${long}b`, 8)).status).toBe(200);
      const refused = await ask(`${long}a`, 8);
      expect(refused.status).toBe(429);
      expect(refused.text.length).toBeLessThan(1000);
      expect(JSON.stringify(refused.headers)).not.toContain('xxxx');
      expect(await bench.used('user', { user: `${long}a` })).toBe(8);
    });

    test('sent twice are neither of the two', async () => {
      const bench = await open({ limits: [user], routes, options: byHeaderValue });
      const as = (...names: string[]) => ({ headers: { 'x-user': names, 'x-permits': '7' } });
      await bench.send('/', as('neighbour'));
      await bench.send('/', as('neighbour', 'neighbour'));
      await bench.send('/', as('eve', 'neighbour'));
      expect(await bench.used('user', neighbour)).toBe(7);
      expect(await bench.used('user', { user: 'eve' })).toBe(0);
    });

    const STRANGE: [string, string][] = [
      ['NUL', 'neighbour\0'],
      ['NUL in front', '\0neighbour'],
      ['a separator', 'neighbour:neighbours'],
      ['a line break', 'neighbour\r\nRetry-After: 0'],
      ['JSON', '{"user":"neighbour"}'],
      ['a list’s text', 'neighbour,'],
      ['a space', 'neighbour '],
      ['other case', 'Neighbour'],
      ['a lone surrogate', 'neighbour\ud800'],
      ['another lone surrogate', 'neighbour\udfff'],
      ['the replacement character', 'neighbour\ufffd'],
      ['an emoji', 'neighbour👩‍👩‍👧'],
      ['a combining accent', 'ne\u0301ighbour'],
      ['a right-to-left mark', '\u202eneighbour'],
      ['undefined in letters', 'undefined'],
      ['null in letters', 'null'],
    ];

    test('that are strange are each their own, and nobody else’s', async () => {
      const bench = await open({
        limits: [user, slidingWindow({ name: 'pair', by: ['tenant', 'user'], limit: 10, window: '1m' })],
        routes,
      });
      await withNeighbour(bench, async () => {
        for (const [what, name] of STRANGE) {
          const reply = await bench.send('/', costing(6, { user: name }));
          expect([what, reply.status]).toEqual([what, 200]);
        }
        for (const [what, name] of STRANGE) {
          const reply = await bench.send('/', costing(6, { user: name }));
          expect([what, reply.status]).toEqual([what, 429]);
          expect(JSON.parse(reply.text)).toHaveProperty('retryAfter', Number(reply.headers['retry-after']));
          expect(await bench.used('user', { user: name })).toBe(6);
        }
      });
    });

    test('can’t be split over two dimensions to meet in one key', async () => {
      const pair = slidingWindow({ name: 'pair', by: ['tenant', 'user'], limit: 10, window: '1m' });
      const { send } = await open({ limits: [pair], routes });
      const subjects = ['', '\0', ':', ',', '|', '","'].flatMap((separator) => [
        { tenant: `a${separator}b`, user: 'c' },
        { tenant: 'a', user: `b${separator}c` },
      ]);
      for (const subject of subjects)
        expect([subject, (await send('/', costing(10, subject))).status]).toEqual([subject, 200]);
    });

    test.each([
      ['a list', ['neighbour', 'eve']],
      ['an object', { $ne: 'neighbour' }],
      ['an object that poses as a name', { toString: 'neighbour', length: 9 }],
      ['a boolean', true],
    ])('that are %s are an error, and nobody is charged', async (_, name) => {
      const bench = await open({ limits: [user, global], routes });
      await withNeighbour(bench, async () => {
        expect(await bench.send('/', costing(1, { user: name }))).toMatchObject({ status: 500, text: 'app error' });
        expect(await bench.used('global')).toBe(7);
      });
    });
  });

  test('a refusal tells nothing of others: neither their figures nor the code behind', async () => {
    const shared = slidingWindow({ name: 'shared', limit: 777, window: '1m' });
    const { send } = await open({ limits: [shared], routes });
    await send('/', costing(770, neighbour));
    const { status, text, headers } = await send('/', costing(8, { user: 'eve' }));
    expect(status).toBe(429);
    expect(text + JSON.stringify(headers)).not.toMatch(/neighbour|77[07]|\.ts|\.js|node_modules|at /);
  });
}
