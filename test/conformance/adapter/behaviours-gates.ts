/** Two gates in one app: each counts for itself, and neither twice. */
import { createTollgate, type Limit, slidingWindow } from '@tollgate/core';
import { manualClock } from '@tollgate/core/testing';
import { usedByAnn } from '../../helpers/http-gate.js';
import { parseList } from '../../helpers/http-structured-fields.js';
import type { Behaviour } from './behaviours-table.js';
import { as, ok, subjectOf } from './workbench.js';

const limits = [
  slidingWindow({ name: 'user', by: 'user', limit: 100, window: '1m' }),
  slidingWindow({ name: 'calls', by: 'user', unit: 'requests', limit: 100, window: '1m' }),
];
const ann = { user: 'ann' };
const ask = { headers: as(ann) };

/** Another gate: what it has counted, permits and requests, and what it has settled. */
function another(own: readonly Limit[] = limits) {
  const gate = createTollgate({ limits: own, clock: manualClock() });
  const settled: string[] = [];
  gate.on('settled', ({ id }) => settled.push(id));
  return { gate, settled, used: async () => [await usedByAnn(gate, 'user'), await usedByAnn(gate, 'calls')] };
}

export const twoGates: readonly Behaviour[] = [
  [
    'a toll is paid at the nearest, a default tier at each that has one, and both are settled',
    async (open) => {
      const { gate, settled, used: usedThere } = another();
      const { send, used, settlements } = await open({
        limits,
        outer: { gate, options: { identify: subjectOf, defaultTier: 'small' } },
        routes: [{ path: '/', toll: { tier: 'medium' }, handler: ok }],
      });
      expect((await send('/', ask)).status).toBe(200);
      expect(await usedThere()).toEqual([1, 1]);
      expect([await used('user', ann), await used('calls', ann)]).toEqual([3, 1]);
      expect([settled.length, settlements.length]).toEqual([1, 1]);
    },
  ],
  [
    'a client is told of its limits at both, beside those that others have told it of, and of each once',
    async (open) => {
      const day = slidingWindow({ name: 'day', by: 'user', limit: 50, window: '1d' });
      const { gate } = another([day]);
      const { send } = await open({
        limits,
        outer: { gate, options: { identify: subjectOf, defaultTier: 'small', headers: 'both' } },
        options: { defaultTier: 'small', headers: 'both' },
        earlierHeaders: { ratelimit: '"proxy";r=7', 'ratelimit-policy': '"proxy";q=9' },
        routes: [{ path: '/', toll: { tier: 'medium' }, handler: ok }],
      });
      const { headers } = await send('/', ask);
      const told = (name: string) =>
        parseList(headers[name] as string).map(({ value, params }) => [value, params.r ?? params.q]);
      expect(told('ratelimit')).toEqual([
        ['proxy', 7],
        ['day', 49],
        ['user', 97],
        ['calls', 99],
      ]);
      expect(told('ratelimit-policy')).toEqual([
        ['proxy', 9],
        ['day', 50],
        ['user', 100],
        ['calls', 100],
      ]);
      expect(headers).toMatchObject({ 'x-ratelimit-limit': '100', 'x-ratelimit-remaining': '97' });
    },
  ],
  [
    'what is no list of items, as by older drafts, gives way',
    async (open) => {
      const { send } = await open({
        limits: [limits[0]],
        earlierHeaders: { ratelimit: 'limit=10, remaining=9, reset=5' },
        routes: [{ path: '/', toll: { tier: 'medium' }, handler: ok }],
      });
      expect(parseList((await send('/', ask)).headers.ratelimit as string)).toMatchObject([{ value: 'user' }]);
    },
  ],
  [
    'what the first refuses the second is not asked about',
    async (open) => {
      const { gate } = another([{ ...limits[0], limit: 0 }]);
      let handled = 0;
      const { send, used } = await open({
        limits,
        outer: { gate, options: { identify: subjectOf, defaultTier: 'small' } },
        options: { defaultTier: 'small' },
        routes: [{ path: '/', toll: { tier: 'medium' }, handler: () => ({ body: String(++handled) }) }],
      });
      expect((await send('/', ask)).status).toBe(422);
      expect([await used('user', ann), handled]).toEqual([0, 0]);
    },
  ],
  [
    'each may skip what the other is for',
    async (open) => {
      const { gate, used: usedThere } = another();
      const defaultTier = 'small';
      const { send, used } = await open({
        limits,
        outer: { gate, options: { identify: subjectOf, defaultTier, skip: ({ url }) => url === '/inner' } },
        options: { defaultTier, skip: ({ url }) => url === '/outer' },
        routes: ['/outer', '/inner'].map((path) => ({ path, handler: ok })),
      });
      for (const path of ['/outer', '/outer', '/inner']) await send(path, ask);
      expect(await usedThere()).toEqual([2, 2]);
      expect([await used('user', ann), await used('calls', ann)]).toEqual([1, 1]);
    },
  ],
  [
    'one that is mounted twice charges once, by the toll that comes last, and settles once',
    async (open) => {
      const { send, used, settlements } = await open({
        limits,
        outer: { options: { identify: subjectOf, defaultTier: 'large' } },
        options: { defaultTier: 'small' },
        routes: [
          { path: '/', toll: { tier: 'medium' }, handler: ok },
          { path: '/plain', handler: ok },
        ],
      });
      await send('/', ask);
      expect([await used('user', ann), await used('calls', ann)]).toEqual([3, 1]);
      await send('/plain', ask);
      expect([await used('user', ann), await used('calls', ann)]).toEqual([4, 2]);
      expect(new Set(settlements.map(({ id }) => id)).size).toBe(2);
      expect(settlements).toHaveLength(2);
    },
  ],
];
