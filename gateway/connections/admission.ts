import type { Limits } from '../limits.ts';
import { Census } from './census.ts';

/** A connection of a client, as the limits see it. */
export interface Member {
  /** The address it counts by, in the form of `addressKey`. Undefined: it counts in the totals only. */
  key: string | undefined;
  /** Ends it, because another one needs its place. */
  cut(): void;
}

type AdmissionLimits = Pick<
  Limits,
  'connections' | 'undecidedConnections' | 'connectionsPerAddress' | 'undecidedPerAddress'
>;

/**
 * Bounds the connections: in all, for each address, and those of either that have not shown their protocol
 * yet. When a total is full, the address with the most connections loses one.
 */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #open = new Set<Member>();
  readonly #undecided = new Set<Member>();
  readonly #openByAddress = new Census<Member>();
  readonly #undecidedByAddress = new Census<Member>();

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  get open(): number {
    return this.#open.size;
  }

  /**
   * Takes a new connection, undecided, if need be in the place of another one; false where there is no place.
   */
  admit(member: Member): boolean {
    if (!this.#hasPlace(member.key)) return false;
    this.#open.add(member);
    this.#undecided.add(member);
    this.#count(member);
    return true;
  }

  /** The proxy in front has said whom the connection is from; false where that address has no place left. */
  name(member: Member, key: string): boolean {
    this.leave(member);
    member.key = key;
    return this.admit(member);
  }

  /** The connection has said what it speaks. */
  decided(member: Member): void {
    this.#undecided.delete(member);
    if (member.key !== undefined) this.#undecidedByAddress.remove(member.key, member);
  }

  /** From now on it counts in the totals alone: it is a service's. */
  exempt(member: Member): void {
    this.#uncount(member);
    member.key = undefined;
  }

  leave(member: Member): void {
    this.#open.delete(member);
    this.#undecided.delete(member);
    this.#uncount(member);
  }

  #hasPlace(key: string | undefined): boolean {
    const { connections, undecidedConnections, connectionsPerAddress, undecidedPerAddress } = this.#limits;
    const undecided = key === undefined ? 0 : this.#undecidedByAddress.sizeOf(key);
    if (key !== undefined && undecided >= undecidedPerAddress)
      this.#cut(oldest(this.#undecidedByAddress.of(key)));
    else if (this.#undecided.size >= undecidedConnections && !this.#cut(this.#undecidedToSpare()))
      return false;

    const open = key === undefined ? 0 : this.#openByAddress.sizeOf(key);
    if (key !== undefined && open >= connectionsPerAddress)
      return this.#cut(oldest(this.#undecidedByAddress.of(key)));
    return this.#open.size < connections || this.#cut(this.#openToSpare(open + 1));
  }

  /** The oldest of those who have had the most time to say something. */
  #undecidedToSpare(): Member | undefined {
    return oldest(this.#undecidedByAddress.fullest()) ?? oldest(this.#undecided);
  }

  /** One of an address that has more than `than`: one that has said nothing, else the newest. */
  #openToSpare(than: number): Member | undefined {
    const fullest = this.#openByAddress.fullest();
    if (fullest.size <= than) return undefined;
    const [{ key = '' } = {}] = fullest;
    return oldest(this.#undecidedByAddress.of(key)) ?? [...fullest].at(-1);
  }

  #cut(member: Member | undefined): boolean {
    if (member === undefined) return false;
    this.leave(member);
    member.cut();
    return true;
  }

  #count(member: Member): void {
    if (member.key === undefined) return;
    this.#openByAddress.add(member.key, member);
    this.#undecidedByAddress.add(member.key, member);
  }

  #uncount(member: Member): void {
    if (member.key === undefined) return;
    this.#openByAddress.remove(member.key, member);
    this.#undecidedByAddress.remove(member.key, member);
  }
}

function oldest(members: ReadonlySet<Member>): Member | undefined {
  const [first] = members;
  return first;
}
