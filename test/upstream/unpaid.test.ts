/** What nobody pays for: reading alone goes out. Whatever else does is a call, or somebody stands behind it. */
import { slidingWindow } from '@tollgate/core';

import { runWithAdmission } from '@tollgate/core/context';
import { anthropic, createUpstream, gemini, openai } from '@tollgate/upstream';
import { admission, answered, fakeTransport, gateOf, key, warnings } from './support.js';

beforeEach(() => void warnings());

const OPENAI = 'https://api.openai.com/v1';
const GOOGLE = 'https://generativelanguage.googleapis.com/v1beta';
const BODY = JSON.stringify({ model: 'small-1', max_tokens: 20, messages: [{ role: 'user', content: 'hi' }] });

function bench() {
  const { gate, spent } = gateOf({ limits: [slidingWindow({ name: 'all', limit: 3, window: '1m' })] });
  const { fetch, seen } = fakeTransport(answered);
  const keys = [key('a'), key('b')];
  const llm = createUpstream({ gate, fetch, providers: [openai({ keys }), gemini({ keys }), anthropic({ keys })] });
  return { gate, spent, llm, seen };
}

const post = (body: RequestInit['body']): RequestInit => ({ method: 'POST', body, duplex: 'half' }) as RequestInit;

test.each([
  ["OpenAI's path at Google", `${GOOGLE}/openai/chat/completions`, BODY],
  ["OpenAI's path at Anthropic", 'https://api.anthropic.com/v1/chat/completions', BODY],
  ['an escaped colon', `${GOOGLE}/models/small-1%3AgenerateContent`, BODY],
  ['an escaped letter', `${OPENAI}/chat/complet%69ons`, BODY],
  ['another case', `${OPENAI}/Chat/Completions`, BODY],
  ['a Blob', `${OPENAI}/chat/completions`, new Blob([BODY])],
  ['a byte order mark', `${OPENAI}/chat/completions`, `\ufeff${BODY}`],
  ['bytes', `${OPENAI}/chat/completions`, new DataView(new TextEncoder().encode(BODY).buffer)],
])('a call is known as one, and read: %s', async (_what, url, body) => {
  const { llm, seen, spent } = bench();
  const refused = await llm.fetch(url, post(body));
  expect([refused.status, refused.headers.get('tollgate-refused'), seen.length]).toEqual([403, 'no-admission', 0]);
  const response = await llm.as({ subject: { user: 'u1' } }).fetch(url, post(body));
  await response.text();
  expect([response.status, seen.length]).toEqual([200, 1]);
  expect(await spent('u1')).toBeGreaterThanOrEqual(60);
});

test.each([
  ['what no format knows', `${OPENAI}/images/generations`, post(BODY)],
  ['a batch', 'https://api.anthropic.com/v1/messages/batches', post(BODY)],
  ['a call without a body', `${OPENAI}/chat/completions`, { method: 'POST' }],
  ['a deletion', `${OPENAI}/files/f1`, { method: 'DELETE' }],
])('needs somebody to stand behind it, and costs them no tokens: %s', async (_what, url, init) => {
  const { gate, llm, seen, spent } = bench();
  const refused = await llm.fetch(url, init);
  expect([refused.status, refused.headers.get('tollgate-refused'), seen.length]).toEqual([403, 'no-admission', 0]);
  await (await llm.as({ subject: { user: 'u1' } }).fetch(url, init)).text();
  const admitted = await admission(gate, { estimate: { inputTokens: 0, outputTokens: 0 } });
  await runWithAdmission(admitted, async () => (await llm.fetch(url, init)).text());
  await admitted.settle();
  expect([seen.length, await spent('u1')]).toEqual([2, 0]);
});

test('what no format knows is held to the limits of whoever is named', async () => {
  const { llm, seen } = bench();
  const { fetch } = llm.as({ subject: { user: 'u1' } });
  const statuses: number[] = [];
  for (let i = 0; i < 4; i++) statuses.push((await fetch(`${OPENAI}/images/generations`, post(BODY))).status);
  expect([statuses, seen.length]).toEqual([[200, 200, 200, 429], 3]);
});

test('what only reads is counted by the key, and nobody is warned of a dimension that is none of theirs', async () => {
  const warned = warnings();
  const { llm } = bench();
  await (await llm.fetch(`${OPENAI}/models`)).text();
  await llm.inspect();
  expect(warned.filter(({ code }) => code === 'TOLLGATE_DIMENSION_MISSING')).toEqual([]);
});

test('what only reads goes out without anybody, and not as something else', async () => {
  const { llm, seen } = bench();
  const headers = { 'x-http-method-override': 'POST' };
  for (const method of ['GET', 'HEAD']) await llm.fetch(`${OPENAI}/models`, { method, headers });
  expect(seen.map(({ method, headers }) => [method, headers['x-http-method-override']])).toEqual([
    ['GET', undefined],
    ['HEAD', undefined],
  ]);
});
