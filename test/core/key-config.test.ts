/** What is wrong with a ring or a key is said at once, all of it. */
import { memoryStore, type Store, TollgateError } from '@tollgate/core';
import { keyRing } from '@tollgate/core/keys';
import { recordWarnings } from '../helpers/http-warnings.js';

function problemsOf(error: unknown): string[] {
  if (!(error instanceof TollgateError)) throw error;
  return error.problems.map(({ path, expected }) => `${path}: ${expected}`);
}

describe('keyRing says what is wrong', () => {
  recordWarnings();

  const make = (options: object) => {
    try {
      return keyRing({ store: memoryStore(), ...options } as never);
    } catch (error) {
      return problemsOf(error);
    }
  };

  const withoutRecords: Store = { ...memoryStore(), records: undefined };

  it.each<[string, object, string]>([
    ['no store', { store: undefined }, 'store: a store that keeps records'],
    ['a store without records', { store: withoutRecords }, 'store: a store that keeps records'],
    ['an environment', { environment: 'a b' }, 'environment: a name of 1 to 64 letters'],
    ['an expiry', { maxExpiry: '90 days' }, "maxExpiry: a duration such as '90d'"],
    ['limits', { limits: ['spend'] }, 'limits: a map from names to limits'],
    ['a limit', { limits: { spend: '5 dollars' } }, "limits.spend: an amount such as '$5'"],
    ["a limit's name", { limits: { 'a b': 5 } }, 'limits.a b: to be named by a name of 1 to 64 letters'],
    ['a guard', { guard: { consume() {} } }, 'guard: a limiter of rate-limiter-flexible'],
    ['staleness', { staleFor: -1 }, "staleFor: a duration such as '5m', or 0"],
    ['a clock', { clock: {} }, 'clock: a clock, such as systemClock'],
    ['a field', { peper: 'secret' }, 'peper: no such field'],
  ])('of %s', (_, options, expected) => {
    expect(make(options)).toEqual([expect.stringContaining(expected)]);
  });

  it('all at once', () => {
    expect(make({ store: undefined, environment: '', staleFor: 'soon' })).toHaveLength(3);
  });

  const keys = keyRing({ store: memoryStore(), limits: { spend: '$5', calls: 60, rate: '5/s', tokens: '200k' } });
  const create = (options: unknown) =>
    keys.create(options as never).then(
      () => [],
      (error) => {
        expect(error.code).toBe('TOLLGATE_KEY_INVALID');
        return problemsOf(error);
      },
    );

  it.each<[string, unknown, string]>([
    ['a key', undefined, "config: an object such as { service: 'search' }"],
    ['a service', { service: '' }, 'service: a name of 1 to 64 letters'],
    ['an environment', { environment: 5 }, 'environment: a name'],
    ['an expiry', { expiresIn: 'never' }, "expiresIn: a duration such as '90d'"],
    [
      'too long an expiry',
      { expiresIn: '91d' },
      "expiresIn: a duration such as '90d', and no more than the ring's maxExpiry",
    ],
    ['a subject', { subject: 'ann' }, 'subject: an object'],
    ['a subject with a key', { subject: { key: 'k' } }, 'subject.key: no such field'],
    ['a subject with an address', { subject: { ip: '1.1.1.1' } }, 'subject.ip: no such field'],
    ['a value of a subject', { subject: { user: { id: 1 } } }, 'subject.user: a text, a number or a boolean'],
    ['scopes', { scopes: ['chat'] }, 'scopes: an object'],
    ['a scope', { scopes: { features: 'chat' } }, 'scopes.features: a list of texts'],
    ['a route without a method', { scopes: { routes: ['/chat'] } }, 'scopes.routes[0]: a method and a path'],
    ['a route that is a name', { scopes: { routes: ['POST /chat', 'chat'] } }, 'scopes.routes[1]: a method and a path'],
    ['a route with a * within', { scopes: { routes: ['GET /*/users'] } }, 'scopes.routes[0]: a method'],
    ['a route of a lower-case method', { scopes: { routes: ['post /chat'] } }, 'scopes.routes[0]: a method'],
    ['a list of routes', { scopes: { routes: 'POST /chat' } }, 'scopes.routes: a list of methods and paths'],
    ['a model', { scopes: { models: ['m-*', ''] } }, "scopes.models[1]: a text such as 'chat'"],
    ['an unknown scope', { scopes: { tiers: ['small'] } }, 'scopes.tiers: no such field'],
    ['limits', { limits: 5 }, 'limits: a map'],
    ['a limit of another kind', { limits: { spend: 5 } }, "limits.spend: an amount such as '$5'"],
    ['a rate of another kind', { limits: { rate: 5 } }, "limits.rate: a rate such as '100/h'"],
    ['a number of another kind', { limits: { calls: '60' } }, 'limits.calls: a number'],
    ['a count of another kind', { limits: { tokens: '$5' } }, 'limits.tokens: a number'],
    ['a limit that the ring lacks', { limits: { speed: 5 } }, 'limits.speed: a limit that the ring names'],
    ['an inherited limit', { limits: { constructor: 5 } }, 'limits.constructor: a limit that the ring names'],
    ['a field', { scope: {} }, 'scope: no such field'],
  ])('of %s', async (_, options, expected) => {
    const given = options === undefined ? undefined : { service: 'search', ...(options as object) };
    expect(await create(given)).toEqual([expect.stringContaining(expected)]);
  });

  it('of nothing that is right', async () => {
    const limits = { spend: '$10', calls: 5, rate: '1/h', tokens: 5 };
    expect(await create({ service: 'search', subject: { tenant: 't', user: 5, degrade: false }, limits })).toEqual([]);
  });

  it('of a rotation and a change', async () => {
    const { key } = await keys.create({ service: 'search' });
    await expect(keys.rotate(key.id, { overlap: 'long' as never })).rejects.toThrow('overlap');
    await expect(keys.update(key.id, { service: 'other' } as never)).rejects.toThrow('service');
  });
});
