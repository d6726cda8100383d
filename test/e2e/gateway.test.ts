import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Answer, textAnswer, toolAnswer } from '@tollgate/fake-provider';
import OpenAI, { APIError, AuthenticationError } from 'openai';
import { idle, type ServedProvider, useFakeProviders } from '../helpers/fake-provider.js';
import { listening, spawnExample } from './example.js';

const SECRETS = ['sk-planted-1', 'sk-planted-2', 'sk-planted-3', 'sk-planted-4'];

const ASKED = { model: 'gpt-5', max_tokens: 100, messages: [{ role: 'user' as const, content: 'What is a toll?' }] };

const start = useFakeProviders();

let first: ServedProvider;
let second: ServedProvider;
let child: ChildProcess;
let url: string;
let said = '';

beforeAll(async () => {
  first = await start({ kind: 'openai', keys: SECRETS.slice(0, 2) });
  second = await start({ kind: 'openai', keys: SECRETS.slice(2) });
  child = spawnExample('gateway/app.ts', [], {
    PORT: '0',
    OPENAI_URL: `${first.url}/v1`,
    OPENAI_KEY_1: SECRETS[0],
    OPENAI_KEY_2: SECRETS[1],
    OPENROUTER_URL: `${second.url}/v1`,
    OPENROUTER_KEY_1: SECRETS[2],
    OPENROUTER_KEY_2: SECRETS[3],
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (text) => {
      said += text;
    });
  }
  url = await listening(child);
}, 120_000);

afterAll(async () => {
  child.kill();
  await once(child, 'close');
});

beforeEach(() => {
  for (const provider of [first, second]) {
    Object.assign(provider, { answer: () => textAnswer(20), fault: () => undefined, tokenMs: 0 });
    provider.calls.length = 0;
  }
});

function client(apiKey: string): OpenAI {
  return new OpenAI({ apiKey, baseURL: `${url}/v1` });
}

test('an answer, a stream, a tool call, an embedding: each is one call, with one of the keys', async () => {
  const ada = client('gw-ada');
  const whole = await ada.chat.completions.create(ASKED);
  expect(whole.choices[0]?.message.content).toBe(textAnswer(20).text.join(''));

  const stream = ada.chat.completions.stream({ ...ASKED, stream_options: { include_usage: true } });
  expect(await stream.finalContent()).toBe(textAnswer(20).text.join(''));
  expect((await stream.totalUsage()).completion_tokens).toBe(20);

  const answer: Answer = toolAnswer('search', { query: 'toll' });
  first.answer = () => answer;
  const tool = { type: 'function' as const, function: { name: 'search' } };
  const called = await ada.chat.completions.create({ ...ASKED, tools: [tool] });
  expect(called.choices[0]?.message.tool_calls).toMatchObject([{ function: { arguments: '{"query":"toll"}' } }]);

  const { model, data } = await ada.embeddings.create({ model: 'text-embedding-3-small', input: 'toll' });
  expect({ model, data }).toMatchObject({ model: 'text-embedding-3-small', data: [{ index: 0 }] });

  expect(first.calls.map(({ status, stream }) => [status, stream])).toEqual([
    [200, false],
    [200, true],
    [200, false],
    [200, false],
  ]);
  expect(second.calls).toHaveLength(0);
}, 120_000);

test('the provider dies, between two calls and amid one: another stands in, by its own name for the model', async () => {
  const ada = client('gw-ada');
  await ada.chat.completions.create(ASKED);
  first.fault = () => ({});
  const { choices } = await ada.chat.completions.create(ASKED);
  expect(choices[0]?.message.content).toBe(textAnswer(20).text.join(''));
  expect(await ada.chat.completions.stream(ASKED).finalContent()).toBe(textAnswer(20).text.join(''));
  expect(second.calls.map(({ model }) => model)).toEqual(['openai/gpt-5', 'openai/gpt-5']);
  expect(SECRETS.slice(2)).toEqual(expect.arrayContaining(second.calls.map(({ key }) => key)));
}, 120_000);

