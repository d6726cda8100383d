/** No secret stands in what can be logged: objects, errors, events, warnings, refusals. Secrets are planted, and looked for. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import {
  anthropic,
  cached,
  createUpstream,
  env,
  file,
  gemini,
  type KeyOptions,
  openai,
  type UpstreamEventName,
} from '@tollgate/upstream';
import { createPool, offerKeys, setKeys } from '../../packages/upstream/src/keys/pool.js';
import { closeServers, portOf } from '../helpers/http-server.js';
import { answered, chat, type FakeReply, fakeServer, gateOf, post, provider } from './support.js';

const PLANTED = 'sk-planted';
const VARIABLE = 'TOLLGATE_TEST_SECRET';

let folder: string;
let warnings: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollgate-'));
  await writeFile(join(folder, 'key'), `${PLANTED}-file\n`);
});
afterAll(() => rm(folder, { recursive: true }));

beforeEach(() => {
  process.env[VARIABLE] = `${PLANTED}-env`;
  warnings = [];
  jest.spyOn(process, 'emitWarning').mockImplementation((message) => {
    warnings.push(shown(message));
  });
});
afterEach(async () => {
  delete process.env[VARIABLE];
  jest.restoreAllMocks();
  await closeServers();
});

/** A key from each kind of source. */
function keys(): readonly KeyOptions[] {
  return [
    { name: 'env', secret: env(VARIABLE), createdAt: 0 },
    { name: 'file', secret: file(join(folder, 'key')) },
    { name: 'function', secret: async () => `${PLANTED}-function` },
    { name: 'cached', secret: cached(() => `${PLANTED}-cached`) },
  ];
}

/** All that a value shows, however it is logged. */
function shown(value: unknown): string {
  const texts = [inspect(value, { depth: null, showHidden: true, getters: true }), String(value)];
  if (value instanceof Error) texts.push(value.message, value.stack ?? '', inspect(value.cause));
  return [...texts, JSON.stringify(value) ?? ''].join('\n');
}

test('providers and pools show none, once their keys have been used', async () => {
  const providers = [openai, anthropic, gemini].map((make) => make({ keys: keys() }));
  const pool = createPool(keys());
  const secrets = await Promise.all(
    [...pool.keys, ...providers.flatMap(({ keys }) => keys)].map((key) => key.secret()),
  );
  expect(secrets.every((secret) => secret.startsWith(PLANTED))).toBe(true);
  setKeys(pool, keys());
  for (const value of [providers, pool, offerKeys(pool), keys()]) expect(shown(value)).not.toContain(PLANTED);
});

const UNUSABLE = `${PLANTED} with a space`;

const failing: readonly (readonly [string, () => unknown])[] = [
  ['a variable', env(VARIABLE)],
  ['a file', () => file(join(folder, 'key'))()],
  ['a function that gives no secret', cached(() => UNUSABLE)],
  [
    'a function that throws it',
    cached(() => {
      throw new Error(UNUSABLE, { cause: UNUSABLE });
    }),
  ],
  [
    'a function that throws it by name',
    cached(() => {
      throw Object.assign(new Error(), { name: UNUSABLE, code: UNUSABLE });
    }),
  ],
  ['a ttl', () => cached(() => PLANTED, { ttl: 'never' as never })],
  ['a secret in another option of what remembers it', () => cached(() => PLANTED, { tll: PLANTED } as object)],
  ['a secret in place of its source', () => openai({ keys: [{ name: 'a', secret: PLANTED as never }] })],
  ['a secret in place of a key', () => openai({ keys: [PLANTED as never] })],
  ['a secret in place of a name', () => openai({ keys: [{ name: UNUSABLE, secret: () => PLANTED }] })],
  ['a secret in place of options', () => openai(PLANTED as never)],
  ['a secret in another option', () => openai({ keys: keys(), apiKey: PLANTED } as never)],
  ['a secret in the URL', () => openai({ keys: keys(), baseUrl: `https://example.com/v1?key=${PLANTED}` })],
];

test.each(failing)('an error about %s shows none', async (_, task) => {
  process.env[VARIABLE] = UNUSABLE;
  await writeFile(join(folder, 'key'), UNUSABLE);
  const error = await Promise.resolve()
    .then(task)
    .then(undefined, (error: unknown) => error);
  await writeFile(join(folder, 'key'), PLANTED);
  expect(error).toBeInstanceOf(Error);
  expect(shown(error)).not.toContain(PLANTED);
});

const EVENTS: readonly UpstreamEventName[] = [
  'sent',
  'answered',
  'unanswered',
  'throttled',
  'escalated',
  'key.out',
  'key.back',
  'provider.cooling',
  'provider.recovered',
];

const quota = { error: { code: 'insufficient_quota', type: 'insufficient_quota', message: 'no' } };

const replies: readonly (readonly [string, FakeReply | 'hang up'])[] = [
  ['that is right', answered()],
  ['by which keys are refused', { status: 401 }],
  ['by which nothing is left', { status: 429, body: quota }],
  ['by which limits are used up', { status: 429, headers: { 'retry-after': '60' } }],
  ['that is a fault', { status: 500 }],
  ['that never comes', 'hang up'],
];

test.each(replies)(
  'with an answer %s, upstream, events, warnings and what the client gets show none',
  async (_, reply) => {
    const { server, seen } = await fakeServer(() => reply);
    const { gate } = gateOf();
    const baseUrl = `http://127.0.0.1:${portOf(server)}/v1`;
    const llm = createUpstream({ gate, providers: [openai({ keys: keys(), baseUrl })] });
    const events: string[] = [];
    for (const event of EVENTS) llm.on(event, (payload) => events.push(shown(payload)));
    for (let i = 0; i < 3; i++) {
      const { response, text } = await chat(gate, llm.fetch, server);
      expect(text + shown([...response.headers])).not.toContain(PLANTED);
    }
    expect(seen.some(({ key }) => key.startsWith(PLANTED))).toBe(true);
    expect(events.length).toBeGreaterThan(0);
    expect([shown(llm), ...events, ...warnings].join()).not.toContain(PLANTED);
    await llm.close();
  },
);

test.each([`${PLANTED}-in-url`, `${PLANTED}/in+url==`, `${PLANTED}!in~url`])(
  'where it stands in the URL that was sent, the answer shows none: %s',
  async (secret) => {
    const { server, seen } = await fakeServer();
    const authorize = (_headers: Headers, secret: string, url: URL) => url.searchParams.set('key', secret);
    const { gate } = gateOf();
    const llm = createUpstream({
      gate,
      providers: [provider('one', server, [{ name: 'k1', secret: () => secret }], { authorize })],
    });
    const response = await post(llm.as({ subject: { user: 'u1' } }).fetch, server);
    expect(response.url).toMatch(/completions\?key=\[secret\]$/);
    expect(shown(response)).not.toContain(PLANTED);
    expect(seen[0].path).toContain(PLANTED);
    await response.text();
  },
);
