import { membersOf } from './conversation-id.ts';
import type { Entry, Head, HintListener, Hints, Marks, OpenedAt } from './ports.ts';

/** Somebody who is here: a stream that wants to hear of a user's new entries. */
export interface Listener {
  readonly user: string;
  readonly device: string;
  /** New entries of one conversation, ascending; a hint, for what is missed stands in the log. Must not throw or wait. */
  push(entries: Entry[]): void;
  /** A conversation has grown up to there. False where that was known. Must not throw or wait. */
  announce(head: Head): boolean;
  /** Marks that moved, of any member of the user's conversations. Must not throw or wait. */
  pushMarks?(marks: Marks[]): void;
  /** A newer stream of the same device has come. */
  replaced(): void;
}

/** A stream that opens elsewhere just before may not be listening yet when it is told: so it is told again, after this or twice this. */
const TOLD_AGAIN_MS = 1_000;

/** Who is here on this node, and what wakes them: what is committed here, and what other nodes hint at. */
export class Hub {
  readonly #hints: Hints;
  readonly #clock: () => number;
  readonly #users = new Map<string, Here>();
  /** Streams that opened lately, and a while before that. */
  #opened: { fresh: Listener[]; older: Listener[] } = { fresh: [], older: [] };
  #tellingAgain: NodeJS.Timeout | undefined;

  constructor(hints: Hints, clock: () => number) {
    this.#hints = hints;
    this.#clock = clock;
  }

  /** How many streams are here. */
  get size(): number {
    let size = 0;
    for (const { devices } of this.#users.values()) size += devices.size;
    return size;
  }

  /** The user's devices that have a stream here. */
  devicesOf(user: string): string[] {
    return [...(this.#users.get(user)?.devices.keys() ?? [])];
  }

  /** Adds a listener, ending the older one of its device, here or elsewhere. The result removes it again. */
  join(listener: Listener): () => void {
    const { user, device } = listener;
    const here = this.#here(user);
    const openedAt = { time: this.#clock(), node: this.#hints.node };
    here.devices.get(device)?.listener.replaced();
    here.devices.set(device, { listener, openedAt });
    this.#hints.tellOpened(user, device, openedAt.time);
    // A hint may be lost, and no log would ever tell of this one.
    this.#opened.fresh.push(listener);
    this.#tellingAgain ??= setTimeout(() => this.#tellAgain(), TOLD_AGAIN_MS).unref();
    return () => {
      if (here.devices.get(device)?.listener === listener) here.devices.delete(device);
      if (here.devices.size > 0 || this.#users.get(user) !== here) return;
      this.#users.delete(user);
      here.hints[Symbol.dispose]();
    };
  }

  #tellAgain(): void {
    const { fresh, older } = this.#opened;
    for (const listener of older) {
      const { user, device } = listener;
      const here = this.#users.get(user)?.devices.get(device);
      if (here?.listener === listener) this.#hints.tellOpened(user, device, here.openedAt.time);
    }
    this.#opened = { fresh: [], older: fresh };
    const isOver = fresh.length === 0;
    this.#tellingAgain = isOver ? undefined : setTimeout(() => this.#tellAgain(), TOLD_AGAIN_MS).unref();
  }

  /** Tells all members, here and elsewhere, of entries committed here: of several conversations, ascending within each. */
  publish(entries: Entry[]): void {
    for (const [conversation, its] of Map.groupBy(entries, (entry) => entry.conversation))
      for (const listener of this.#listenersIn(conversation)) listener.push(its);
    this.#hints.tellEntries(entries);
  }

  /** Tells all members, here and elsewhere, of marks that moved here. */
  publishMarks(marks: Marks[]): void {
    this.takeMarks(marks);
    this.#hints.tellMarks(marks);
  }

  /** Tells the members who are here of marks that moved elsewhere. */
  takeMarks(marks: Marks[]): void {
    for (const [conversation, its] of Map.groupBy(marks, (mark) => mark.conversation))
      for (const listener of this.#listenersIn(conversation)) listener.pushMarks?.(its);
  }

  /** Tells the members who are here how far a conversation goes. Returns for how many of them that was news. */
  announce(head: Head): number {
    let news = 0;
    for (const listener of this.#listenersIn(head.conversation)) if (listener.announce(head)) news++;
    return news;
  }

  #listenersIn(conversation: string): Listener[] {
    const listeners: Listener[] = [];
    for (const member of membersOf(conversation) ?? [])
      for (const { listener } of this.#users.get(member)?.devices.values() ?? []) listeners.push(listener);
    return listeners;
  }

  #here(user: string): Here {
    const known = this.#users.get(user);
    if (known !== undefined) return known;
    const devices: Here['devices'] = new Map();
    const here = { devices, hints: this.#hints.listen(user, hearing(devices)) };
    this.#users.set(user, here);
    return here;
  }
}

/** What the devices of one user make of hints. */
function hearing(devices: Here['devices']): HintListener {
  return {
    entries(entries) {
      for (const its of Map.groupBy(entries, (entry) => entry.conversation).values())
        for (const { listener } of devices.values()) listener.push(its);
    },
    heads(heads) {
      for (const head of heads) for (const { listener } of devices.values()) listener.announce(head);
    },
    marks(marks) {
      for (const { listener } of devices.values()) listener.pushMarks?.(marks);
    },
    opened(device, at) {
      // By clocks, which are to be within a second of each other: of two that open in that time the wrong one may end, but only one.
      const known = devices.get(device);
      if (known !== undefined && isBefore(known.openedAt, at)) known.listener.replaced();
    },
  };
}

/** The nodes' names decide where the clocks do not, and on both nodes alike. */
function isBefore(a: OpenedAt, b: OpenedAt): boolean {
  return a.time < b.time || (a.time === b.time && a.node < b.node);
}

/** A user's streams on this node. */
interface Here {
  devices: Map<string, { listener: Listener; openedAt: OpenedAt }>;
  hints: Disposable;
}
