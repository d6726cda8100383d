/** Budgets in dollars: what a client is told of its own and of others', and that nobody spends more than there is. */
import { type Budget, budget } from '@tollgate/core';
import { deferred } from '../../helpers/http-server.js';
import { parseList } from '../../helpers/http-structured-fields.js';
import { budgetBodyContract } from './budgets-bodies.js';
import { budgetEndingContract } from './budgets-endings.js';
import { budgetModelContract } from './budgets-models.js';
import type { Annotation } from './harness.js';
import { as, type BenchSpec, type Open, ok, problemOf } from './workbench.js';

const user = budget({ name: 'user', by: 'user', limit: '$5', per: 'day' });
const shared = budget({ name: 'shared', limit: '$7', per: 'day' });
const prices = { opus: { input: '$10/M', output: '$10/M' } } as const;
const ann = { headers: as({ user: 'ann' }) };

/** $3. */
const toll: Annotation = { tier: 'small', model: 'opus', estimate: { inputTokens: 100_000, outputTokens: 200_000 } };
const THREE = 3e9;

export function budgetContract(open: Open): void {
  const openWith = (budgets: readonly Budget[], more: Partial<BenchSpec> = {}) =>
    open({ budgets, prices, routes: [{ path: '/', toll, handler: ok }], ...more });

  describe('a refusal', () => {
    test.each([402, 429] as const)(
      'is a %i that SDKs don’t retry, and says when to come back',
      async (budgetStatus) => {
        const { send, used, clock } = await openWith([user], { budgetStatus });
        await send('/', ann);
        const reply = await send('/', ann);
        expect(reply.status).toBe(budgetStatus);
        expect(reply.headers['content-type']).toBe('application/problem+json');
        expect(reply.headers['x-should-retry']).toBe('false');
        expect(reply.headers).not.toHaveProperty('retry-after');
        expect(problemOf(reply)).toEqual({
          type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
          title: 'Budget exhausted',
          status: budgetStatus,
          detail:
            "You have spent $3 of the $5 that the budget 'user' allows; this request may cost $3. " +
            'It is renewed at 2026-01-02 00:00 UTC, in 24 hours.',
          instance: expect.stringMatching(/^urn:tollgate:./),
          layer: 'user',
          'violated-policies': ['user'],
          resetsAt: '2026-01-02T00:00:00.000Z',
        });
        expect(await used('user', { user: 'ann' })).toBe(THREE);
        clock.set(Date.parse('2026-01-02T00:00:00Z') - 1);
        expect((await send('/', ann)).status).toBe(budgetStatus);
        clock.set(Date.parse(problemOf(reply).resetsAt as string));
        expect((await send('/', ann)).status).toBe(200);
      },
    );

    test('by what others spend too has no figures, wherever one looks', async () => {
      const { send } = await openWith([shared]);
      for (let i = 0; i < 2; i++) expect((await send('/', ann)).headers).not.toHaveProperty('ratelimit');
      const { status, text, headers } = await send('/', ann);
      expect(status).toBe(402);
      expect(JSON.parse(text)).toMatchObject({
        layer: 'shared',
        detail:
          "The budget 'shared', which you share with others, is exhausted. " +
          'It is renewed at 2026-01-02 00:00 UTC, in 24 hours.',
      });
      expect(text).not.toMatch(/\$|[3-9]000/);
      expect(headers).not.toHaveProperty('ratelimit');
      expect(headers).not.toHaveProperty('ratelimit-policy');
    });

    test.each([
      ['their own', user, "This request may cost $6; the budget 'user' never allows more than $5."],
      ['a shared', { ...shared, limit: '$5' }, "This request may cost more than the budget 'shared' can ever allow."],
    ] as const)('of what costs more than %s budget ever allows is a 422', async (_, layer, detail) => {
      const dear: Annotation = { ...toll, usd: '$6' };
      const { send } = await openWith([layer], { routes: [{ path: '/', toll: dear, handler: ok }] });
      const reply = await send('/', ann);
      expect(problemOf(reply)).toMatchObject({ status: 422, detail });
      expect(problemOf(reply)).not.toHaveProperty('resetsAt');
      expect(reply.headers).toMatchObject({ 'x-should-retry': 'false' });
    });

    test('by one of two budgets leaves the other one as it was', async () => {
      const { send, used } = await openWith([user, shared]);
      for (const name of ['ann', 'ann', 'bob']) await send('/', { headers: as({ user: name }) });
      expect(problemOf(await send('/', { headers: as({ user: 'cid' }) }))).toMatchObject({ layer: 'shared' });
      const spent = [];
      for (const user of ['ann', 'bob', 'cid']) spent.push(await used('user', { user }));
      expect([...spent, await used('shared')]).toEqual([THREE, THREE, 0, 2 * THREE]);
    });
  });

  describe('RateLimit', () => {
    test('carries the caller’s own budget in whole microdollars, admitted or refused, and none that is shared', async () => {
      const cents: Annotation = { ...toll, usd: '$2.000000001' };
      const { send, clock } = await openWith([user, shared], { routes: [{ path: '/', toll: cents, handler: ok }] });
      clock.advance(3_600_000);
      for (const [status, left] of [
        [200, 2_999_999],
        [200, 999_999],
        [402, 999_999],
      ]) {
        const reply = await send('/', ann);
        expect(reply.status).toBe(status);
        expect(parseList(String(reply.headers['ratelimit-policy']))).toEqual([
          { value: 'user', params: { q: 5_000_000, qu: 'tollgate-microdollars', w: 86_400 } },
        ]);
        expect(parseList(String(reply.headers.ratelimit))).toEqual([{ value: 'user', params: { r: left, t: 82_800 } }]);
      }
    });

    test('in the older fields, too', async () => {
      const { send } = await openWith([user], { options: { headers: 'legacy' } });
      expect((await send('/', ann)).headers).toMatchObject({
        'x-ratelimit-limit': '5000000',
        'x-ratelimit-remaining': '2000000',
        'x-ratelimit-reset': '86400',
      });
    });
  });

  test('of requests that come at once, no more are served than the budget has room for', async () => {
    const all = deferred();
    let asked = 0;
    const together: Annotation = {
      ...toll,
      feature: async () => {
        if (++asked === 8) all.resolve();
        await all.promise;
        return undefined;
      },
    };
    const { send, used } = await openWith([user], { routes: [{ path: '/', toll: together, handler: ok }] });
    const replies = await Promise.all(Array.from({ length: 8 }, () => send('/', ann)));
    expect(replies.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(402)]);
    expect(await used('user', { user: 'ann' })).toBe(THREE);
  });

  describe('models', () => budgetModelContract(open));
  describe('bodies', () => budgetBodyContract(open));
  describe('what was spent in the end', () => budgetEndingContract(open));
}
