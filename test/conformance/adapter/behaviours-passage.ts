/** The way of a request: through what stands before the gate, past it or not, to what stands after, once. */
import { slidingWindow } from '@tollgate/core';
import { currentAdmission } from '@tollgate/core/context';
import { parseList } from '../../helpers/http-structured-fields.js';
import { type Behaviour, laterStore } from './behaviours-table.js';
import type { Annotation, Route, Step } from './harness.js';
import { as, type BenchSpec, ok, subjectOf } from './workbench.js';

const user = slidingWindow({ name: 'user', by: 'user', limit: 10, window: '1m' });
const limits = [user];
const ann = { user: 'ann' };
const ask = { headers: as(ann) };
const toll: Annotation = { tier: 'small' };
const later: Annotation = { tier: async () => 'small' as const };
const tooMuch: Annotation = { ...toll, permits: 11 };

const WAYS: [string, () => Partial<BenchSpec>, Partial<Route>?][] = [
  ['where all is known at once', () => ({})],
  ['after an identify that answers later', () => ({ options: { identify: async (req) => subjectOf(req) } })],
  ['after a skip that answers later', () => ({ options: { skip: async () => false } })],
  ['when it is skipped', () => ({ options: { skip: () => true } })],
  ['after a fact that is told later', () => ({}), { toll: later }],
  ['after a store that answers later', () => ({ store: laterStore() })],
  ['after a default tier too', () => ({ options: { defaultTier: 'medium' } })],
  [
    'after a default tier that a store decides later',
    () => ({ options: { defaultTier: 'medium' }, store: laterStore() }),
  ],
  ['where it is free', () => ({ options: { defaultTier: 'medium' } }), { toll: 'free' }],
];

const ENDS: [string, (reached: number) => Promise<{ body: string }>, number][] = [
  ['answers', async (reached) => ({ body: String(reached) }), 200],
  ['fails', async () => Promise.reject(new Error('handler')), 500],
];

export const once: readonly Behaviour[] = [
  ...WAYS.flatMap(([way, spec, route]) =>
    ENDS.map(
      ([what, end, status]): Behaviour => [
        `a handler that ${what} is run ${way}`,
        async (open) => {
          let reached = 0;
          const handler = () => end(++reached);
          const { send, errors } = await open({ limits, ...spec(), routes: [{ path: '/', toll, ...route, handler }] });
          expect((await send('/', ask)).status).toBe(status);
          expect([reached, errors.length]).toEqual([1, status === 200 ? 0 : 1]);
        },
      ],
    ),
  ),
  [
    'skip and identify are asked',
    async (open) => {
      const asked: string[] = [];
      const options = {
        skip: () => asked.push('skip') === 0,
        identify: () => {
          asked.push('identify');
          return ann;
        },
      };
      const { send } = await open({ limits, options, routes: [{ path: '/', toll, handler: ok }] });
      await send('/');
      expect(asked).toEqual(['skip', 'identify']);
    },
  ],
  [
    'listeners are told of an admission, and of a refusal',
    async (open) => {
      const { send, gate } = await open({ limits, routes: [{ path: '/', toll: { tier: 'large' }, handler: ok }] });
      const told: unknown[] = [];
      gate.on('admitted', ({ request }) => told.push(['admitted', request.subject]));
      gate.on('refused', ({ request, refusal }) => told.push([refusal.layer, request.subject]));
      for (let i = 0; i < 2; i++) await send('/', ask);
      expect(told).toEqual([
        ['admitted', ann],
        ['user', ann],
      ]);
    },
  ],
  [
    'a header is sent that several tolls have a say in',
    async (open) => {
      const { send } = await open({
        limits,
        options: { defaultTier: 'medium' },
        routes: [
          { path: '/', toll, handler: ok },
          { path: '/dear', toll: tooMuch, handler: ok },
        ],
      });
      for (const [path, left] of [
        ['/', 9],
        ['/dear', 9],
      ] as const) {
        const { headers } = await send(path, ask);
        expect(parseList(headers['ratelimit-policy'] as string)).toMatchObject([{ value: 'user' }]);
        expect(parseList(headers.ratelimit as string)).toMatchObject([{ value: 'user', params: { r: left } }]);
      }
    },
  ],
];

