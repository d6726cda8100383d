/** What is made of tolls in an app of its own can be typed by what its adapter exports. By `tsc -b`; never run. */
import type { Fact as ExpressFact, TollOptions as ExpressOptions, TierName as ExpressTier } from '@tollgate/express';
import { toll as expressToll } from '@tollgate/express';
import type { TierName as FastifyTier, TollConfig } from '@tollgate/fastify';
import type { Fact as KoaFact, TollOptions as KoaOptions, TierName as KoaTier } from '@tollgate/koa';
import { toll as koaToll } from '@tollgate/koa';
import type { Request } from 'express';
import type { Context } from 'koa';

export const chat = (tier: ExpressFact<Request, ExpressTier>, options: ExpressOptions<Request> = {}) =>
  expressToll(tier, { feature: 'chat', ...options });

export const koaChat = (tier: KoaFact<Context, KoaTier>, options: KoaOptions<Context> = {}) =>
  koaToll(tier, { feature: 'chat', ...options });

export const fastifyChat = (tier: FastifyTier): TollConfig => ({ tier, feature: 'chat' });
