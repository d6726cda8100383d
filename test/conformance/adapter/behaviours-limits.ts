/** Limits that change from caller to caller and from moment to moment, that meet on a route, or that a crowd runs into. */
import { type SlidingWindowOptions, type Subject, slidingWindow } from '@tollgate/core';
import { parseList } from '../../helpers/http-structured-fields.js';
import { answersTo, type Behaviour, failingStore, laterStore } from './behaviours-table.js';
import { as, type BenchSpec, byHeader, costing, ok, subjectOf } from './workbench.js';

const ann = { user: 'ann', tenant: 'acme' };
const bob = { user: 'bob', tenant: 'acme' };
const routes = [{ path: '/', toll: { tier: 'small' } as const, handler: ok }];

const perUser = (limit: SlidingWindowOptions['limit']) =>
  slidingWindow({ name: 'user', by: 'user', limit, window: '1m' });

const asks = (...subjects: Subject[]) => subjects.map((subject) => ({ headers: as(subject) }));

export const dynamicLimits: readonly Behaviour[] = [
  [
    'a function of the subject says what each may use',
    async (open) => {
      const bench = await open({ limits: [perUser(({ user }) => (user === 'ann' ? 3 : 1))], routes });
      expect(await answersTo(bench, asks(ann, ann, ann, ann, bob, bob))).toEqual([200, 200, 200, 429, 200, 429]);
    },
  ],
  [
    'the client is told the limit that holds for it',
    async (open) => {
      const { send } = await open({ limits: [perUser(({ user }) => (user === 'ann' ? 3 : 50))], routes });
      const told = async (subject: Subject) => {
        const { headers } = await send('/', { headers: as(subject) });
        return [headers['ratelimit-policy'], headers.ratelimit].map((list) => parseList(list as string)[0].params);
      };
      expect(await told(ann)).toMatchObject([{ q: 3 }, { r: 2 }]);
      expect(await told(bob)).toMatchObject([{ q: 50 }, { r: 49 }]);
    },
  ],
  [
    'a function is asked anew by each request',
    async (open) => {
      let limit = 1;
      const bench = await open({ limits: [perUser(() => limit)], routes });
      expect(await answersTo(bench, asks(ann, ann))).toEqual([200, 429]);
      limit = 2;
      expect(await answersTo(bench, asks(ann, ann))).toEqual([200, 429]);
    },
  ],
  [
    'what a limit depends on may be looked up, by an identify that answers later',
    async (open) => {
      const plans = new Map([['ann', 'pro']]);
      const bench = await open({
        limits: [perUser({ pro: 3, default: 1 })],
        routes,
        options: {
          async identify(req) {
            const { user } = await Promise.resolve(subjectOf(req));
            return { user, plan: plans.get(String(user)) };
          },
        },
      });
      expect(await answersTo(bench, asks(ann, ann, ann, ann, bob, bob))).toEqual([200, 200, 200, 429, 200, 429]);
    },
  ],
  [
    'who changes plans has the new limit at once, and keeps what was used',
    async (open) => {
      const bench = await open({ limits: [perUser({ free: 2, pro: 4 })], routes });
      const [free, pro] = ['free', 'pro'].map((plan) => ({ ...ann, plan }));
      expect(await answersTo(bench, asks(free, free, free, pro, pro, pro))).toEqual([200, 200, 429, 200, 200, 429]);
    },
  ],
  [
    'a limit of 0 admits nobody, ever, and one of Infinity everybody',
    async (open) => {
      const bench = await open({ limits: [perUser(({ user }) => (user === 'ann' ? 0 : Infinity))], routes });
      expect(await answersTo(bench, asks(ann, bob, bob, bob))).toEqual([422, 200, 200, 200]);
    },
  ],
  ...(
    [
      [
        'throws',
        () => {
          throw new Error('no limits today');
        },
      ],
      ['returns what is no limit', () => Number.NaN],
      ['promises one', () => Promise.resolve(5) as never],
    ] as [string, () => number][]
  ).map(
    ([what, limit]): Behaviour => [
      `a function that ${what} is the app’s error: nothing is charged, the handler is not reached`,
      async (open) => {
        let handled = 0;
        const { send, used, errors } = await open({
          limits: [
            slidingWindow({ name: 'all', limit: 9, window: '1m' }),
            perUser((subject) => (subject.user === 'eve' ? limit() : 9)),
          ],
          routes: [{ ...routes[0], handler: () => ({ body: String(++handled) }) }],
        });
        expect(await send('/', { headers: as({ user: 'eve' }) })).toMatchObject({ status: 500, text: 'app error' });
        expect(errors).toEqual([expect.any(Error)]);
        expect(handled).toBe(0);
        expect(await used('all', ann)).toBe(0);
      },
    ],
  ),
  [
    'one that is raised lets pass from the next request on, and counts what was used',
    async (open) => {
      const bench = await open({ limits: [perUser(2)], routes });
      expect(await answersTo(bench, asks(ann, ann, ann))).toEqual([200, 200, 429]);
      bench.gate.update({ limits: { user: { limit: 3 } } });
      expect(await answersTo(bench, asks(ann, ann))).toEqual([200, 429]);
    },
  ],
  [
    'one that is lowered refuses from the next request on, and tells of nothing below zero',
    async (open) => {
      const bench = await open({ limits: [perUser(5)], routes });
      await answersTo(bench, asks(ann, ann, ann));
      bench.gate.update({ limits: { user: { limit: 2 } } });
      const { status, headers } = await bench.send('/', { headers: as(ann) });
      expect(status).toBe(429);
      expect(parseList(headers['ratelimit-policy'] as string)[0].params.q).toBe(2);
      expect(parseList(headers.ratelimit as string)[0].params.r).toBe(0);
      expect(await answersTo(bench, asks(bob, bob, bob))).toEqual([200, 200, 429]);
    },
  ],
  [
    'a tier that is made dearer costs that from the next request on',
    async (open) => {
      const { send, gate, used } = await open({ limits: [perUser(100)], routes });
      await send('/', { headers: as(ann) });
      gate.update({ tiers: { small: 7 } });
      await send('/', { headers: as(ann) });
      expect(await used('user', ann)).toBe(8);
    },
  ],
];

