import { BlockList, isIP } from 'node:net';
import type { RequestHandler } from 'express';
import { isSpoofable } from '../header-rules.ts';

/**
 * Puts into the forwarding headers what we know of the caller, in the place of whatever it said of itself. Headers of the proxies in front
 * of us are believed when the connection comes from one of `trusted` (addresses and networks).
 */
export function setOrigin(trusted: readonly string[]): RequestHandler {
  const isTrusted = matcher(trusted);
  return (request, _response, next) => {
    const { headers, socket } = request;
    const peer = socket.remoteAddress ?? '';
    const isBehindProxy = isTrusted(peer);
    const address = isBehindProxy ? furthest(listed(headers['x-forwarded-for']), peer, isTrusted) : peer;
    const proto = isBehindProxy && listed(headers['x-forwarded-proto'])[0] === 'https' ? 'https' : 'http';
    const host = (isBehindProxy && listed(headers['x-forwarded-host'])[0]) || headers.host || '';
    for (const name of Object.keys(headers)) if (isSpoofable(name)) delete headers[name];
    headers['x-forwarded-for'] = address;
    headers['x-forwarded-proto'] = proto;
    headers['x-forwarded-host'] = host;
    headers['x-request-id'] = request.id;
    next();
  };
}

/** From us outwards: the first address that is not one of our own proxies. */
function furthest(chain: string[], peer: string, isTrusted: (address: string) => boolean): string {
  let address = peer;
  for (const hop of chain.toReversed()) {
    if (!isTrusted(address) || isIP(hop) === 0) return address;
    address = hop;
  }
  return address;
}

function listed(value: string | string[] | undefined): string[] {
  return (Array.isArray(value) ? value.join(',') : (value ?? ''))
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean);
}

function matcher(networks: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return (address) => isIP(address) !== 0 && list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}
