/** The same for the README of Fastify. */
import { createTollgate, slidingWindow, type Tollgate } from '@tollgate/core';
import fastify, { type RouteHandlerMethod } from 'fastify';

declare module 'fastify' {
  interface FastifyRequest {
    user: { id: string };
  }
}

export const newApp = () => fastify();
export const gate: Tollgate = createTollgate({
  limits: [slidingWindow({ name: 'user', by: 'user', limit: 60, window: '1m' })],
});
export const handler: RouteHandlerMethod = async () => 'Hello';
