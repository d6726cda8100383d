import { exampleApp, remaining } from './example-app.js';

const { post } = exampleApp('express-app');

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

test('what all users share ends for all, and its figures stay with the app', async () => {
  let last = await post('/chat', 'user-0');
  for (let i = 1; i <= 60 && last.status === 200; i++) last = await post('/chat', `user-${i}`);
  expect(last.status).toBe(429);
  const problem = (await last.json()) as { detail: string };
  expect(problem).toMatchObject({ layer: 'global', 'violated-policies': ['global'] });
  expect(problem.detail).not.toContain('600');
});