test('who has spent four fifths of a budget is served by the cheaper model, and then nobody pays for a refusal', async () => {
  first.answer = ({ maxTokens = 0 }) => textAnswer(maxTokens);
  const bob = client('gw-bob');
  const models: string[] = [];
  const spend = async () => {
    for (;;) models.push((await bob.chat.completions.create({ ...ASKED, max_tokens: 1500 })).model);
  };
  const refusal = await spend().catch((error) => error);
  expect(refusal).toBeInstanceOf(APIError);
  expect(refusal).toMatchObject({ status: 402, message: expect.stringContaining("that the budget 'user-day' allows") });
  expect(new Set(models)).toEqual(new Set(['gpt-5', 'gpt-5-mini']));
  expect(first.calls).toHaveLength(models.length);
  expect(first.total()).toBeLessThanOrEqual(50_000_000n);
  // Ada's budget is her own.
  expect((await client('gw-ada').chat.completions.create(ASKED)).model).toBe('gpt-5');
}, 120_000);

test('a client that leaves leaves the provider too', async () => {
  Object.assign(first, { tokenMs: 1, answer: () => textAnswer(100_000) });
  const stream = await client('gw-ada').chat.completions.create({ ...ASKED, stream: true });
  let heard = 0;
  for await (const _ of stream) if (++heard === 5) break;
  await idle(first);
  expect(first.calls).toMatchObject([{ end: 'left' }]);
  expect(first.calls[0]?.usage.output).toBeLessThan(100_000);
}, 120_000);

test('a key that it does not know gets nowhere', async () => {
  await expect(client('gw-eve').chat.completions.create(ASKED)).rejects.toBeInstanceOf(AuthenticationError);
  await expect(client('gw-eve').models.list()).rejects.toBeInstanceOf(AuthenticationError);
  expect((await client('gw-bob').models.list()).data.map(({ id }) => id)).toContain('gpt-5-mini');
  expect(first.calls).toHaveLength(0);
}, 120_000);

test('a model that it does not have is said to be none', async () => {
  const asking = client('gw-ada').chat.completions.create({ ...ASKED, model: 'gpt-9' });
  await expect(asking).rejects.toMatchObject({ status: 404, message: "404 The gateway has no model 'gpt-9'." });
  expect(first.calls).toHaveLength(0);
}, 120_000);

test.each<[what: string, sent: { path?: string; body?: string; type?: string }, status: number]>([
  ['no JSON', { body: '{bad' }, 400],
  ['JSON that is no object', { body: '"hello"' }, 400],
  ['no body', {}, 400],
  ['no model', { body: '{}' }, 400],
  ['another media type', { body: 'hello', type: 'text/csv' }, 415],
  ['what is no endpoint', { path: '/v1/poems', body: '{}' }, 404],
])('a client that sends %s is told so, and is not to try again', async (_, { path, body = null, type }, status) => {
  const headers = { Authorization: 'Bearer gw-ada', 'Content-Type': type ?? 'application/json' };
  const answer = await fetch(url + (path ?? '/v1/chat/completions'), { method: 'POST', headers, body });
  expect(answer.status).toBe(status);
  expect(await answer.json()).toMatchObject({ error: { type: 'gateway_error', message: expect.any(String) } });
  expect(first.calls).toHaveLength(0);
});

test('nothing that it has said has a key in it', () => {
  expect(said).toContain('http://localhost:');
  for (const secret of SECRETS) expect(said).not.toContain(secret);
  // Nor has it taken its clients' mistakes for errors of its own.
  expect(said).not.toMatch(/ {4}at |TOLLGATE_SINGLE_KEY/);
});

test('the gateway is as short as it says', () => {
  const source = readFileSync(join(__dirname, '../../examples/gateway/app.ts'), 'utf8');
  expect(source.trimEnd().split('\n').length).toBeLessThan(150);
});
