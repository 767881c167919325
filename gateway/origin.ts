import type { IncomingHttpHeaders } from 'node:http';
import parseForwarded from 'forwarded-parse';
import proxyAddr from 'proxy-addr';
import { canonicalAddress } from '#common/client-address.ts';
import type { Log } from '#common/log.ts';
import { isSpoofable } from './header-rules.ts';

/** Where a call comes from. */
export interface Origin {
  /** The client's address, in its one spelling. */
  address: string;
  /** How the client speaks to us, or to the proxy in front: `http` or `https`. */
  proto: string;
  /** The host that the client asked for. */
  host: string;
}

/**
 * Who is really calling. What the proxies in front of us say of it is believed when the connection comes from
 * one of `trusted` (addresses and networks): `X-Forwarded-For` or `Forwarded` (RFC 7239). Where there are
 * both, and they name different clients, one of them is the client's own invention, and neither is believed.
 * /
 */
export class Origins {
  readonly #isTrusted: (address: string, hop: number) => boolean;
  readonly #log: Log;
  #hasLogged = false;

  constructor(trusted: readonly string[], log: Log) {
    this.#isTrusted = proxyAddr.compile([...trusted]);
    this.#log = log;
  }

  of(headers: IncomingHttpHeaders, peer: string): Origin {
    const host = headers.host ?? '';
    if (!this.#isTrusted(peer, 0)) return { address: peer, proto: 'http', host };
    const forwarded = this.#forwarded(one(headers.forwarded));
    const last = forwarded?.at(-1);
    return {
      address: this.#address(headers, forwarded, peer),
      proto: (listed(headers['x-forwarded-proto'])[0] ?? last?.proto) === 'https' ? 'https' : 'http',
      host: listed(headers['x-forwarded-host'])[0] ?? last?.host ?? host,
    };
  }

  #address(headers: IncomingHttpHeaders, forwarded: Hop[] | undefined, peer: string): string {
    if (forwarded === undefined) return peer;
    const list = listed(headers['x-forwarded-for']);
    const byList = this.#furthest(list, peer);
    if (forwarded.length === 0) return byList;
    const byForwarded = this.#furthest(
      forwarded.map((hop) => hop.for ?? ''),
      peer,
    );
    if (list.length === 0 || byList === byForwarded) return byForwarded;
    this.#notUnderstood('X-Forwarded-For and Forwarded name different clients');
    return peer;
  }

  /** From us outwards: the first address that is not one of our own proxies. */
  #furthest(hops: readonly string[], peer: string): string {
    let address = peer;
    for (const [i, hop] of hops.toReversed().entries()) {
      if (!this.#isTrusted(address, i)) return address;
      const next = addressOf(hop);
      if (next === undefined) {
        this.#notUnderstood(hop);
        return address;
      }
      address = next;
    }
    return address;
  }

  /** Undefined for what cannot be read. */
  #forwarded(value: string | undefined): Hop[] | undefined {
    if (value === undefined) return [];
    try {
      return parseForwarded(value);
    } catch {
      this.#notUnderstood(value);
      return undefined;
    }
  }

  #notUnderstood(text: string): void {
    if (this.#hasLogged) return;
    this.#hasLogged = true;
    this.#log.warn(
      { text: text.slice(0, LONGEST_LOGGED) },
      'a proxy in front says something of its client that is not understood: the client counts as the proxy',
    );
  }
}

/**
 * Puts what we know of the caller into the forwarding headers, in the place of whatever it said of itself.
 */
export function setForwarding(headers: IncomingHttpHeaders, origin: Origin, requestId: string): void {
  for (const name of Object.keys(headers)) if (isSpoofable(name)) delete headers[name];
  headers['x-forwarded-for'] = origin.address;
  headers['x-forwarded-proto'] = origin.proto;
  headers['x-forwarded-host'] = origin.host;
  headers['x-request-id'] = requestId;
}

/** An address as proxies write it: alone, in brackets, with a port, in quotes. */
function addressOf(hop: string): string | undefined {
  const text = hop.replace(/^"(.*)"$/, '$1').trim();
  const [, inBrackets, ipv4] = /^(?:\[([\da-f:.]+)\](?::\d{1,5})?|([\d.]+):\d{1,5})$/i.exec(text) ?? [];
  return canonicalAddress(inBrackets ?? ipv4 ?? text);
}

function listed(value: string | string[] | undefined): string[] {
  return (one(value) ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean);
}

function one(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(',') : value;
}

const LONGEST_LOGGED = 200;

interface Hop {
  for?: string;
  proto?: string;
  host?: string;
}
