/** RateLimit-Policy and RateLimit, as structured fields, and the older X-RateLimit-*: of the caller's own limits alone. */
import { type Limit, slidingWindow, tokenBucket } from '@tollgate/core';
import type { Reply } from '../../helpers/http-server.js';
import { parseList } from '../../helpers/http-structured-fields.js';
import { byHeader, costing, type Open, ok } from './workbench.js';

const burst = tokenBucket({ name: 'burst', by: 'user', capacity: 10, refill: '6/m' });
const day = slidingWindow({ name: 'day', by: ['user', 'feature'], unit: 'requests', limit: 1000, window: '1d' });
const tokens = slidingWindow({ name: 'tpm.x:1', by: 'tenant', unit: 'tokens', limit: '200k', window: '90s' });
const shared = slidingWindow({ name: 'shared', limit: 977, window: '1m' });
const unlimited = slidingWindow({ name: 'unlimited', by: 'user', limit: Number.POSITIVE_INFINITY, window: '1m' });
const watched = slidingWindow({ name: 'watched', by: 'user', limit: 2, window: '1m', mode: 'shadow' });

const toll = { ...byHeader, feature: 'chat', estimate: { inputTokens: 30, outputTokens: 70 } };
const routes = [
  { path: '/', toll, handler: ok },
  { path: '/free', handler: ok },
];
const who = { user: 'ann', tenant: 'acme' };
const LEGACY = ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset'];
const DRAFT = ['ratelimit', 'ratelimit-policy'];