export const neighbours: readonly Behaviour[] = [
  ...[toll, later].map(
    (toll, i): Behaviour => [
      `what stands before and after a toll that is ${i === 0 ? 'a constant' : 'told later'} runs, each once and in order`,
      async (open) => {
        const seen: unknown[] = [];
        const { send } = await open({
          limits,
          before: () => void seen.push('before', currentAdmission()),
          options: { skip: () => seen.push('gate') === 0 },
          routes: [
            {
              path: '/',
              toll,
              after: () => void seen.push('after', currentAdmission() !== undefined),
              handler({ admission }) {
                seen.push('handler', admission === currentAdmission());
                return {};
              },
            },
          ],
        });
        expect((await send('/', ask)).status).toBe(200);
        expect(seen).toEqual(['before', undefined, 'gate', 'after', true, 'handler', true]);
      },
    ],
  ),
  ...(
    [
      ['a refusal', { toll: tooMuch }, {}, 422],
      ['a refusal that is told later', { toll: { ...later, permits: 11 } }, {}, 422],
      ['a refusal in the app’s words', { toll: tooMuch }, { refuse: async () => ({ body: 'no' }) }, 422],
      [
        'a refusal by the default tier',
        {},
        { limits: [{ ...user, limit: 2 }], options: { defaultTier: 'medium' } },
        422,
      ],
      ['an identify that fails', { toll }, { options: { identify: () => Promise.reject(new Error('who?')) } }, 500],
    ] satisfies [string, Partial<Route>, Partial<BenchSpec>, number][]
  ).map(
    ([what, route, spec, status]): Behaviour => [
      `${what} is the end: what stands before runs and hears of it, what stands after is not reached`,
      async (open) => {
        const seen: unknown[] = [];
        const before: Step = (_req, res) => void res.on('close', () => seen.push(res.statusCode, res.writableFinished));
        const after = () => void seen.push('after');
        const handler = () => ({ body: String(seen.push('handler')) });
        const { send } = await open({ limits, before, ...spec, routes: [{ path: '/', ...route, after, handler }] });
        expect((await send('/', ask)).status).toBe(status);
        expect(seen).toEqual([status, true]);
      },
    ],
  ),
  [
    'identify sees what was found out before the gate',
    async (open) => {
      const users = new WeakMap<object, string>();
      const { send, used } = await open({
        limits,
        async before(req) {
          users.set(req, await Promise.resolve(`${req.headers.authorization}’s user`));
        },
        options: { identify: (req) => ({ user: users.get(req) }) },
        routes: [{ path: '/', toll, handler: ok }],
      });
      await send('/', { headers: { authorization: 'ann' } });
      expect(await used('user', { user: 'ann’s user' })).toBe(1);
    },
  ],
  [
    'what is answered before the gate is not asked about, and costs nothing',
    async (open) => {
      const identify = jest.fn(() => ann);
      const { send, used } = await open({
        limits,
        before: (_req, res) => void res.writeHead(401).end('who?'),
        options: { identify, defaultTier: 'medium' },
        routes: [{ path: '/', toll, handler: ok }],
      });
      expect(await send('/')).toMatchObject({ status: 401, text: 'who?' });
      expect(identify).not.toHaveBeenCalled();
      expect(await used('user', ann)).toBe(0);
    },
  ],
  [
    'what stands after may turn a request away: that has been paid for, and is settled',
    async (open) => {
      let handled = 0;
      const { send, used, settlements } = await open({
        limits,
        routes: [
          {
            path: '/',
            toll,
            after: (_req, res) => void res.writeHead(400).end('invalid'),
            handler: () => ({ body: String(++handled) }),
          },
        ],
      });
      expect(await send('/', ask)).toMatchObject({ status: 400, text: 'invalid' });
      expect(handled).toBe(0);
      expect(await used('user', ann)).toBe(1);
      expect(settlements).toMatchObject([{ outcome: 'succeeded', provisional: true }]);
    },
  ],
  [
    'what the handler says of limits is what the client is told',
    async (open) => {
      const headers = { RateLimit: '"own";r=5;t=1', 'RateLimit-Policy': '"own";q=5;w=1' };
      const { send } = await open({ limits, routes: [{ path: '/', toll, handler: () => ({ headers }) }] });
      const reply = await send('/', ask);
      expect([reply.headers.ratelimit, reply.headers['ratelimit-policy']]).toEqual(Object.values(headers));
    },
  ],
  [
    'a request that is skipped is told of no limits',
    async (open) => {
      const { send } = await open({
        limits,
        options: { skip: () => true, headers: 'both' },
        routes: [{ path: '/', toll, handler: ok }],
      });
      const { headers } = await send('/', ask);
      expect(Object.keys(headers).filter((name) => /ratelimit|retry/.test(name))).toEqual([]);
    },
  ],
];
