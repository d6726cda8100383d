/** Whether the address that limits count by is the client's. */
import { warn } from '../errors.js';
import type { Adapter } from './adapter.js';

const SETTING = "Express: 'trust proxy', Koa: app.proxy and app.maxIpsCount, Fastify: trustProxy";

/**
 * Warns, once each, of settings under which clients choose their own address or share the proxy's.
 *
 * @param what goes by addresses
 */
export function proxyWatch<R>(
  adapter: Pick<Adapter<R, never>, 'proxyTrust' | 'header'>,
  what: string,
): (request: R) => void {
  let quiet = false;
  return (request) => {
    if (quiet) return;
    const trust = adapter.proxyTrust(request);
    if (trust === 'all') {
      quiet = true;
      warn(
        'TOLLGATE_PROXY_TRUSTED_BLINDLY',
        `${what}, and the app trusts every proxy: any client can send an X-Forwarded-For of its choice and be ` +
          'counted as somebody new each time. Trust your own proxies alone, by number or by address ' +
          `(${SETTING}).`,
      );
    } else if (trust === 'none' && adapter.header(request, 'x-forwarded-for') !== undefined) {
      quiet = true;
      warn(
        'TOLLGATE_PROXY_NOT_TRUSTED',
        `${what}, and a request came with X-Forwarded-For while the app trusts no proxy. Behind a proxy all ` +
          `clients then count as one, with the proxy's address. Trust your proxies, by number or by address (${SETTING}).`,
      );
    }
  };
}
