/** The admin surface as a plugin of Fastify among others. */
import { tollgateAdmin } from '@tollgate/fastify';
import type { FastifyRequest } from 'fastify';
import { openFastify } from '../helpers/http-fastify.js';

const authorize = ({ headers }: FastifyRequest) => headers['x-user'] === 'ann';

test.each(['/admin', '/admin/', '/t/:tenant/admin'])(
  'at %s it is free, and leaves bodies elsewhere alone',
  async (prefix) => {
    const echo = { config: { toll: 'free' } } as const;
    const { app, gate, used } = await openFastify((app) => app.post('/echo', echo, async ({ body }) => body), {
      defaultTier: 'large',
    });
    await app.register(tollgateAdmin, { prefix, gates: [gate], authorize });
    const headers = { 'x-user': 'ann', 'content-type': 'application/json' };
    const url = `${prefix.replace(':tenant', 'acme').replace(/\/$/, '')}/gates`;
    const gates = await app.inject({ url, headers });
    expect([gates.statusCode, gates.json()]).toMatchObject([200, { gates: [{ name: gate.name }] }]);
    expect((await app.inject({ url, headers: { 'x-user': 'eve' } })).statusCode).toBe(403);
    expect(await used('user')).toBe(0);
    expect((await app.inject({ method: 'POST', url: '/echo', headers, payload: '{"a":1}' })).json()).toEqual({ a: 1 });
  },
);
