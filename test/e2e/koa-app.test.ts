import { exampleApp, remaining } from './example-app.js';

const { post } = exampleApp('koa-app');

test('an admitted request is answered by the app and told how it stands: at its own cost, or its router’s', async () => {
  const chat = await post('/chat?message=hello', 'bob');
  expect(chat.status).toBe(200);
  expect(await chat.json()).toEqual({ reply: 'You said: hello' });
  expect(remaining(chat)).toEqual({ user: 90, feature: 10 });
  expect(chat.headers.get('RateLimit-Policy')).toBe(
    '"user";q=100;qu="tollgate-permits";w=3600, "feature";q=20;qu="tollgate-permits";w=60',
  );
  expect(chat.headers.get('Retry-After')).toBeNull();

  const embed = await post('/embed', 'bob');
  expect(await embed.json()).toEqual({ embedding: [0.1, 0.2, 0.3] });
  expect(remaining(embed)).toEqual({ user: 89, feature: 19 });
});
