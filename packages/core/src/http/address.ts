/** Addresses as limits count them. */
import ipaddr from 'ipaddr.js';

/** Or in brackets, as an IPv6 address then is. */
const WITH_PORT = /^(?:\[([^\]]+)\](?::\d+)?|([\d.]+):\d+)$/;

/**
 * An IPv4 address as it is, also where it came wrapped in IPv6; of an IPv6 address the network, since whoever has one
 * address has all of those. Without the port that some proxies tell with it. `undefined` for what is no address.
 *
 * @param prefix bits of an IPv6 address that tell callers apart
 */
export function addressKey(ip: string | undefined, prefix: number): string | undefined {
  if (ip === undefined || ipaddr.IPv4.isValidFourPartDecimal(ip)) return ip;
  const [, v6, v4] = WITH_PORT.exec(ip) ?? [];
  if (v4 !== undefined) return addressKey(v4, prefix);
  const bare = v6 ?? ip;
  if (!ipaddr.IPv6.isValid(bare)) return undefined;
  const address = ipaddr.process(bare);
  if (address instanceof ipaddr.IPv4) return address.toString();
  const network = ipaddr.IPv6.networkAddressFromCIDR(`${new ipaddr.IPv6(address.parts).toString()}/${prefix}`);
  return `${network.toString()}/${prefix}`;
}
