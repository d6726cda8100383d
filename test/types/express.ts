/** What an app that registers no gate is checked for. By `tsc -b`; never run. */
import type { Admission, Tollgate } from '@tollgate/core';
import { type TollHandler, toll, tollgate } from '@tollgate/express';
import express from 'express';

export function routes(gate: Tollgate<'cheap' | 'dear', 'user'>): void {
  const app = express();
  app.use(tollgate(gate));
  app.use(
    tollgate(gate, {
      identify: (req) => ({ user: req.get('x-user'), plan: 'pro' }),
      defaultTier: 'small',
      skip: async (req) => req.path === '/health',
      headers: 'both',
      refundOn: ({ status }) => status >= 500,
      refuse: (refusal, _req, res) => res.json({ sorry: refusal.detail }),
      ipv6Prefix: 64,
    }),
  );
  app.post('/chat', toll('large', { feature: 'any', priority: 'interactive', model: 'm' }), (req, res) => {
    const admission: Admission | undefined = req.admission;
    // @ts-expect-error: there may be none
    req.admission.settle();
    res.json(admission?.id);
  });
  app.post(
    '/by-function',
    toll((req) => (req.query.long ? 'xlarge' : 'small'), { permits: async () => 5 }),
  );
  app.post(
    '/by-body',
    toll('large', {
      model: (req) => req.body.model,
      floor: async (req) => req.get('x-floor'),
      degrade: (req) => req.query.exact === undefined,
      estimate: { inputTokens: 100, outputTokens: 200 },
      usd: () => '$0.02',
    }),
    (req, res) => {
      const { model, degraded }: { model: string | undefined; degraded: boolean } = req.admission as Admission;
      res.json({ model, degraded });
    },
  );
  app.get('/health', toll.free, (_req, res) => res.end());
}

export const tolls: TollHandler[] = [
  toll('small'),
  // @ts-expect-error: no such tier among the default ones
  toll('huge'),
  // @ts-expect-error: no such tier from a function
  toll(() => 'huge'),
  // @ts-expect-error: a tier is a name
  toll(5),
  // @ts-expect-error: a tier is needed
  toll(),
  // @ts-expect-error: no such priority
  toll('small', { priority: 'urgent' }),
  // @ts-expect-error: permits are a number
  toll('small', { permits: '5' }),
  // @ts-expect-error: no such field
  toll('small', { tokens: 5 }),
  toll('small', { model: 'any', floor: 'any other', degrade: false, usd: '$0.02' }),
  // @ts-expect-error: a model is a name
  toll('small', { model: 5 }),
  // @ts-expect-error: a model is a name, from a function too
  toll('small', { model: () => 5 }),
  // @ts-expect-error: a floor is a model's name
  toll('small', { floor: true }),
  // @ts-expect-error: to be degraded or not
  toll('small', { degrade: 'no' }),
  // @ts-expect-error: dollars are written as such
  toll('small', { usd: 0.02 }),
  // @ts-expect-error: dollars are written as such, from a function too
  toll('small', { usd: () => '0.02' }),
  // @ts-expect-error: no such count of tokens
  toll('small', { estimate: { tokens: 5 } }),
];

export function options(gate: Tollgate): void {
  // @ts-expect-error: no such tier
  tollgate(gate, { defaultTier: 'huge' });
  // @ts-expect-error: no such style
  tollgate(gate, { headers: 'new' });
  // @ts-expect-error: a subject has no such dimension
  tollgate(gate, { identify: () => ({ planet: 'mars' }) });
  // @ts-expect-error: an id is text or a number
  tollgate(gate, { identify: () => ({ user: true }) });
  // @ts-expect-error: no such option
  tollgate(gate, { limit: 5 });
  // @ts-expect-error: a refusal has no such field
  tollgate(gate, { refuse: ({ message }, _req, res) => res.json(message) });
  // @ts-expect-error: a gate is what createTollgate returns
  tollgate({});
}
