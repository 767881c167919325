import { type ClientHttp2Session, connect, constants } from 'node:http2';
import type { Limits } from '../limits.ts';
import type { Node } from '../nodes/node.ts';
import type { Nodes } from '../nodes/nodes.ts';

/** A connection to a messenger. */
export interface Link {
  session: ClientHttp2Session;
  node: Node;
  /** Whether it ever stood: before that nothing was sent. */
  wasConnected: boolean;
  /** Once the messenger said goodbye: the last stream that it may have taken. */
  lastTaken?: number;
}

/**
 * The way of one client connection to the messengers: one HTTP/2 connection of its own, opened when first needed, and again, to another
 * node, when its node is left. Nobody shares it, because a server closes a connection on which too many calls are cancelled, with
 * all calls on it. A connection that was left stays until the calls on it have ended.
 */
export class Upstream {
  readonly #nodes: Nodes;
  readonly #limits: Limits;
  readonly #links = new Set<Link>();
  #current: Link | undefined;
  #isOver = false;

  constructor(nodes: Nodes, limits: Limits) {
    this.#nodes = nodes;
    this.#limits = limits;
  }

  /** The connection for the next call: not `failed` nor its node where there is another; undefined when no messenger serves. */
  link(failed?: Link): Link | undefined {
    const current = this.#current;
    if (current?.node.isServing && current !== failed) return current;
    const node = this.#nodes.choose(failed?.node);
    if (node === undefined || node === current?.node) return node && current;
    current?.session.close();
    this.#current = this.#open(node);
    return this.#current;
  }

  /** Whether a call that failed there can go elsewhere at once. */
  hasOther({ node }: Link): boolean {
    const other = this.#nodes.choose(node);
    return other !== undefined && other !== node;
  }

  /** Calls `listener` once, as soon as a messenger begins to serve; the result stops that. */
  onceServing(listener: () => void): () => void {
    return this.#nodes.onceServing(listener);
  }

  destroy(): void {
    this.#isOver = true;
    for (const { session } of this.#links) session.destroy(undefined, constants.NGHTTP2_CANCEL);
  }

  #open(node: Node): Link {
    const { headerPairs, headerBytes, sessionMemory, connectMs, linkAgeMs } = this.#limits;
    const session = connect(`http://${node.address}`, {
      maxHeaderListPairs: headerPairs,
      maxSessionMemory: sessionMemory,
      settings: { enablePush: false, maxHeaderListSize: headerBytes },
    });
    const link: Link = { session, node, wasConnected: false };
    const leave = () => {
      if (this.#current === link) this.#current = undefined;
    };
    const connecting = setTimeout(() => session.destroy(new Error('connecting took too long')), connectMs);
    const aging = setTimeout(
      () => {
        leave();
        session.close();
      },
      linkAgeMs * (0.9 + Math.random() / 10),
    );
    session.once('connect', () => {
      clearTimeout(connecting);
      link.wasConnected = true;
    });
    // Calls learn of it by their own streams.
    session.on('error', leave).once('goaway', (code, lastTaken) => {
      link.lastTaken = lastTaken;
      // With another code the goodbye is for this connection's misdeeds, and says nothing of the node.
      if (code === constants.NGHTTP2_NO_ERROR) node.doubt();
      leave();
    });
    const abandoned = { abandon: () => session.destroy(undefined, constants.NGHTTP2_CANCEL) };
    node.links.add(abandoned);
    this.#links.add(link);
    session.once('close', () => {
      clearTimeout(connecting);
      clearTimeout(aging);
      node.links.delete(abandoned);
      this.#links.delete(link);
      if (!link.wasConnected && !this.#isOver) node.doubt();
      leave();
    });
    return link;
  }
}
