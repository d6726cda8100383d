/** What all example apps show, whatever their framework. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { listening, spawnExample } from './example.js';

export interface ExampleApp {
  post(path: string, user: string, body?: object): Promise<Response>;
}

/** Starts the example for the tests of this file, and puts it to those that all share. */
export function exampleApp(name: string): ExampleApp {
  let child: ChildProcess;
  let url: string;

  beforeAll(async () => {
    child = spawnExample(`${name}/app.ts`, [], { PORT: '0' });
    url = await listening(child);
  }, 120_000);

  afterAll(async () => {
    child.kill();
    await once(child, 'close');
  });

  function post(path: string, user: string, body: object = {}): Promise<Response> {
    const headers = { 'Content-Type': 'application/json', 'X-User': user };
    return fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  }

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
      detail: expect.stringMatching(
        /^You have used 20 of the 20 permits that 'feature' allows; this request costs 10\./,
      ),
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

  test('a request without a body is no error', async () => {
    const answer = await fetch(`${url}/chat`, { method: 'POST', headers: { 'X-User': 'eve' } });
    expect(await answer.json()).toEqual({ reply: 'You said: nothing' });
  });

  test('the app is as short as it says', () => {
    const source = readFileSync(join(__dirname, '..', '..', 'examples', name, 'app.ts'), 'utf8');
    expect(source.trimEnd().split('\n').length).toBeLessThan(40);
  });

  return { post };
}

/** What is left of each layer that the response tells of. */
export function remaining(response: Response): Record<string, number> {
  const items = response.headers.get('RateLimit')?.matchAll(/"([^"]+)";r=(\d+)/g) ?? [];
  return Object.fromEntries([...items].map(([, layer, left]) => [layer, Number(left)]));
}
