import { type ClientHttp2Session, connect, constants } from 'node:http2';
import type { Limits } from '../limits.ts';
import type { Nodes } from './nodes.ts';

/** A connection to a messenger. */
export interface Link {
  session: ClientHttp2Session;
  address: string;
  /** Whether it ever stood: before that nothing was sent. */
  wasConnected: boolean;
  /** Once the messenger said goodbye: the last stream that it may have taken. */
  lastTaken?: number;
}

/**
 * The way of one client connection to the messenger: one HTTP/2 connection of its own, opened when first needed and again when
 * lost. Nobody shares it, because a server closes a connection on which too many calls are cancelled, with all calls on it.
 */
export class Upstream {
  readonly #nodes: Nodes;
  readonly #limits: Limits;
  #link: Link | undefined;

  constructor(nodes: Nodes, limits: Limits) {
    this.#nodes = nodes;
    this.#limits = limits;
  }

  link(): Link {
    this.#link ??= this.#open();
    return this.#link;
  }

  /** Lets calls in flight end, then closes. */
  close(): void {
    this.#link?.session.close();
  }

  destroy(): void {
    this.#link?.session.destroy(undefined, constants.NGHTTP2_CANCEL);
  }

  #open(): Link {
    const address = this.#nodes.choose();
    const { headerPairs, headerBytes, sessionMemory } = this.#limits;
    const session = connect(`http://${address}`, {
      maxHeaderListPairs: headerPairs,
      maxSessionMemory: sessionMemory,
      settings: { enablePush: false, maxHeaderListSize: headerBytes },
    });
    const link: Link = { session, address, wasConnected: false };
    const forget = () => {
      if (this.#link === link) this.#link = undefined;
    };
    const timer = setTimeout(
      () => session.destroy(new Error('connecting took too long')),
      this.#limits.connectMs,
    );
    session.once('connect', () => {
      clearTimeout(timer);
      link.wasConnected = true;
    });
    // Calls learn of it by their own streams.
    session.on('error', forget).once('goaway', (_code, lastTaken) => {
      link.lastTaken = lastTaken;
      forget();
    });
    session.once('close', () => {
      clearTimeout(timer);
      forget();
    });
    return link;
  }
}
