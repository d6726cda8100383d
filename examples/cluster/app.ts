/** One instance of the app: `node --import tsx app.ts`, with PORT and REDIS_URL. */
import type { AddressInfo } from 'node:net';
import { createTollgate, slidingWindow, tokenBucket } from '@tollgate/core';
import { redisStore } from '@tollgate/core/redis';
import { toll, tollgate } from '@tollgate/express';
import express from 'express';
import { Redis } from 'ioredis';

const { PORT = '3000', REDIS_URL = 'redis://localhost:6379' } = process.env;

const gate = createTollgate({
  name: 'chat',
  limits: [
    slidingWindow({ name: 'global', limit: 600, window: '1m' }),
    tokenBucket({ name: 'user', by: 'user', capacity: 40, refill: '40/h' }),
  ],
  store: redisStore(new Redis(REDIS_URL)),
});

const app = express();
app.use(tollgate(gate, { identify: (req) => ({ user: req.header('x-user') ?? 'nobody' }) }));
app.post('/chat', toll('large'), express.json(), (req, res) => {
  res.json({ reply: `You said: ${req.body?.message ?? 'nothing'}`, by: `instance ${process.pid}` });
});

const server = app.listen(Number(PORT), () => {
  console.log(`http://localhost:${(server.address() as AddressInfo).port}`);
});
