/** Addresses: as far as the app trusts its proxies, a network for IPv6, and a warning where trust is set wrong. */
import { slidingWindow } from '@tollgate/core';
import { recordWarnings } from '../../helpers/http-warnings.js';
import { as, type BenchSpec, type Open, ok } from './workbench.js';

const limits = [slidingWindow({ name: 'ip', by: 'ip', limit: 20, window: '1m' })];
const routes = [{ path: '/', toll: { tier: 'large' } as const, handler: ok }];

export function proxyContract(open: Open): void {
  const warnings = recordWarnings();
  const from = (...addresses: string[]) => ({ headers: { 'x-forwarded-for': addresses.join(', ') } });
  const openFor = (spec: Partial<BenchSpec> = {}) => open({ limits, routes, ...spec });

  test('without a trusted proxy the address is the connection’s, whatever the client forges', async () => {
    const { send, used } = await openFor();
    expect((await send('/', from('1.1.1.1'))).status).toBe(200);
    expect((await send('/', from('2.2.2.2'))).status).toBe(200);
    expect((await send('/', from('3.3.3.3'))).status).toBe(429);
    expect(await used('ip', { ip: '127.0.0.1' })).toBe(20);
    for (const ip of ['1.1.1.1', '2.2.2.2', '3.3.3.3']) expect(await used('ip', { ip })).toBe(0);
  });

  test('X-Forwarded-For without a trusted proxy warns, once', async () => {
    const { send } = await openFor();
    await send('/');
    expect(warnings()).toEqual([]);
    for (let i = 0; i < 3; i++) await send('/', from('1.1.1.1'));
    expect(warnings()).toEqual(['TOLLGATE_PROXY_NOT_TRUSTED']);
  });

  test('trust in every proxy warns, once', async () => {
    const { send } = await openFor({ trustProxy: true });
    for (let i = 0; i < 3; i++) await send('/', from('1.1.1.1'));
    expect(warnings()).toEqual(['TOLLGATE_PROXY_TRUSTED_BLINDLY']);
  });

  test('trust in a number of proxies warns of nothing, and counts who came to the first of them', async () => {
    const { send, used } = await openFor({ trustProxy: 1 });
    for (const forged of ['6.6.6.6', '7.7.7.7', '8.8.8.8']) await send('/', from(forged, '1.1.1.1'));
    expect(await used('ip', { ip: '1.1.1.1' })).toBe(20);
    for (const ip of ['6.6.6.6', '7.7.7.7', '127.0.0.1']) expect(await used('ip', { ip })).toBe(0);
    expect(warnings()).toEqual([]);
  });

  test('limits that do not count by address warn of no proxies', async () => {
    const byUser = [slidingWindow({ name: 'user', by: 'user', limit: 20, window: '1m' })];
    const { send } = await openFor({ limits: byUser, trustProxy: true });
    await send('/', { headers: { ...as({ user: 'ann' }), 'x-forwarded-for': '1.1.1.1' } });
    expect(warnings()).toEqual([]);
  });

  test('an address that identify gives is taken as it is, and proxies are its own affair', async () => {
    const { send, used } = await openFor({ trustProxy: true });
    await send('/', { headers: { ...as({ ip: '10.0.0.1' }), 'x-forwarded-for': '1.1.1.1' } });
    expect(await used('ip', { ip: '10.0.0.1' })).toBe(10);
    expect(warnings()).toEqual([]);
  });

  describe('IPv6', () => {
    test('the addresses of one /56 are one caller, in whatever spelling; the next network is another', async () => {
      const { send } = await openFor({ trustProxy: 1 });
      await send('/', from('2001:db8:0:1200::1'));
      await send('/', from('2001:DB8:0:12ff:ffff:ffff:ffff:ffff'));
      expect((await send('/', from('2001:0db8:0000:1234:0:0:0:0042'))).status).toBe(429);
      expect((await send('/', from('2001:db8:0:1300::1'))).status).toBe(200);
      expect((await send('/', from('2001:db8:0:11ff::1'))).status).toBe(200);
    });

    test('`ipv6Prefix` says how much of an address tells callers apart', async () => {
      const { send } = await openFor({ trustProxy: 1, options: { ipv6Prefix: 64 } });
      for (const ip of ['2001:db8:0:1200::1', '2001:db8:0:1200::2']) await send('/', from(ip));
      expect((await send('/', from('2001:db8:0:1200::3'))).status).toBe(429);
      expect((await send('/', from('2001:db8:0:1201::1'))).status).toBe(200);
    });

    test('an IPv4 address in IPv6 dress is that IPv4 address', async () => {
      const { send, used } = await openFor({ trustProxy: 1 });
      for (const ip of ['1.2.3.4', '::ffff:1.2.3.4', '::FFFF:102:304']) await send('/', from(ip));
      expect(await used('ip', { ip: '1.2.3.4' })).toBe(20);
      expect((await send('/', from('::ffff:1.2.3.5'))).status).toBe(200);
    });

    test('what is no address is counted with the unknown, not apart', async () => {
      const { send } = await openFor({ trustProxy: 1 });
      for (const ip of [':::::1', 'a:b:c']) expect((await send('/', from(ip))).status).toBe(200);
      expect((await send('/', from('2001:db8::zz'))).status).toBe(429);
    });
  });

  test('callers are told their own figures', async () => {
    const { send } = await openFor();
    const { headers } = await send('/');
    expect(headers.ratelimit).toMatch(/^"ip";r=10;t=\d+$/);
  });
}