export const severalLimits: readonly Behaviour[] = [
  [
    'each counts by its own key; where one refuses none is charged',
    async (open) => {
      const tenant = slidingWindow({ name: 'tenant', by: 'tenant', limit: 3, window: '1m' });
      const bench = await open({ limits: [perUser(2), tenant], routes });
      expect(await answersTo(bench, asks(ann, ann, ann, bob, bob))).toEqual([200, 200, 429, 200, 429]);
      expect(await bench.used('user', ann)).toBe(2);
      expect(await bench.used('user', bob)).toBe(1);
      expect(await bench.used('tenant', ann)).toBe(3);
    },
  ],
  [
    'routes of one name share what others don’t',
    async (open) => {
      const named = (path: string, route?: string) => ({ path, toll: { tier: 'small', route } as const, handler: ok });
      const { send } = await open({
        limits: [slidingWindow({ name: 'route', by: 'route', limit: 2, window: '1m' })],
        routes: [named('/a', 'both'), named('/b', 'both'), named('/c')],
      });
      const statuses = [];
      for (const path of ['/a', '/b', '/a', '/b', '/c', '/c', '/c']) statuses.push((await send(path)).status);
      expect(statuses).toEqual([200, 200, 429, 429, 200, 200, 429]);
    },
  ],
];

const CROWD: [string, () => Partial<BenchSpec>][] = [
  ['decided at once', () => ({})],
  ['with an identify that answers later', () => ({ options: { identify: async (req) => subjectOf(req) } })],
  ['with a store that answers later', () => ({ store: laterStore() })],
];

export const crowds: readonly Behaviour[] = [
  ...CROWD.map(
    ([how, spec]): Behaviour => [
      `of requests that come together exactly the limit is admitted, ${how}`,
      async (open) => {
        let handled = 0;
        const { send, used } = await open({
          limits: [perUser(30), slidingWindow({ name: 'all', limit: 1000, window: '1m' })],
          ...spec(),
          routes: [{ path: '/', toll: byHeader, handler: () => ({ body: String(++handled) }) }],
        });
        const replies = await Promise.all(Array.from({ length: 25 }, () => send('/', costing(3, ann))));
        expect(replies.filter(({ status }) => status === 200)).toHaveLength(10);
        expect(replies.filter(({ status }) => status === 429)).toHaveLength(15);
        expect(handled).toBe(10);
        expect([await used('user', ann), await used('all', ann)]).toEqual([30, 30]);
      },
    ],
  ),
  [
    'who is refused is given back the default tier, and nothing more',
    async (open) => {
      const { send, used } = await open({
        limits: [perUser(30)],
        store: laterStore(),
        options: { defaultTier: 'small' },
        routes: [{ path: '/', toll: byHeader, handler: ok }],
      });
      const replies = await Promise.all(Array.from({ length: 25 }, () => send('/', costing(3, ann))));
      const admitted = replies.filter(({ status }) => status === 200).length;
      expect(admitted).toBeLessThanOrEqual(10);
      expect(await used('user', ann)).toBe(3 * admitted);
    },
  ],
];

export const storeErrors: readonly Behaviour[] = [
  [
    'of a store that recovers end with it, and what was counted before counts on',
    async (open) => {
      const store = failingStore();
      const bench = await open({ limits: [{ ...perUser(2), onStoreError: 'closed' }], routes, store });
      expect(await answersTo(bench, asks(ann))).toEqual([200]);
      store.down = true;
      expect(await answersTo(bench, asks(ann, ann))).toEqual([503, 503]);
      store.down = false;
      expect(await answersTo(bench, asks(ann, ann))).toEqual([200, 429]);
    },
  ],
  [
    'that let pass are not counted afterwards, and tell no figures that nobody knows',
    async (open) => {
      const store = failingStore();
      const bench = await open({ limits: [{ ...perUser(2), onStoreError: 'open' }], routes, store });
      expect(await answersTo(bench, asks(ann))).toEqual([200]);
      store.down = true;
      const { status, headers } = await bench.send('/', { headers: as(ann) });
      expect(status).toBe(200);
      expect(headers).not.toHaveProperty('ratelimit');
      store.down = false;
      expect(await bench.used('user', ann)).toBe(1);
      expect(await answersTo(bench, asks(ann, ann))).toEqual([200, 429]);
    },
  ],
];
