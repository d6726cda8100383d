/** Which model serves a request: the one asked for, the next of its ladder, or none. */
import { budget } from '@tollgate/core';
import type { Annotation, Asked, Call } from './harness.js';
import { as, type Bench, type BenchSpec, type Open, ok } from './workbench.js';

/** A thousand tokens cost a cent with the best model, half of that with the next, a tenth with the last. */
const prices = {
  best: { input: '$10/M', output: '$10/M' },
  fair: { input: '$5/M', output: '$5/M' },
  cheap: { input: '$1/M', output: '$1/M' },
  alone: { input: '$10/M', output: '$10/M' },
} as const;
const ladders = [['best', 'fair', 'cheap']] as const;

/** Two thousand tokens: 20, 10 or 2 thousandths. */
const estimate = { inputTokens: 1000, outputTokens: 1000 };
const ask = { tier: 'small', model: 'best', estimate } as const;
const user = budget({ name: 'user', by: 'user', limit: '$0.052', per: 'day', degradeAt: [0.5, 0.97] });

const tell = ({ admission }: Call) => ({ body: JSON.stringify([admission?.model, admission?.degraded]) });
const ofHeader = (name: string) => (req: Asked) => req.headers[name] as string | undefined;

export function budgetModelContract(open: Open): void {
  const openWith = (toll: Annotation, more: Partial<BenchSpec> = {}) =>
    open({ budgets: [user], prices, ladders, routes: [{ path: '/', toll, handler: tell }], ...more });

  /** Who serves, as the header says and as the handler sees; or the status of the refusal. */
  async function servedBy(send: Bench['send'], subject: object = {}, headers = {}) {
    const reply = await send('/', { headers: { ...as({ user: 'ann', ...subject }), ...headers } });
    if (reply.status !== 200) return [reply.status, reply.headers['tollgate-model']];
    return [reply.headers['tollgate-model'], ...JSON.parse(reply.text)];
  }

  test('the best one is named too, then each in its turn, and at last there is none', async () => {
    const { send, used } = await openWith(ask);
    const served = [];
    for (let i = 0; i < 6; i++) served.push(await servedBy(send));
    expect(served).toEqual([
      ['best', 'best', false],
      ...Array(3).fill(['fair', 'fair', true]),
      ['cheap', 'cheap', true],
      [402, undefined],
    ]);
    expect(await used('user', { user: 'ann' })).toBe(52e6);
  });

  test.each([
    ['in no ladder', { ...ask, model: 'alone' }, 'alone'],
    ['not given', { tier: 'small' }, null],
  ] as const)('one that is %s is named in no header', async (_, toll, model) => {
    const { send } = await openWith(toll);
    expect(await servedBy(send)).toEqual([undefined, model, false]);
  });

  test('where there are no ladders, no header names a model', async () => {
    const { send } = await openWith(ask, { ladders: [] });
    expect(await servedBy(send)).toEqual([undefined, 'best', false]);
  });

  test.each(['модель', 'line\nbreak', 'trailing '])(
    '%j stands in no ladder, since no header can name it',
    async (model) => {
      await expect(openWith(ask, { ladders: [['best', model]] })).rejects.toMatchObject({
        code: 'TOLLGATE_CONFIG_INVALID',
        problems: [{ path: 'ladders[0][1]', value: model }],
      });
    },
  );

  test('of a refused request none is named', async () => {
    const { send } = await openWith({ ...ask, usd: '$0.052' });
    expect(await servedBy(send)).toEqual(['cheap', 'cheap', true]);
    expect(await servedBy(send)).toEqual([402, undefined]);
  });

  test('a request that moves on to a model of no ladder, to none, or to a refusal, is not told of the first one', async () => {
    const alone = { ...ask, model: 'alone' } as const;
    const routes = [
      { path: '/', earlierToll: ask, toll: alone, handler: tell },
      { path: '/free', earlierToll: ask, toll: 'free', handler: ok },
      { path: '/refused', earlierToll: ask, toll: { ...alone, usd: '$0.05' }, handler: ok },
    ] as const;
    const { send } = await openWith(ask, { routes });
    expect(await servedBy(send)).toEqual([undefined, 'alone', false]);
    for (const [path, status] of [
      ['/free', 200],
      ['/refused', 402],
    ] as const) {
      const reply = await send(path, { headers: as({ user: 'ann' }) });
      expect([reply.status, reply.headers['tollgate-model']]).toEqual([status, undefined]);
    }
  });

  test.each<[string, Annotation, object]>([
    ['floor', { ...ask, floor: 'fair' }, {}],
    ['floor as a function', { ...ask, floor: ofHeader('x-floor') }, { 'x-floor': 'fair' }],
    ['subject’s floor', ask, { floor: 'fair' }],
  ])('below the %s none is used', async (_, toll, given) => {
    const { send } = await openWith(toll, { budgets: [{ ...user, limit: '$0.039' }] });
    const [subject, headers] = 'floor' in given ? [given, {}] : [{}, given];
    const served = [];
    for (let i = 0; i < 4; i++) served.push(await servedBy(send, subject, headers));
    expect(served).toEqual([
      ['fair', 'fair', true],
      ['fair', 'fair', true],
      ['fair', 'fair', true],
      [402, undefined],
    ]);
  });

  test('a floor that is not in the ladder is an error, and charges nothing', async () => {
    const { send, used, errors } = await openWith({ ...ask, floor: ofHeader('x-floor') });
    expect(await servedBy(send, {}, { 'x-floor': 'alone' })).toEqual([400, undefined]);
    expect(errors).toMatchObject([{ code: 'TOLLGATE_REQUEST_INVALID', message: expect.stringContaining("'alone'") }]);
    expect(await used('user', { user: 'ann' })).toBe(0);
  });

  test.each<[string, Annotation, object]>([
    ['degrade: false', { ...ask, degrade: false }, {}],
    ['degrade as a function', { ...ask, degrade: (req) => req.headers['x-degrade'] !== 'no' }, { 'x-degrade': 'no' }],
    ['degrade: false of the subject', ask, { degrade: false }],
  ])('with %s it is the one asked for or none', async (_, toll, given) => {
    const { send } = await openWith(toll, { budgets: [{ ...user, limit: '$0.049' }] });
    const [subject, headers] = 'degrade' in given ? [given, {}] : [{}, given];
    const served = [];
    for (let i = 0; i < 3; i++) served.push(await servedBy(send, subject, headers));
    expect(served).toEqual([
      ['best', 'best', false],
      ['best', 'best', false],
      [402, undefined],
    ]);
  });

  describe('that clients choose', () => {
    const bare: Annotation = { tier: 'small', model: (req) => (req.body as { model: string }).model };
    const chosen: Annotation = { ...bare, estimate };
    const routes = [{ method: 'POST', path: '/', toll: chosen, handler: tell }] as const;
    const post = (model: unknown) => ({ headers: as({ user: 'ann' }), body: JSON.stringify({ model }) });

    test('are read from the body', async () => {
      const { send, used } = await openWith(chosen, { routes });
      expect(JSON.parse((await send('/', post('alone'))).text)).toEqual(['alone', false]);
      expect(JSON.parse((await send('/', post('fair'))).text)).toEqual(['fair', false]);
      expect(await used('user', { user: 'ann' })).toBe(30e6);
    });

    test.each([
      ['unknown', 'gpt-unknown'],
      ['__proto__', '__proto__'],
      ['constructor', 'constructor'],
      ['empty', ''],
      ['100 KB long', 'x'.repeat(100_000)],
      ['a list with a name', ['best']],
      ['an object', { toString: 'best', best: 1 }],
      ['a number', 5],
      ['missing', undefined],
    ])('and are %s are an error of theirs, and charge nothing', async (_, model) => {
      const calls = budget({ name: 'each', by: ['user', 'model'], limit: '$5', per: 'day' });
      const { send, used, errors, settlements } = await openWith(chosen, { routes, budgets: [user, calls] });
      expect((await send('/', post(model))).status).toBe(400);
      expect(errors).toMatchObject([{ name: 'TollgateError', message: expect.stringMatching(/^model: .{1,400}$/) }]);
      expect(await used('user', { user: 'ann' })).toBe(0);
      expect(settlements).toEqual([]);
      expect((await send('/', post('best'))).status).toBe(200);
    });

    test.each([
      ['an object', { toString: 'best' }],
      ['a list', ['best']],
      ['true', true],
      ['a number', 5],
    ])('and are %s are one also where models that are not named have a price', async (_, model) => {
      const { send, used, errors } = await openWith(chosen, { routes, prices: { ...prices, default: prices.best } });
      expect((await send('/', post('anything'))).status).toBe(200);
      expect((await send('/', post(model))).status).toBe(400);
      expect(errors).toMatchObject([{ name: 'TollgateError', message: expect.stringMatching(/^model: /) }]);
      expect(await used('user', { user: 'ann' })).toBe(20e6);
    });

    describe('and are missing, of a body that tells no tokens,', () => {
      const unnamed = (toll: Annotation, more: Partial<BenchSpec> = {}) =>
        openWith(toll, { routes: [{ method: 'POST', path: '/', toll, handler: tell }], ...more });

      test('are an error of theirs, and charge nothing', async () => {
        const { send, used, errors } = await unnamed(bare);
        expect((await send('/', post(undefined))).status).toBe(400);
        expect(errors).toMatchObject([{ code: 'TOLLGATE_UNKNOWN_MODEL', message: expect.stringMatching(/^model: /) }]);
        expect(await used('user', { user: 'ann' })).toBe(0);
        expect((await send('/', post('cheap'))).status).toBe(200);
      });

      test.each<[string, Annotation, Partial<BenchSpec>]>([
        ['the toll says its dollars', { ...bare, usd: '$0' }, {}],
        ['the toll leaves no model to them', { tier: 'small', feature: () => 'chat' }, {}],
        ['what is not named has a price', bare, { prices: { ...prices, default: prices.best } }],
        ['budgets are on trial', bare, { budgets: [{ ...user, mode: 'shadow' }] }],
        ['nothing counts dollars', bare, { budgets: [] }],
      ])('pass where %s', async (_, toll, more) => {
        const { send } = await unnamed(toll, more);
        expect((await send('/', post(undefined))).status).toBe(200);
      });
    });
  });

  test('budgets by model charge the one that serves', async () => {
    const each = budget({ name: 'each', by: 'model', limit: '$0.02', per: 'day' });
    const { send, used } = await openWith(ask, { budgets: [each] });
    expect(await servedBy(send)).toEqual(['best', 'best', false]);
    expect(await servedBy(send)).toEqual(['fair', 'fair', true]);
    expect(await used('each', {}, { model: 'best' })).toBe(20e6);
    expect(await used('each', {}, { model: 'fair' })).toBe(10e6);
  });

  test('what the caller has left decides alone: no layer of others degrades it', async () => {
    const { send } = await openWith(ask);
    await servedBy(send);
    expect(await servedBy(send, { user: 'bob' })).toEqual(['best', 'best', false]);
  });
}
