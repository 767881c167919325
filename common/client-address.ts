import ipaddr from 'ipaddr.js';

/**
 * An IP address in its one spelling, by which equal addresses compare equal: lower case, the shortest form,
 * without a zone, and an IPv4-mapped IPv6 address as that IPv4 address. Undefined for what is no address.
 */
export function canonicalAddress(text: string): string | undefined {
  // As most come. Node itself writes IPv4 addresses without leading zeros.
  if (PLAIN_IPV4.test(text)) return text;
  if (!ipaddr.IPv6.isValid(text)) return undefined;
  const [withoutZone = ''] = text.split('%', 1);
  const address = ipaddr.IPv6.parse(withoutZone);
  return (address.isIPv4MappedAddress() ? address.toIPv4Address() : address).toString();
}

/**
 * What limits and throttles count a caller by: an IPv4 address, or the /64 network of an IPv6 address,
 * because one host has all addresses of its network. What is no address counts as itself, cut to 64
 * characters.
 */
export function addressKey(text: string): string {
  const address = canonicalAddress(text);
  if (address === undefined) return text.slice(0, LONGEST_KEY);
  if (!address.includes(':')) return address;
  const network = ipaddr.IPv6.parse(address).parts.slice(0, 4);
  return `${network.map((part) => part.toString(16)).join(':')}::/64`;
}

const BYTE = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const PLAIN_IPV4 = new RegExp(`^${BYTE}(?:\\.${BYTE}){3}$`);

/** The width of the columns that hold such a key. */
const LONGEST_KEY = 64;
