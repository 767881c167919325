import { canonicalAddress } from '#common/client-address.ts';

/** What a PROXY header says, and where the client's own bytes begin. */
export interface ProxyHeader {
  /** The client's address; undefined where the proxy speaks for itself, as its health checks do. */
  address: string | undefined;
  /** Bytes. */
  length: number;
}

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const FIXED = 16;

/** The longest header that is read, bytes: addresses, and room for what a proxy adds. */
const LONGEST = 2_048;

const LOCAL = 0x20;
const PROXY = 0x21;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;

/**
 * Reads the header of the PROXY protocol, version 2
 * (https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt, section 2.2), at the beginning of a
 * connection. Undefined while there is not enough of it; 'wrong' where these bytes do not begin one, or one
 * that we do not take.
 */
export function readProxyHeader(bytes: Buffer): ProxyHeader | 'wrong' | undefined {
  const compared = Math.min(bytes.length, SIGNATURE.length);
  if (!bytes.subarray(0, compared).equals(SIGNATURE.subarray(0, compared))) return 'wrong';
  if (bytes.length < FIXED) return undefined;
  const command = bytes.readUInt8(12);
  const length = FIXED + bytes.readUInt16BE(14);
  if ((command !== LOCAL && command !== PROXY) || length > LONGEST) return 'wrong';
  if (bytes.length < length) return undefined;
  if (command === LOCAL) return { address: undefined, length };
  return addressIn(bytes.readUInt8(13), bytes.subarray(FIXED, length), length);
}

function addressIn(family: number, block: Buffer, length: number): ProxyHeader | 'wrong' {
  if (family === TCP_OVER_IPV4 && block.length >= 12)
    return { address: block.subarray(0, 4).join('.'), length };
  if (family === TCP_OVER_IPV6 && block.length >= 36) {
    const parts = Array.from({ length: 8 }, (_, i) => block.readUInt16BE(2 * i).toString(16));
    return { address: canonicalAddress(parts.join(':')), length };
  }
  return 'wrong';
}
