/** The server of one contender: `server.ts <name>`. Reports its port, then for each message the CPU time used since. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createTollgate, slidingWindow, tokenBucket } from '@tollgate/core';
import { toll, tollgate } from '@tollgate/express';
import express, { type Express, type RequestHandler } from 'express';
import { rateLimit } from 'express-rate-limit';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { serve } from './harness.js';

export const SERVERS = {
  bare: () => app(),
  'bare (A/A)': () => app(),
  'tollgate, 3 layers': () => app(...tollgateLayers()),
  'express-rate-limit, 1 counter': () => app(expressRateLimit()),
  'rlf ×5': () => app(rlfFive()),
} satisfies Record<string, () => Express>;

export type ServerName = keyof typeof SERVERS;

const HUGE = Number.MAX_SAFE_INTEGER;
const HOUR_S = 3600;

function app(...before: RequestHandler[]): Express {
  return express().get('/chat', ...before, (_req, res) => {
    res.json({ answer: 'Good evening.' });
  });
}

function tollgateLayers(): RequestHandler[] {
  const gate = createTollgate({
    limits: [
      slidingWindow({ name: 'global', limit: HUGE, window: '1h' }),
      tokenBucket({ name: 'user', by: 'user', capacity: HUGE, refill: '100/h' }),
      slidingWindow({ name: 'feature', by: ['user', 'feature'], limit: HUGE, window: '1h' }),
    ],
  });
  return [
    tollgate(gate, { identify: (req) => ({ user: req.headers['x-user'] as string }) }),
    toll('small', { feature: 'chat' }),
  ];
}

function expressRateLimit(): RequestHandler {
  return rateLimit({
    windowMs: HOUR_S * 1000,
    limit: HUGE,
    keyGenerator: (req) => req.headers['x-user'] as string,
  });
}

function rlfFive(): RequestHandler {
  const [all, byUser, byFeature, byTenant, byModel] = ['all', 'user', 'feature', 'tenant', 'model'].map(
    (keyPrefix) => new RateLimiterMemory({ keyPrefix, points: HUGE, duration: HOUR_S }),
  );
  return async (req, res, next) => {
    const user = req.headers['x-user'] as string;
    try {
      await all.consume('all', 1);
      await byUser.consume(user, 1);
      await byFeature.consume(`${user}:chat`, 1);
      await byTenant.consume('tenant', 1);
      await byModel.consume('tenant:large-model', 1);
    } catch {
      res.status(429).end();
      return;
    }
    next();
  };
}

const name = process.argv[2] as ServerName;
const server = SERVERS[name]().listen(0, '127.0.0.1');
await once(server, 'listening');
let before = process.cpuUsage();
serve((server.address() as AddressInfo).port, async () => {
  const { user, system } = process.cpuUsage(before);
  before = process.cpuUsage();
  return user + system;
});
