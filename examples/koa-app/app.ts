import type { AddressInfo } from 'node:net';
import Router from '@koa/router';
import { createTollgate, slidingWindow, tokenBucket } from '@tollgate/core';
import { toll, tollgate } from '@tollgate/koa';
import Koa from 'koa';

const gate = createTollgate({
  limits: [
    slidingWindow({ name: 'global', limit: 600, window: '1m' }),
    tokenBucket({ name: 'user', by: 'user', capacity: 100, refill: '100/h' }),
    slidingWindow({ name: 'feature', by: ['user', 'feature'], limit: { free: 20, pro: 200 }, window: '1m' }),
  ],
});

const plans = new Map([['ada', 'pro']]);

const app = new Koa();

// A real app knows its users by their session or token; here the client says who it is.
app.use(
  tollgate(gate, { identify: (ctx) => ({ user: ctx.get('x-user'), plan: plans.get(ctx.get('x-user')) ?? 'free' }) }),
);

const router = new Router();
router.use(toll('small', { feature: 'other' })); // of all routes that say nothing else

router.post('/chat', toll('large', { feature: 'chat' }), (ctx) => {
  ctx.body = { reply: `You said: ${ctx.query.message ?? 'nothing'}` };
});

router.post('/embed', (ctx) => {
  ctx.body = { embedding: [0.1, 0.2, 0.3] };
});

app.use(router.routes());

const server = app.listen(Number(process.env.PORT ?? 3000), () => {
  console.log(`http://localhost:${(server.address() as AddressInfo).port}`);
});
