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
 * one of `trusted` (addresses and networks): `X-Forwarded-For`, or, without that, `Forwarded` (RFC 7239). A
 * proxy that writes only the second has to take away the first, which is the client's own invention then.
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
    const list = listed(headers['x-forwarded-for']);
    const forwarded = list.length > 0 ? [] : this.#forwarded(one(headers.forwarded));
    const hops = list.length > 0 ? list : forwarded.map((hop) => hop.for ?? '');
    const last = forwarded.at(-1);
    return {
      address: this.#furthest(hops, peer),
      proto: (listed(headers['x-forwarded-proto'])[0] ?? last?.proto) === 'https' ? 'https' : 'http',
      host: listed(headers['x-forwarded-host'])[0] ?? last?.host ?? host,
    };
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

  /** None for what cannot be read. */
  #forwarded(value: string | undefined): Hop[] {
    if (value === undefined) return [];
    try {
      return parseForwarded(value);
    } catch {
      this.#notUnderstood(value);
      return [];
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
