/** On whose behalf a request comes. Where that can't be told, the request fails: a gate is never open by mistake. */
import { slidingWindow } from '@tollgate/core';
import { recordWarnings } from '../../helpers/http-warnings.js';
import { as, byHeader, costing, type Open, ok, subjectOf } from './workbench.js';

const limits = [slidingWindow({ name: 'user', by: 'user', limit: 100, window: '1m' })];
const ann = { user: 'ann' };
const toll = { tier: 'large' } as const;

export function identityContract(open: Open): void {
  const warnings = recordWarnings();

  test.each([
    ['at once', () => ann],
    ['later', async () => ann],
  ])('identify answers %s', async (_, identify) => {
    const { send, used } = await open({ limits, options: { identify }, routes: [{ path: '/', toll, handler: ok }] });
    expect((await send('/')).status).toBe(200);
    expect(await used('user', ann)).toBe(10);
    expect(await used('user', { user: 'bob' })).toBe(0);
  });

  const fault = new Error('the session store is gone');

  test.each<[string, () => never]>([
    [
      'throws',
      () => {
        throw fault;
      },
    ],
    ['rejects', () => Promise.reject(fault) as never],
    ['rejects with nothing', () => Promise.reject() as never],
    ['rejects with null', () => Promise.reject(null) as never],
    ['rejects with 0', () => Promise.reject(0) as never],
    ["rejects with ''", () => Promise.reject('') as never],
    ["rejects with 'route'", () => Promise.reject('route') as never],
    ["rejects with 'router'", () => Promise.reject('router') as never],
  ])('identify that %s never opens the gate: nothing is charged, the handler is not reached', async (_, identify) => {
    let handled = 0;
    const handler = () => ({ body: String(++handled) });
    const routes = [
      { path: '/paid', toll, handler },
      { path: '/default', handler },
    ];
    for (const options of [{ identify }, { identify, defaultTier: 'small' as const }]) {
      const { send, gate, errors } = await open({ limits, options, routes });
      const admitted: string[] = [];
      gate.on('admitted', ({ id }) => admitted.push(id));
      expect((await send('/paid')).status).toBe(500);
      expect(admitted).toEqual([]);
      expect(errors).toHaveLength(1);
    }
    expect(handled).toBe(0);
  });

  test('the error that identify throws is the one that the app gets', async () => {
    const identify = () => Promise.reject(fault);
    const { send, errors } = await open({ limits, options: { identify }, routes: [{ path: '/', toll, handler: ok }] });
    expect(await send('/')).toMatchObject({ status: 500, text: 'app error' });
    expect(errors).toEqual([fault]);
  });

  test.each([
    ['a string', 'ann'],
    ['a number', 7],
    ['true', true],
    ['null', null],
    ['a function', () => ann],
    ['a list', ['ann']],
    ['a user that is a list', { user: ['ann'] }],
    ['a user that is an object', { user: { id: 'ann' } }],
    ['a user that is a boolean', { user: true }],
    ['a user that is a symbol', { user: Symbol('ann') }],
  ])('identify that returns %s is the app’s error, and charges nobody', async (_, nonsense) => {
    let handled = 0;
    const { send, gate, errors, used } = await open({
      limits,
      options: { identify: () => nonsense as never },
      routes: [{ path: '/', toll, handler: () => ({ body: String(++handled) }) }],
    });
    const admitted: string[] = [];
    gate.on('admitted', ({ id }) => admitted.push(id));
    expect(await send('/')).toMatchObject({ status: 500, text: 'app error' });
    expect(errors).toMatchObject([{ name: 'TollgateError', code: 'TOLLGATE_REQUEST_INVALID' }]);
    expect([admitted, handled]).toEqual([[], 0]);
    expect(await used('user', ann)).toBe(0);
  });

  test.each([
    ['undefined', undefined],
    ['nothing of the user', {}],
    ['an empty name', { user: '' }],
  ])('who is identified as %s shares one key with all such, and the operator is warned once', async (_, subject) => {
    const { send, gate } = await open({
      limits,
      options: { identify: () => subject },
      routes: [{ path: '/', toll, handler: ok }],
    });
    const statuses = [];
    for (let i = 0; i < 11; i++) statuses.push((await send('/')).status);
    expect(statuses).toEqual([...Array(10).fill(200), 429]);
    expect(warnings().filter((code) => code === 'TOLLGATE_DIMENSION_MISSING')).toHaveLength(1);
    expect((await gate.explain({ tier: 'small' })).admitted).toBe(false);
  });

  test('without identify everybody is one', async () => {
    const { send } = await open({
      limits: [slidingWindow({ name: 'all', limit: 15, window: '1m' })],
      options: { identify: undefined as never },
      routes: [{ path: '/', toll, handler: ok }],
    });
    expect([(await send('/')).status, (await send('/')).status]).toEqual([200, 429]);
  });

  test('a number and its decimal are the same user', async () => {
    const { send, used } = await open({ limits, routes: [{ path: '/', toll, handler: ok }] });
    await send('/', { headers: as({ user: 42 }) });
    await send('/', { headers: as({ user: '42' }) });
    expect(await used('user', { user: 42 })).toBe(20);
  });

  test('the plan chooses the limit; one that the limit does not know is the app’s error, and no way past it', async () => {
    const byPlan = slidingWindow({ name: 'user', by: 'user', limit: { free: 10, pro: 100 }, window: '1m' });
    const { send, used, errors } = await open({ limits: [byPlan], routes: [{ path: '/', toll, handler: ok }] });
    const statuses = async (plan: string) => {
      const headers = as({ user: plan, plan });
      return [(await send('/', { headers })).status, (await send('/', { headers })).status];
    };
    expect(await statuses('free')).toEqual([200, 429]);
    expect(await statuses('pro')).toEqual([200, 200]);
    expect(await statuses('gold')).toEqual([500, 500]);
    expect(errors).toMatchObject(Array(2).fill({ code: 'TOLLGATE_UNKNOWN_PLAN' }));
    expect(await used('user', { user: 'gold', plan: 'free' })).toBe(0);
  });

  describe('skip', () => {
    test.each([
      ['at once', (yes: boolean) => yes],
      ['later', async (yes: boolean) => yes],
    ])('answered %s lets pass uncharged, and nothing else', async (_, answer) => {
      const { send, used } = await open({
        limits,
        options: { skip: (req) => answer(req.headers['x-internal'] === '1'), defaultTier: 'small' },
        routes: [{ path: '/', toll, handler: ({ admission }) => ({ body: String(admission) }) }],
      });
      expect((await send('/', { headers: { ...as(ann), 'x-internal': '1' } })).text).toBe('undefined');
      expect(await used('user', ann)).toBe(0);
      await send('/', { headers: as(ann) });
      expect(await used('user', ann)).toBe(10);
    });

    test('passes who would be refused, and asks nothing of who they are', async () => {
      let asked = 0;
      const identify = () => {
        asked++;
        return ann;
      };
      const { send } = await open({
        limits,
        options: { skip: () => true, identify },
        routes: [{ path: '/', toll: { tier: 'small', permits: 1000 }, handler: ok }],
      });
      expect((await send('/')).status).toBe(200);
      expect(asked).toBe(0);
    });

    test.each<[string, () => never]>([
      [
        'throws',
        () => {
          throw fault;
        },
      ],
      ['rejects', () => Promise.reject(fault) as never],
    ])('that %s is the app’s error', async (_, skip) => {
      let handled = 0;
      const handler = () => ({ body: String(++handled) });
      const { send, errors, used } = await open({ limits, options: { skip }, routes: [{ path: '/', toll, handler }] });
      expect((await send('/', { headers: as(ann) })).status).toBe(500);
      expect(errors).toEqual([fault]);
      expect(handled).toBe(0);
      expect(await used('user', ann)).toBe(0);
    });
  });

  test('the subject may become known between the default tier and the route: who is known then is charged', async () => {
    let calls = 0;
    const { send, used, gate } = await open({
      limits,
      options: { defaultTier: 'small', identify: (req) => (calls++ === 0 ? undefined : subjectOf(req)) },
      routes: [{ path: '/', toll: byHeader, handler: ok }],
    });
    await send('/', costing(10));
    expect(await used('user', ann)).toBe(10);
    expect((await gate.explain({ permits: 0 })).layers[0].used).toBe(0);
  });
}
