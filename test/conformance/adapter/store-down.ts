/** A store that can't be asked: what each limit says of that holds, and the client learns no more than when to come back. */
import { slidingWindow, tokenBucket } from '@tollgate/core';
import { breakableStore } from '../../helpers/breakable-store.js';
import { quiet } from '../../helpers/http-server.js';
import { recordWarnings } from '../../helpers/http-warnings.js';
import { byHeader, costing, type Open, ok, problemOf } from './workbench.js';

const user = tokenBucket({ name: 'user', by: 'user', capacity: 10, refill: '6/m', onStoreError: 'closed' });
const routes = [{ path: '/', toll: byHeader, handler: ok }];

const FAILURES: [string, () => never][] = [
  [
    'throws',
    () => {
      throw new Error('secret: the store is down');
    },
  ],
  ['rejects', () => Promise.reject(new Error('secret: the store is down')) as never],
];

export function storeDownContract(open: Open): void {
  const warnings = recordWarnings();

  describe.each(FAILURES)('a store that %s', (_, failure) => {
    function brokenStore() {
      const store = breakableStore(failure);
      store.break();
      return store;
    }

    test('closes the gate: 503, of type temporary-reduced-capacity, with Retry-After', async () => {
      const { send } = await open({ limits: [user], store: brokenStore(), routes });
      const reply = await send('/', costing(1));
      expect(reply.status).toBe(503);
      expect(reply.headers).toMatchObject({ 'content-type': 'application/problem+json', 'retry-after': '5' });
      expect(problemOf(reply)).toEqual({
        type: 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity',
        title: 'Temporarily unavailable',
        status: 503,
        detail: "Limits can't be checked at the moment. Try again in 5 seconds.",
        instance: expect.stringMatching(/^urn:tollgate:./),
        retryAfter: 5,
      });
      expect(reply.text).not.toContain('secret');
      expect(warnings()).toContain('TOLLGATE_STORE_FAILED');
    });

    test('leaves each process to its share, unless the limit says otherwise', async () => {
      const shared = slidingWindow({ name: 'shared', limit: 10, window: '1m' });
      const { send } = await open({ limits: [shared], store: brokenStore(), routes });
      expect(await send('/', costing(10))).toMatchObject({ status: 200, text: 'ok' });
      expect((await send('/', costing(1))).status).toBe(429);
    });

    test('lets pass where every limit that enforces says open', async () => {
      const { send } = await open({
        limits: [
          { ...user, onStoreError: 'open' },
          slidingWindow({ name: 'watched', limit: 1, window: '1m', mode: 'shadow' }),
        ],
        store: brokenStore(),
        routes,
      });
      expect(await send('/', costing(1))).toMatchObject({ status: 200, text: 'ok' });
    });

    test('refuses where one of them says closed', async () => {
      const global = slidingWindow({ name: 'global', limit: 5, window: '1m', onStoreError: 'closed' });
      const limits = [{ ...user, onStoreError: 'open' as const }, global];
      const { send } = await open({ limits, store: brokenStore(), routes });
      expect((await send('/', costing(1))).status).toBe(503);
    });

    test('between the default tier and the route: 503 all the same, and the handler is not run', async () => {
      const store = breakableStore(failure);
      const priced = () => {
        store.break();
        return 5;
      };
      let handled = 0;
      const { send } = await open({
        limits: [user],
        store,
        options: { defaultTier: 'small' },
        routes: [{ path: '/', toll: { tier: 'small', permits: priced }, handler: () => ({ body: String(++handled) }) }],
      });
      expect((await send('/')).status).toBe(503);
      expect(handled).toBe(0);
    });

    test('before the end of the response: the operator hears of it, the client does not', async () => {
      const store = breakableStore(failure);
      const handler = () => {
        store.break();
        return { body: 'ok' };
      };
      const { send } = await open({ limits: [user], store, routes: [{ path: '/', toll: byHeader, handler }] });
      expect(await send('/', costing(1))).toMatchObject({ status: 200, text: 'ok' });
      await quiet();
      expect(warnings()).toContain('TOLLGATE_STORE_FAILED');
    });
  });
}
