/** `currentAdmission()` is the request's own, wherever below its handler one asks; and there is none elsewhere. */
import { type Admission, slidingWindow } from '@tollgate/core';
import { currentAdmission } from '@tollgate/core/context';
import { deferred } from '../../helpers/http-server.js';
import { as, byHeader, costing, type Open, ok } from './workbench.js';

const limits = [slidingWindow({ name: 'user', by: 'user', limit: 1000, window: '1m' })];
const small = { tier: 'small' } as const;
const ann = { user: 'ann' };

const tick = () => new Promise<void>((resolve) => setImmediate(resolve));
const timer = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

export function currentAdmissionContract(open: Open): void {
  test('is what the handler is given, before and after everything it awaits', async () => {
    const seen: (Admission | undefined)[] = [];
    const deep = async () => {
      seen.push(currentAdmission());
      await Promise.resolve();
      seen.push(currentAdmission());
      await tick();
      seen.push(currentAdmission());
      await timer();
      seen.push(currentAdmission());
      await new Promise<void>((resolve) => process.nextTick(resolve));
      seen.push(currentAdmission());
    };
    let given: Admission | undefined;
    const { send } = await open({
      limits,
      routes: [
        {
          path: '/',
          toll: small,
          async handler({ admission }) {
            given = admission;
            await deep();
            return {};
          },
        },
      ],
    });
    await send('/', { headers: as(ann) });
    expect(given).toBeDefined();
    expect(seen).toHaveLength(5);
    for (const one of seen) expect(one).toBe(given);
  });

  test('is there with a default tier alone', async () => {
    const { send } = await open({
      limits,
      options: { defaultTier: 'small' },
      routes: [
        {
          path: '/',
          handler: ({ admission }) => ({ body: String(admission !== undefined && currentAdmission() === admission) }),
        },
      ],
    });
    expect((await send('/', { headers: as(ann) })).text).toBe('true');
  });

  test('goes on in work that the handler leaves behind', async () => {
    const later = deferred<Admission | undefined>();
    const responded = deferred();
    let given: Admission | undefined;
    const { send } = await open({
      limits,
      routes: [
        {
          path: '/',
          toll: small,
          handler({ admission }) {
            given = admission;
            void responded.promise.then(tick).then(() => later.resolve(currentAdmission()));
            return {};
          },
        },
      ],
    });
    await send('/', { headers: as(ann) });
    responded.resolve();
    expect(await later.promise).toBe(given);
    expect(given).toBeDefined();
  });

  test('of concurrent requests is never another’s', async () => {
    const count = 25;
    let waiting = 0;
    const allThere = deferred();
    const { send } = await open({
      limits,
      routes: [
        {
          path: '/',
          toll: byHeader,
          async handler({ admission }) {
            const own = [admission?.id];
            if (++waiting === count) allThere.resolve();
            await allThere.promise;
            own.push(currentAdmission()?.id);
            await tick();
            own.push(currentAdmission()?.id);
            await timer();
            own.push(currentAdmission()?.id);
            return { body: JSON.stringify(own) };
          },
        },
      ],
    });
    const replies = await Promise.all(Array.from({ length: count }, (_, i) => send('/', costing(i % 3))));
    const ids = replies.map(({ text }): string[] => JSON.parse(text));
    for (const own of ids) expect(own).toEqual(Array(4).fill(expect.any(String)));
    for (const own of ids) expect(new Set(own).size).toBe(1);
    expect(new Set(ids.map(([id]) => id)).size).toBe(count);
  });

  test('is undefined on a route without a toll, in a free one whatever the default tier, and outside', async () => {
    const handler = () => ({ body: String(currentAdmission()) });
    const plain = await open({
      limits,
      routes: [
        { path: '/', handler },
        { path: '/paid', toll: small, handler: ok },
      ],
    });
    await plain.send('/paid', { headers: as(ann) });
    expect((await plain.send('/', { headers: as(ann) })).text).toBe('undefined');
    const free = await open({
      limits,
      options: { defaultTier: 'small' },
      routes: [{ path: '/', toll: 'free', handler }],
    });
    expect((await free.send('/', { headers: as(ann) })).text).toBe('undefined');
    expect(currentAdmission()).toBeUndefined();
  });

  test('is not there while the adapter asks who it is', async () => {
    const seen: unknown[] = [];
    const { send } = await open({
      limits,
      options: {
        identify: () => {
          seen.push(currentAdmission());
          return ann;
        },
      },
      routes: [{ path: '/', toll: small, handler: ok }],
    });
    await send('/');
    await send('/');
    expect(seen).toEqual([undefined, undefined]);
  });
}
