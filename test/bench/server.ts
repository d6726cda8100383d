/** The server of one contender: `server.ts <name>`. Reports its port, then for each message the CPU time used since. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import fastifyRateLimit from '@fastify/rate-limit';
import Router from '@koa/router';
import { createTollgate, slidingWindow, type Tollgate, tokenBucket } from '@tollgate/core';
import * as tollgateExpress from '@tollgate/express';
import * as tollgateFastify from '@tollgate/fastify';
import * as tollgateKoa from '@tollgate/koa';
import express, { type RequestHandler } from 'express';
import { rateLimit } from 'express-rate-limit';
import Fastify, { type FastifyInstance } from 'fastify';
import Koa, { type Middleware } from 'koa';
import koaRateLimit from 'koa-ratelimit';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { serve } from './harness.js';

/** By framework, bare first and twice: the second is the A/A control. */
export const SERVERS = {
  Express: {
    bare: () => expressApp(),
    'bare (A/A)': () => expressApp(),
    'tollgate, 3 layers': () => expressApp(...expressTollgate()),
    'express-rate-limit, 1 counter': () => expressApp(expressRateLimit()),
    'rlf ×5': () => expressApp(rlfFive()),
  },
  Koa: {
    bare: () => koaApp(),
    'bare (A/A)': () => koaApp(),
    'tollgate, 3 layers': () => koaApp(...koaTollgate()),
    'koa-ratelimit, 1 counter': () => koaApp(koaLimit()),
  },
  Fastify: {
    bare: () => fastifyApp(),
    'bare (A/A)': () => fastifyApp(),
    'tollgate, 3 layers': () => fastifyApp(fastifyTollgate),
    '@fastify/rate-limit, 1 counter': () => fastifyApp(fastifyLimit),
  },
} satisfies Record<string, Record<string, () => Server | Promise<Server>>>;

const HUGE = 1_000_000_000;
const HOUR_S = 3600;
const ANSWER = { answer: 'Good evening.' };

function gate(): Tollgate {
  return createTollgate({
    limits: [
      slidingWindow({ name: 'global', limit: HUGE, window: '1h' }),
      tokenBucket({ name: 'user', by: 'user', capacity: HUGE, refill: '100/h' }),
      slidingWindow({ name: 'feature', by: ['user', 'feature'], limit: HUGE, window: '1h' }),
    ],
  });
}

function userOf({ headers }: { headers: Record<string, unknown> }): string {
  return headers['x-user'] as string;
}

function expressApp(...before: RequestHandler[]): Server {
  const app = express().get('/chat', ...before, (_req, res) => {
    res.json(ANSWER);
  });
  return createServer(app);
}

function expressTollgate(): RequestHandler[] {
  const { toll, tollgate } = tollgateExpress;
  return [tollgate(gate(), { identify: (req) => ({ user: userOf(req) }) }), toll('small', { feature: 'chat' })];
}

function expressRateLimit(): RequestHandler {
  return rateLimit({ windowMs: HOUR_S * 1000, limit: HUGE, keyGenerator: userOf });
}

function rlfFive(): RequestHandler {
  const [all, byUser, byFeature, byTenant, byModel] = ['all', 'user', 'feature', 'tenant', 'model'].map(
    (keyPrefix) => new RateLimiterMemory({ keyPrefix, points: HUGE, duration: HOUR_S }),
  );
  return async (req, res, next) => {
    const user = userOf(req);
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

function koaApp(...before: Middleware[]): Server {
  const router = new Router();
  router.get('/chat', ...(before as never[]), (ctx) => {
    ctx.body = ANSWER;
  });
  return createServer(new Koa().use(router.routes()).callback());
}

function koaTollgate(): Middleware[] {
  const { toll, tollgate } = tollgateKoa;
  return [tollgate(gate(), { identify: (ctx) => ({ user: userOf(ctx) }) }), toll('small', { feature: 'chat' })];
}

function koaLimit(): Middleware {
  return koaRateLimit({ driver: 'memory', db: new Map(), duration: HOUR_S * 1000, max: HUGE, id: userOf });
}

async function fastifyApp(limit?: (app: FastifyInstance) => Promise<unknown>): Promise<Server> {
  const app = Fastify();
  await limit?.(app);
  app.get('/chat', { config: { toll: { tier: 'small', feature: 'chat' } } }, async () => ANSWER);
  await app.ready();
  return createServer((req, res) => app.routing(req, res));
}

async function fastifyTollgate(app: FastifyInstance): Promise<void> {
  await app.register(tollgateFastify.tollgate, { gate: gate(), identify: (request) => ({ user: userOf(request) }) });
}

async function fastifyLimit(app: FastifyInstance): Promise<void> {
  await app.register(fastifyRateLimit, { max: HUGE, timeWindow: HOUR_S * 1000, keyGenerator: userOf });
}

const [framework, name] = process.argv.slice(2);
const contenders: Record<string, () => Server | Promise<Server>> = SERVERS[framework as keyof typeof SERVERS];
const server = (await contenders[name]()).listen(0, '127.0.0.1');
await once(server, 'listening');
let before = process.cpuUsage();
serve((server.address() as AddressInfo).port, async () => {
  const { user, system } = process.cpuUsage(before);
  before = process.cpuUsage();
  return user + system;
});
