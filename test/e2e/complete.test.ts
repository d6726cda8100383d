import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { textAnswer } from '@tollgate/fake-provider';
import { idle, type ServedProvider, useFakeProviders } from '../helpers/fake-provider.js';
import { describeWithRedis, useRedis } from '../helpers/redis-server.js';
import { ended, listening, spawnExample } from './example.js';
import { remaining } from './example-app.js';
import { type Ended, ROOT, run } from './packing.js';

const CLI = join(ROOT, 'packages/tollgate/dist/esm/cli.js');
const FOLDER = join(ROOT, 'examples/complete');
const ANSWER = textAnswer(20).text.join('');

const start = useFakeProviders();
let folder: string;
let first: ServedProvider;
let second: ServedProvider;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'complete-'));
  first = await start({ kind: 'openai', keys: ['sk-planted-1', 'sk-planted-2'] });
  second = await start({ kind: 'openai', keys: ['sk-planted-3', 'sk-planted-4'] });
  env = {
    PORT: '0',
    TRAFFIC_LOG: join(folder, 'traffic.jsonl'),
    ADMIN_TOKEN: 'of-operators',
    OPENAI_URL: `${first.url}/v1`,
    OPENAI_KEY_1: 'sk-planted-1',
    OPENAI_KEY_2: 'sk-planted-2',
    OPENROUTER_URL: `${second.url}/v1`,
    OPENROUTER_KEY_1: 'sk-planted-3',
    OPENROUTER_KEY_2: 'sk-planted-4',
  };
});

afterAll(() => rm(folder, { recursive: true, force: true }));

beforeEach(() => {
  for (const provider of [first, second]) {
    Object.assign(provider, { answer: () => textAnswer(20), fault: () => undefined, tokenMs: 0 });
    provider.calls.length = 0;
  }
});

function post(url: string, key: string, body: object): Promise<Response> {
  const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${key}` };
  return fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
}

/** The command line, where the service is. */
function tollgate(args: string[], env?: NodeJS.ProcessEnv): Promise<Ended> {
  return run(process.execPath, [CLI, ...args], FOLDER, env);
}

describe('the complete service', () => {
  let child: ChildProcess;
  let url: string;
  let said = '';
  let ada: string;
  let bob: string;

  beforeAll(async () => {
    child = spawnExample('complete/main.ts', [], env);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (text) => {
        said += text;
      });
    }
    url = await listening(child);
    [ada, bob] = said.match(/tg_live_\S+/g) as [string, string];
  }, 120_000);

  afterAll(() => child.kill('SIGKILL'));

  test('streams, writes summaries and runs agents, each call by the provider that has room and an answer', async () => {
    expect(await (await post(`${url}/chat`, ada, { message: 'hi' })).text()).toBe(ANSWER);
    expect(await (await post(`${url}/summaries`, ada, { text: 'long' })).json()).toEqual({ summary: ANSWER });
    expect(first.calls.map(({ stream }) => stream)).toEqual([true, false]);
    first.fault = () => ({});
    expect(await (await post(`${url}/agent`, ada, { task: 'x' })).json()).toEqual({ notes: Array(4).fill(ANSWER) });
    expect(second.calls.map(({ model }) => model)).toEqual(Array(4).fill('openai/gpt-5'));
  }, 120_000);

  test('refuses whoever has no key, and who has used up what the plan gives', async () => {
    expect((await post(`${url}/chat`, 'no-key', { message: 'hi' })).status).toBe(401);
    expect((await post(`${url}/agent`, bob, { task: 'x' })).status).toBe(200);
    expect((await post(`${url}/agent`, bob, { task: 'x' })).status).toBe(200);
    const refused = await post(`${url}/agent`, bob, { task: 'x' });
    expect(refused.status).toBe(429);
    expect(remaining(refused)).toMatchObject({ user: 0 });
    expect(await refused.json()).toMatchObject({ layer: 'user' });
    expect((await fetch(`${url}/health`)).status).toBe(200);
  }, 120_000);

  test('shows operators, and nobody else, how all stands, and lets them give room', async () => {
    const ask = (path: string, token: string, init?: RequestInit) =>
      fetch(`${url}/admin${path}`, { ...init, headers: { Authorization: `Bearer ${token}`, ...init?.headers } });
    expect((await ask('/keys', ada)).status).toBe(403);
    expect(await (await ask('/keys', 'of-operators')).json()).toMatchObject({ keys: [{ uses: 3 }, { uses: 3 }] });
    expect(JSON.stringify(await (await ask('/upstreams', 'of-operators')).json())).not.toMatch(/sk-planted/);
  }, 120_000);

  test('tells whoever sends what can’t be answered, and charges nothing for it', async () => {
    const send = (path: string, type: string, body: string | null) =>
      fetch(url + path, { method: 'POST', headers: { Authorization: `Bearer ${ada}`, 'Content-Type': type }, body });
    for (const path of ['/chat', '/summaries', '/agent']) {
      for (const body of ['{bad', '{}', '[]', null]) {
        const answer = await send(path, 'application/json', body);
        expect([path, body, answer.status]).toEqual([path, body, 400]);
        expect(await answer.json()).toEqual({ error: expect.any(String) });
      }
      expect((await send(path, 'text/plain', 'hello')).status).toBe(400);
    }
    expect(first.calls).toHaveLength(0);
    expect(said).not.toMatch(/ {4}at |Warning/);
  }, 120_000);

  test('when it is told to stop, who is being answered still is; then it ends', async () => {
    Object.assign(first, { tokenMs: 20, answer: () => textAnswer(40) });
    const closed = ended(child);
    const answer = await post(`${url}/chat`, ada, { message: 'hi' });
    child.kill('SIGTERM');
    expect(await answer.text()).toBe(textAnswer(40).text.join(''));
    expect(await closed).toMatchObject({ code: 0 });
    await idle(first);
    expect(said).not.toMatch(/sk-planted/);
  }, 120_000);

  test('its policy is sound, and gives what it recorded the very same answers again', async () => {
    expect(await tollgate(['check', 'policy.ts'])).toMatchObject({ code: 0 });
    const replayed = await tollgate(['replay', 'policy.ts', env.TRAFFIC_LOG as string, '--json']);
    expect(JSON.parse(replayed.stdout)).toMatchObject({ asked: 7, admitted: 6, refused: 1, changed: {} });
    expect(await readFile(env.TRAFFIC_LOG as string, 'utf8')).not.toContain('"hi"');
  }, 120_000);
});

describeWithRedis('with Redis', () => {
  const redis = useRedis();

  test('a key that is made on the command line is taken, and what it has spent outlives the process', async () => {
    const shared = { ...env, REDIS_URL: redis() };
    const making = ['--service', 'web', '--user', 'eve', '--tenant', 'acme', '--plan', 'pro', '--limit', 'spend=$9'];
    const made = await tollgate(['keys', 'create', 'keys.ts', ...making], shared);
    const [key] = made.stdout.split('\n');
    const left: number[] = [];
    for (let i = 0; i < 2; i++) {
      const child = spawnExample('complete/main.ts', [], shared);
      const answer = await post(`${await listening(child)}/chat`, key, { message: 'hi' });
      expect(await answer.text()).toBe(ANSWER);
      left.push(remaining(answer).user);
      child.kill('SIGTERM');
      expect(await once(child, 'exit')).toEqual([0, null]);
    }
    expect(left[0]).toBe(590);
    // And no more comes back meanwhile than a permit in six seconds.
    expect(left[1]).toBeLessThan(590);
  }, 120_000);
});
