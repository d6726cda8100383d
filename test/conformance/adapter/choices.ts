/** What clients choose, by functions of the request: where it is wrong it is their error, and where the app is wrong it is not. */
import { budget, type Subject, slidingWindow, type TollgateError } from '@tollgate/core';
import { recordWarnings } from '../../helpers/http-warnings.js';
import type { Annotation, Asked } from './harness.js';
import { as, type Open, ok } from './workbench.js';

const price = { input: '$10/M', output: '$10/M' } as const;
const config = {
  features: ['chat', 'inside'],
  tiers: { small: 1, hidden: 30 },
  limits: [slidingWindow({ name: 'user', by: 'user', limit: 100, window: '1m' })],
  budgets: [budget({ name: 'spend', by: 'user', limit: '$5', per: 'day' })],
  ladders: [
    ['secret-best', 'secret-fair'],
    ['other-best', 'other-fair'],
  ],
  prices: { 'secret-best': price, 'secret-fair': price, 'other-best': price, 'other-fair': price },
  queue: { concurrency: 5 },
};
const ask: Annotation = { tier: 'small', model: 'secret-best', estimate: { inputTokens: 10, outputTokens: 10 } };
const ann = { headers: as({ user: 'ann' }) };

/** What a function of the request makes of the body. */
const chosen = ({ body }: Asked) => (body as { chosen?: unknown }).chosen as never;

const NAMES_OF_OTHERS = /hidden|inside|secret|other-fair/;

export function choiceContract(open: Open): void {
  recordWarnings();

  async function choose(toll: Annotation, body: unknown) {
    let handled = 0;
    const handler = () => ({ body: String(++handled) });
    const bench = await open({ ...config, routes: [{ method: 'POST', path: '/', toll, handler }] });
    const reply = await bench.send('/', { ...ann, body: JSON.stringify(body) });
    const used = [await bench.used('user', { user: 'ann' }), await bench.used('spend', { user: 'ann' })];
    return { reply, used, handled, errors: bench.errors as TollgateError[] };
  }

  describe('that is wrong is answered 400, by the framework, and charges nothing:', () => {
    test.each<[string, Annotation, unknown, string, string]>([
      ['a model', { ...ask, model: chosen }, 'gpt-9', 'TOLLGATE_UNKNOWN_MODEL', "model: got 'gpt-9'; expected a name"],
      [
        'no model',
        { ...ask, model: chosen },
        undefined,
        'TOLLGATE_UNKNOWN_MODEL',
        'model: got undefined; expected a n',
      ],
      ['a list', { ...ask, model: chosen }, ['m'], 'TOLLGATE_REQUEST_INVALID', 'model: got a list; expected a name'],
      ['a floor', { ...ask, floor: chosen }, 'low', 'TOLLGATE_REQUEST_INVALID', "floor: got 'low'; expected a name"],
      [
        'a model of which the floor is not',
        { ...ask, floor: 'secret-best', model: chosen },
        'other-best',
        'TOLLGATE_REQUEST_INVALID',
        "model: got 'other-best'; expected a name",
      ],
    ])('%s', async (_, toll, value, code, message) => {
      const { reply, used, handled, errors } = await choose(toll, { chosen: value });
      expect([reply.status, used, handled]).toEqual([400, [0, 0], 0]);
      expect(errors).toMatchObject([{ code, status: 400, statusCode: 400, expose: true }]);
      const [error] = errors;
      expect(error.message.slice(0, message.length)).toBe(message);
      expect(reply.text + error.message).not.toMatch(NAMES_OF_OTHERS);
      expect(error.cause).toMatchObject({ code });
      expect(error.cause).not.toHaveProperty('status');
    });

    test('what is right in the same place is not', async () => {
      const { reply, handled } = await choose({ ...ask, model: chosen }, { chosen: 'other-best' });
      expect([reply.status, handled]).toEqual([200, 1]);
    });
  });

  describe('is no excuse for what the app has got wrong, which is a 500 and charges nothing:', () => {
    const model = () => 'secret-best';
    const wrong = (value: unknown) => () => value as never;
    const throws = () => {
      throw new TypeError('no such list');
    };
    const anyone = () => ({ user: 'ann' });
    test.each<[string, Annotation, () => Subject, string]>([
      ['a tier', { ...ask, model, tier: wrong('huge') }, anyone, "tier: got 'huge'; expected one of 'small', 'hidden'"],
      ['no tier', { ...ask, tier: wrong(undefined) }, anyone, 'permits: got undefined'],
      ['a feature', { ...ask, feature: wrong('x') }, anyone, "feature: got 'x'; expected one of 'chat', 'inside'"],
      ['a preference', { ...ask, degrade: wrong('no') }, anyone, "degrade: got 'no'"],
      ['permits', { ...ask, permits: wrong(Number.NaN) }, anyone, 'permits: got NaN'],
      ['an estimate', { ...ask, estimate: wrong({ inputTokens: -1 }) }, anyone, 'estimate.inputTokens: got -1'],
      ['dollars', { ...ask, usd: wrong('-$1') }, anyone, "usd: got '-$1'"],
      ['a priority', { ...ask, priority: wrong('now') }, anyone, "priority: got 'now'"],
      ['a wait', { ...ask, maxWait: wrong('soon') }, anyone, "maxWait: got 'soon'"],
      ['what if shed', { ...ask, whenShed: wrong('x') }, anyone, "whenShed: got 'x'"],
      ['a model of the annotation', { ...ask, model: 'gpt-9', priority: () => 'batch' }, anyone, "model: got 'gpt-9'"],
      ['a floor of the annotation', { ...ask, floor: 'low', priority: () => 'batch' }, anyone, "floor: got 'low'"],
      [
        'a floor of the annotation, where the model is chosen',
        { ...ask, floor: 'low', model },
        anyone,
        "floor: got 'low'",
      ],
      ['a function that throws', { ...ask, model, feature: throws }, anyone, 'no such list'],
      ['a subject', { ...ask, model }, () => ({ user: {} }) as Subject, 'user: got an object'],
      [
        'a subject’s floor',
        { ...ask, model, floor: model },
        () => ({ user: 'ann', floor: 'low' }),
        "subject.floor: got 'low'",
      ],
    ])('%s', async (_, toll, identify, message) => {
      const { send, errors, used } = await open({
        ...config,
        options: { identify },
        routes: [{ path: '/', toll, handler: ok }],
      });
      expect(await send('/')).toMatchObject({ status: 500, text: 'app error' });
      expect(errors).toMatchObject([{ message: expect.stringContaining(message) }]);
      for (const field of ['status', 'statusCode', 'expose']) expect(errors[0]).not.toHaveProperty(field);
      expect([await used('user', { user: 'ann' }), await used('spend', { user: 'ann' })]).toEqual([0, 0]);
    });

    test('but where a function throws an error that bears a status, that is the answer', async () => {
      const permits = () => {
        throw Object.assign(new Error('pages: a number'), { status: 422, statusCode: 422, expose: true });
      };
      const bench = await open({ ...config, routes: [{ path: '/', toll: { ...ask, permits }, handler: ok }] });
      expect((await bench.send('/', ann)).status).toBe(422);
      expect(await bench.used('user', { user: 'ann' })).toBe(0);
    });
  });
}
