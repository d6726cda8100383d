import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { listening, spawnExample } from './example.js';

let child: ChildProcess;
let url: string;

beforeAll(async () => {
  child = spawnExample('fastify-app/app.ts', [], { PORT: '0' });
  url = await listening(child);
}, 30_000);

afterAll(async () => {
  child.kill();
  await once(child, 'close');
});

function post(path: string, user: string, body: object = {}): Promise<Response> {
  const headers = { 'Content-Type': 'application/json', 'X-User': user };
  return fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
}

/** What is left of each layer that the response tells of. */
function remaining(response: Response): Record<string, number> {
  const items = response.headers.get('RateLimit')?.matchAll(/"([^"]+)";r=(\d+)/g) ?? [];
  return Object.fromEntries([...items].map(([, layer, left]) => [layer, Number(left)]));
}

test('an admitted request is answered by the app and told how it stands, each route at its own cost', async () => {
  const chat = await post('/chat', 'bob', { message: 'hello' });
  expect(chat.status).toBe(200);
  expect(await chat.json()).toEqual({ reply: 'You said: hello' });
  expect(remaining(chat)).toEqual({ user: 90, feature: 10 });
  expect(chat.headers.get('RateLimit-Policy')).toBe(
    '"user";q=100;qu="tollgate-permits";w=3600, "feature";q=20;qu="tollgate-permits";w=60',
  );
  expect(chat.headers.get('Retry-After')).toBeNull();

  expect(remaining(await post('/summarise', 'bob', { text: 'long' }))).toEqual({ user: 87, feature: 17 });
  expect(remaining(await post('/embed', 'bob'))).toEqual({ user: 86, feature: 19 });
});

test('a refused request is told by a problem which layer refused and when to come back, and costs nothing', async () => {
  await post('/chat', 'cleo');
  await post('/chat', 'cleo');
  const refused = await post('/chat', 'cleo');
  expect(refused.status).toBe(429);
  expect(refused.headers.get('Content-Type')).toBe('application/problem+json');
  const wait = Number(refused.headers.get('Retry-After'));
  expect(wait).toBeGreaterThan(0);
  expect(await refused.json()).toEqual({
    type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
    title: 'Limit reached',
    status: 429,
    detail: expect.stringMatching(/^You have used 20 of the 20 permits that 'feature' allows; this request costs 10\./),
    instance: expect.stringMatching(/^urn:tollgate:/),
    layer: 'feature',
    'violated-policies': ['feature'],
    retryAfter: wait,
  });
  expect(remaining(await post('/embed', 'cleo'))).toEqual({ user: 79, feature: 19 });
});

test('a plan with more room per feature ends at the bucket of its user, and nobody else is the poorer', async () => {
  for (let i = 0; i < 10; i++) expect((await post('/chat', 'ada')).status).toBe(200);
  const refused = await post('/chat', 'ada');
  expect(refused.status).toBe(429);
  expect(await refused.json()).toMatchObject({ layer: 'user', 'violated-policies': ['user'] });
  expect(remaining(await post('/chat', 'dan'))).toEqual({ user: 90, feature: 10 });
});

test('what all users share ends for all, and its figures stay with the app', async () => {
  let last = await post('/chat', 'user-0');
  for (let i = 1; i <= 60 && last.status === 200; i++) last = await post('/chat', `user-${i}`);
  expect(last.status).toBe(429);
  const problem = (await last.json()) as { detail: string };
  expect(problem).toMatchObject({ layer: 'global', 'violated-policies': ['global'] });
  expect(problem.detail).not.toContain('600');
});

test('the app is as short as it says', () => {
  const source = readFileSync(join(__dirname, '..', '..', 'examples', 'fastify-app', 'app.ts'), 'utf8');
  expect(source.trimEnd().split('\n').length).toBeLessThan(40);
});
