/** Which messenger? There is one; where there are several, this is where one of them is chosen. */
export interface Nodes {
  /** `host:port` of the node for a new upstream connection. */
  choose(): string;
}

export function singleNode(address: string): Nodes {
  return { choose: () => address };
}
