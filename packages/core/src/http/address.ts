/** Addresses as limits count them. */
import ipaddr from 'ipaddr.js';

/**
 * An IPv4 address as it is, also where it came wrapped in IPv6; of an IPv6 address the network, since whoever has one
 * address has all of those. `undefined` for what is no address.
 *
 * @param prefix bits of an IPv6 address that tell callers apart
 */
export function addressKey(ip: string | undefined, prefix: number): string | undefined {
  if (ip === undefined || ipaddr.IPv4.isValidFourPartDecimal(ip)) return ip;
  if (!ipaddr.IPv6.isValid(ip)) return undefined;
  const address = ipaddr.process(ip);
  if (address instanceof ipaddr.IPv4) return address.toString();
  const network = ipaddr.IPv6.networkAddressFromCIDR(`${new ipaddr.IPv6(address.parts).toString()}/${prefix}`);
  return `${network.toString()}/${prefix}`;
}
