/** What an attacker may show as a key: it opens nothing, leaks nothing, and locks out the address that it came from. */
import { memoryStore, slidingWindow } from '@tollgate/core';
import { type KeyRing, keyRing } from '@tollgate/core/keys';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { portOf } from '../../helpers/http-server.js';
import { recordWarnings } from '../../helpers/http-warnings.js';
import { rawRequest } from '../../helpers/raw-request.js';
import { type Open, ok, problemOf } from './workbench.js';

const limits = [slidingWindow({ name: 'key', by: 'key', limit: 100, window: '1m' })];
const routes = [{ path: '/', toll: { tier: 'small' } as const, handler: ok }];

export function hostileKeyContract(open: Open): void {
  const warnings = recordWarnings();

  async function setUp(guard?: RateLimiterMemory, trustProxy: boolean | number = false) {
    const keys: KeyRing = keyRing({ store: memoryStore(), ...(guard && { guard }) });
    const [one, other] = [await keys.create({ service: 'a' }), await keys.create({ service: 'b' })];
    const bench = await open({ limits, routes, trustProxy, options: { authenticate: keys } });
    /** The status that these lines of a request's head have. */
    const ask = (...lines: string[]) => rawRequest(portOf(bench.server), ['GET / HTTP/1.1', 'Host: x', ...lines]);
    return { ...bench, keys, one: one.reveal(), other: other.reveal(), ask };
  }

  test('headers that come twice, or differ, are no key, whichever is right', async () => {
    const { ask, one, other } = await setUp();
    const auth = (text: string) => `Authorization: Bearer ${text}`;
    const plain = (text: string) => `x-api-key: ${text}`;
    expect([await ask(auth(one)), await ask(plain(one)), await ask(auth(one), plain(one))]).toEqual([200, 200, 200]);
    const ambiguous = [
      [auth(one), auth(other)],
      [auth(one), auth('nonsense')],
      [auth('nonsense'), auth(one)],
      [auth(one), auth(one)],
      [auth(one), 'AUTHORIZATION: Basic eDp5'],
      [plain(one), plain(other)],
      [plain(one), plain('')],
      [plain(''), plain(one)],
      [auth(one), plain(other)],
      [auth(one), plain('nonsense')],
      [auth(one), plain('')],
      [auth(`${one}, ${other}`)],
      [auth(`${one} ${other}`)],
      [plain(`${one}, ${other}`)],
      [plain(`${one};${other}`)],
      [auth('tg_nonsense'), plain(one)],
    ];
    for (const lines of ambiguous) expect([lines, await ask(...lines)]).toEqual([lines, 401]);
  });

  test('a token of another kind, for the app itself, may stand beside a key', async () => {
    const { ask, one } = await setUp();
    expect(await ask('Authorization: Bearer eyJhbGciOi.J9.x', `x-api-key: ${one}`)).toBe(200);
    expect(await ask('Authorization: Basic eDp5', `x-api-key: ${one}`)).toBe(200);
    expect(await ask('Authorization: Basic eDp5')).toBe(401);
    expect(await ask('Authorization: Bearer eyJhbGciOi.J9.x')).toBe(401);
  });

  test('what is long, folded, empty or of other characters opens nothing and breaks nothing', async () => {
    const { ask, one, errors } = await setUp();
    const odd = [
      'Authorization:',
      'Authorization: Bearer',
      'Authorization: Bearer ',
      `Authorization: ${one}`,
      `Authorization: Bearer\t${one}`,
      `Authorization: Bearer ${one}x`,
      `Authorization: Bearer "${one}"`,
      `Authorization: Bearer ${'a'.repeat(100_000)}`,
      `Authorization: Bearer ${'Bearer '.repeat(10_000)}`,
      `x-api-key: Bearer ${one}`,
      `x-api-key: ${one.slice(0, 30)}\u00ff${one.slice(31)}`,
      `x-api-key: ${one}${'0'.repeat(100_000)}`,
      'x-api-key: __proto__',
      'x-api-key: constructor',
      'x-api-key: {"$gt":""}',
      'x-api-key: *',
    ];
    for (const line of odd) expect([line.slice(0, 40), await ask(line)]).toEqual([line.slice(0, 40), 401]);
    for (const smuggled of [
      `x-api-key: a\r\nx-api-key: ${one}`,
      `x-api-key: ${one}\n injected`,
      `x-api-key: a\rx: ${one}`,
    ]) {
      expect([400, 401]).toContain(await ask(smuggled));
    }
    expect(errors).toEqual([]);
  });

  describe('with a guard', () => {
    const guard = () => new RateLimiterMemory({ points: 3, duration: 60, blockDuration: 600 });
    const forged = (address: string, key: string) => ({ headers: { 'x-forwarded-for': address, 'x-api-key': key } });

    test('who guesses is locked out, whatever address they forge; a key that is in use is not', async () => {
      const { send, one } = await setUp(guard());
      await send('/', { headers: { 'x-api-key': one } });
      const statuses = [];
      for (let i = 0; i < 5; i++) statuses.push((await send('/', forged(`1.1.1.${i}`, 'nonsense'))).status);
      expect(statuses).toEqual([401, 401, 401, 429, 429]);
      const reply = await send('/', forged('9.9.9.9', 'nonsense'));
      expect(reply.headers['retry-after']).toMatch(/^(600|59\d)$/);
      expect(problemOf(reply)).toMatchObject({
        type: 'https://iana.org/assignments/http-problem-types#abnormal-usage-detected',
        status: 429,
        detail: 'Too many requests with bad API keys came from your address. Try again in 10 minutes.',
      });
      expect((await send('/', { headers: { 'x-api-key': one } })).status).toBe(200);
      expect(warnings()).toContain('TOLLGATE_PROXY_NOT_TRUSTED');
    });

    test('behind a proxy of the app’s own, clients are told apart by what it says and not by what they say', async () => {
      const { send } = await setUp(guard(), 1);
      const ask = async (client: string) => (await send('/', forged(`7.7.7.7, ${client}`, 'nonsense'))).status;
      for (let i = 0; i < 3; i++) expect(await ask('1.1.1.1')).toBe(401);
      expect([await ask('1.1.1.1'), await ask('2.2.2.2')]).toEqual([429, 401]);
    });

    test('who shows no key at all locks nobody out', async () => {
      const { send } = await setUp(guard());
      const statuses = [];
      for (let i = 0; i < 5; i++) statuses.push((await send('/')).status);
      expect(statuses).toEqual(Array(5).fill(401));
    });
  });

  test('no answer, error or warning has the key in it', async () => {
    const { send, keys, one } = await setUp();
    const said: unknown[] = [];
    jest.spyOn(process, 'emitWarning').mockImplementation(((...what: unknown[]) => said.push(...what)) as never);
    const secret = one.slice(21);
    const [key] = await keys.list();
    for (const text of [one, `${one}x`, one.replace('live', 'test')])
      said.push(await send('/', { headers: { 'x-api-key': text } }));
    await keys.revoke(key.id);
    said.push(await send('/', { headers: { authorization: `Bearer ${one}` } }));
    expect(JSON.stringify(said)).not.toContain(secret);
    jest.restoreAllMocks();
  });
}
