import type { AddressInfo } from 'node:net';
import { createTollgate, slidingWindow, tokenBucket } from '@tollgate/core';
import { toll, tollgate } from '@tollgate/express';
import express from 'express';

const gate = createTollgate({
  limits: [
    slidingWindow({ name: 'global', limit: 600, window: '1m' }),
    tokenBucket({ name: 'user', by: 'user', capacity: 100, refill: '100/h' }),
    slidingWindow({ name: 'feature', by: ['user', 'feature'], limit: { free: 20, pro: 200 }, window: '1m' }),
  ],
});

const plans = new Map<string | undefined, string>([['ada', 'pro']]);

const app = express();
app.use(express.json());

// A real app knows its users by their session or token; here the client says who it is.
app.use(
  tollgate(gate, { identify: (req) => ({ user: req.get('x-user'), plan: plans.get(req.get('x-user')) ?? 'free' }) }),
);

app.post('/chat', toll('large', { feature: 'chat' }), (req, res) => {
  res.json({ reply: `You said: ${req.body?.message ?? 'nothing'}` });
});

app.post('/summarise', toll('medium', { feature: 'summarise' }), (req, res) => {
  res.json({ summary: String(req.body?.text ?? '').slice(0, 80) });
});

app.post('/embed', toll('small', { feature: 'embed' }), (_req, res) => {
  res.json({ embedding: [0.1, 0.2, 0.3] });
});

const server = app.listen(Number(process.env.PORT ?? 3000), () => {
  console.log(`http://localhost:${(server.address() as AddressInfo).port}`);
});
