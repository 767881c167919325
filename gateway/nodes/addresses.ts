import { lookup as dnsLookup } from 'node:dns/promises';
import { isIP } from 'node:net';

/** The IP addresses of a host name. Rejects when there are none. */
export type Lookup = (host: string) => Promise<string[]>;

/** As the operating system resolves names, its files of hosts included. */
export const lookup: Lookup = async (host) =>
  (await dnsLookup(host, { all: true })).map(({ address }) => address);

/** Where the configured `host:port` are: a name may stand for several machines, and for others tomorrow. */
export class Addresses {
  readonly #configured: readonly string[];
  readonly #lookup: Lookup;
  readonly #known = new Map<string, string[]>();

  constructor(configured: readonly string[], resolve: Lookup = lookup) {
    this.#configured = configured;
    this.#lookup = resolve;
  }

  /** Each machine once, as `ip:port`. A name that cannot be resolved now keeps the addresses that it had. */
  async resolve(): Promise<Set<string>> {
    await Promise.all(this.#configured.map((address) => this.#refresh(address)));
    return new Set(this.#configured.flatMap((address) => this.#known.get(address) ?? []));
  }

  async #refresh(address: string): Promise<void> {
    const [, host = '', port = ''] = /^\[?([^\]]*?)\]?:(\d+)$/.exec(address) ?? [];
    const found = isIP(host) === 0 ? await this.#lookup(host).catch(() => []) : [host];
    if (found.length === 0) return;
    this.#known.set(
      address,
      found.map((ip) => (isIP(ip) === 6 ? `[${ip}]:${port}` : `${ip}:${port}`)),
    );
  }
}