export function headerContract(open: Open): void {
  const all: Limit[] = [burst, day, tokens, shared, unlimited, watched];

  test('tell each limit of the caller with its quota, unit and length, as configured', async () => {
    const { send } = await open({ limits: all, routes });
    const { headers } = await send('/', costing(4, who));
    expect(parseList(headers['ratelimit-policy'] as string)).toEqual([
      { value: 'burst', params: { q: 10, qu: 'tollgate-permits', w: 100 } },
      { value: 'day', params: { q: 1000, w: 86_400 } },
      { value: 'tpm.x:1', params: { q: 200_000, qu: 'tollgate-tokens', w: 90 } },
    ]);
  });

  test('tell what is left of each, and when there is more', async () => {
    const { send } = await open({ limits: all, routes });
    const left = async (permits: number) =>
      parseList((await send('/', costing(permits, who))).headers.ratelimit as string);
    const [bucket, window, perTenant] = await left(4);
    expect(bucket).toEqual({ value: 'burst', params: { r: 6, t: 10 } });
    expect(window).toMatchObject({ value: 'day', params: { r: 999 } });
    expect(perTenant).toMatchObject({ value: 'tpm.x:1', params: { r: 199_900 } });
    expect((await left(1)).map(({ params }) => params.r)).toEqual([5, 998, 199_800]);
  });

  test('of a refusal count nothing for it, and tell when the request fits', async () => {
    const { send } = await open({ limits: all, routes });
    await send('/', costing(4, who));
    const reply = await send('/', costing(8, who));
    expect(reply.status).toBe(429);
    const items = parseList(reply.headers.ratelimit as string);
    expect(items.map(({ params }) => params.r)).toEqual([6, 999, 199_900]);
    expect(items[0].params.t).toBe(Number(reply.headers['retry-after']));
    expect(parseList(reply.headers['ratelimit-policy'] as string)).toHaveLength(3);
  });

  test('`t` is when there is room again, in windows as in buckets', async () => {
    const minute = slidingWindow({ name: 'minute', by: 'user', limit: 10, window: '1m' });
    const { send, clock } = await open({ limits: [minute, burst], routes });
    for (let i = 0; i < 10; i++) {
      await send('/', costing(1, who));
      clock.advance(1500);
    }
    const before = parseList((await send('/', costing(0, who))).headers.ratelimit as string);
    for (const i of [0, 1]) {
      const t = before[i].params.t as number;
      clock.advance(t * 1000);
      const after = parseList((await send('/', costing(0, who))).headers.ratelimit as string);
      expect(after[i].params.r).toBeGreaterThan(before[i].params.r as number);
    }
  });

  test('are whole numbers that fit the format, whatever the limits', async () => {
    const { send } = await open({
      limits: [
        tokenBucket({ name: 'huge', by: 'user', capacity: Number.MAX_SAFE_INTEGER, refill: '1/w' }),
        tokenBucket({ name: 'none', by: 'user', capacity: 0, refill: '1/s' }),
        slidingWindow({ name: 'part', by: 'user', limit: 2.5, window: 1234 }),
      ],
      routes: [{ path: '/', toll: byHeader, handler: ok }],
    });
    for (const permits of [0, 2, Number.MAX_SAFE_INTEGER, 0]) {
      const { headers } = await send('/', costing(permits, who));
      const policies = parseList(headers['ratelimit-policy'] as string);
      const items = parseList(headers.ratelimit as string);
      for (const list of [policies, items]) expect(list.map(({ value }) => value)).toEqual(['huge', 'none', 'part']);
      for (const { params } of policies)
        expect(params).toEqual({ q: expect.any(Number), qu: 'tollgate-permits', w: expect.any(Number) });
      for (const { params } of items) expect(params).toEqual({ r: expect.any(Number), t: expect.any(Number) });
    }
  });

  test('fit the format also where the wait is longer than it has room for', async () => {
    const { send } = await open({
      limits: [tokenBucket({ name: 'huge', by: 'user', capacity: Number.MAX_SAFE_INTEGER, refill: '1/w' })],
      routes: [{ path: '/', toll: byHeader, handler: ok }],
    });
    await send('/', costing(Number.MAX_SAFE_INTEGER, who));
    const { headers } = await send('/', costing(Number.MAX_SAFE_INTEGER, who));
    expect(parseList(headers.ratelimit as string)).toHaveLength(1);
    expect(headers['retry-after']).toMatch(/^\d+$/);
  });

  describe('styles', () => {
    const names = ({ headers }: Reply) => [...DRAFT, ...LEGACY].filter((name) => name in headers);
    test.each([
      [undefined, DRAFT],
      ['draft', DRAFT],
      ['legacy', LEGACY],
      ['both', [...DRAFT, ...LEGACY]],
      [false, []],
    ] as const)('%s', async (style, expected) => {
      const { send } = await open({ limits: all, routes, options: style === undefined ? {} : { headers: style } });
      const admitted = await send('/', costing(4, who));
      const refused = await send('/', costing(8, who));
      expect([admitted.status, refused.status]).toEqual([200, 429]);
      expect(names(admitted)).toEqual(expected);
      expect(names(refused)).toEqual(expected);
      expect(refused.headers['retry-after']).toBe('20');
    });

    test('the older ones tell of the limit that is nearest to its end', async () => {
      const { send } = await open({ limits: all, routes, options: { headers: 'legacy' } });
      const { headers } = await send('/', costing(4, who));
      expect(LEGACY.map((name) => headers[name])).toEqual(['10', '6', '10']);
    });
  });

  test('a free route has none', async () => {
    const { send } = await open({ limits: all, routes, options: { headers: 'both' } });
    const { headers } = await send('/free', costing(1, who));
    expect([...DRAFT, ...LEGACY].filter((name) => name in headers)).toEqual([]);
  });

  test('of shared and shadow limits say nothing, nor of those without an end', async () => {
    const { send } = await open({ limits: [shared, watched, unlimited], routes, options: { headers: 'both' } });
    const { headers } = await send('/', costing(1, who));
    expect([...DRAFT, ...LEGACY].filter((name) => name in headers)).toEqual([]);
  });

  test('a limit in shadow never alters an answer', async () => {
    const both = await Promise.all(
      [[burst], [burst, watched]].map((limits) => open({ limits, routes, options: { headers: 'both' } })),
    );
    let reported = 0;
    both[1].gate.on('shadow.refused', () => reported++);
    for (const permits of [1, 2, 3, 4, 5, 11]) {
      const [without, with_] = await Promise.all(both.map(({ send }) => send('/', costing(permits, who))));
      const told = ({ status, headers: { date, ...headers }, text }: Reply) => ({
        status,
        headers: { ...headers, etag: undefined },
        text: text.replace(/urn:tollgate:[^"]*/, ''),
      });
      const lengthless = (reply: Reply) => ({
        ...told(reply),
        headers: { ...told(reply).headers, 'content-length': undefined },
      });
      expect(lengthless(with_)).toEqual(lengthless(without));
    }
    expect(reported).toBeGreaterThan(0);
  });
}
