import { hash, randomUUID } from 'node:crypto';
import { type Bus, MAX_MESSAGE_BYTES } from '#common/bus/bus.ts';
import { Hint, type HintedEntry, type HintedMarks } from '#proto/chatterbox/internal/v1/hint.ts';
import { membersOf } from '../conversation-id.ts';
import type { Entry, HintListener, Hints, Marks } from '../ports.ts';

/** More text than this (UTF-16 units) in one conversation is left to be read from the log. */
const MAX_TEXT = MAX_MESSAGE_BYTES / 8;
const ALIVE_EVERY_MS = 1_000;
const GONE_AFTER_MS = 5_000;
const ALIVE = 'chatterbox.nodes.alive';

/**
 * Hints over the bus, on a subject for each user, which only nodes that hold that user listen to. Nodes say that they are alive; where
 * nobody else is, nothing is said.
 */
export class BusHints implements Hints, AsyncDisposable {
  readonly #bus: Bus;
  readonly #steady: () => number;
  readonly node = randomUUID();
  /** When each other node was last heard, by the steady clock. */
  readonly #others = new Map<string, number>();
  readonly #alive: NodeJS.Timeout;
  readonly #hearing: Disposable;

  /** `steady`: ms that only grow, see common/clocks.ts. */
  constructor(bus: Bus, steady: () => number) {
    this.#bus = bus;
    this.#steady = steady;
    this.#hearing = bus.subscribe(ALIVE, (message) => this.#heard(Buffer.from(message).toString()));
    this.#alive = setInterval(() => this.#sayAlive(), ALIVE_EVERY_MS).unref();
    this.#sayAlive();
  }

  /** How many other nodes have been heard of lately. */
  get others(): number {
    return this.#others.size;
  }

  tellEntries(entries: Entry[]): void {
    if (this.#others.size === 0) return;
    for (const [conversation, its] of Map.groupBy(entries, (entry) => entry.conversation)) {
      const lastSeq = BigInt(its.at(-1)?.seq ?? 0);
      const text = its.reduce((sum, { body }) => sum + body.length, 0);
      const hint = text > MAX_TEXT ? { heads: [{ conversation, lastSeq }] } : { entries: its.map(toHinted) };
      this.#tell(conversation, hint);
    }
  }

  tellMarks(marks: Marks[]): void {
    if (this.#others.size === 0) return;
    for (const [conversation, its] of Map.groupBy(marks, (mark) => mark.conversation))
      this.#tell(conversation, { marks: its.map(toHintedMarks) });
  }

  tellOpened(user: string, device: string, time: number): void {
    if (this.#others.size === 0) return;
    const opened = { device, openedAt: BigInt(time), node: this.node };
    this.#bus.publish(subjectOf(user), encode({ opened }));
  }

  listen(user: string, listener: HintListener): Disposable {
    return this.#bus.subscribe(subjectOf(user), (message) => {
      const { entries, heads, marks, opened } = Hint.decode(message);
      if (entries.length > 0) listener.entries(entries.map(fromHinted));
      if (heads.length > 0) listener.heads(heads.map((head) => ({ ...head, lastSeq: Number(head.lastSeq) })));
      if (marks.length > 0) listener.marks(marks.map(fromHintedMarks));
      if (opened !== undefined)
        listener.opened(opened.device, { time: Number(opened.openedAt), node: opened.node });
    });
  }

  /** Encoded once for all members. */
  #tell(conversation: string, hint: Partial<Hint>): void {
    const message = encode(hint);
    for (const member of membersOf(conversation) ?? []) this.#bus.publish(subjectOf(member), message);
  }

  /** Whoever is heard for the first time is answered at once: it does not know of us yet. */
  #heard(id: string): void {
    const isNew = !this.#others.has(id);
    this.#others.set(id, this.#steady());
    if (isNew) this.#sayAlive();
  }

  #sayAlive(): void {
    for (const [id, heardAt] of this.#others)
      if (this.#steady() - heardAt > GONE_AFTER_MS) this.#others.delete(id);
    this.#bus.publish(ALIVE, Buffer.from(this.node));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#alive);
    this.#hearing[Symbol.dispose]();
    await this.#bus[Symbol.asyncDispose]();
  }
}

/** A hash, for a dot or a star in a name would be read as structure. */
function subjectOf(user: string): string {
  return `chatterbox.user.${hash('sha256', user, 'hex').slice(0, 32)}`;
}

function encode(hint: Partial<Hint>): Uint8Array {
  return Hint.encode({ heads: [], entries: [], marks: [], opened: undefined, ...hint }).finish();
}

function toHinted({ seq, sentAt, messagesSoFar, ...entry }: Entry): HintedEntry {
  return { ...entry, seq: BigInt(seq), sentAt: BigInt(sentAt), messagesSoFar: BigInt(messagesSoFar) };
}

function fromHinted({ seq, sentAt, messagesSoFar, ...entry }: HintedEntry): Entry {
  return { ...entry, seq: Number(seq), sentAt: Number(sentAt), messagesSoFar: Number(messagesSoFar) };
}

function toHintedMarks({ readSeq, deliveredSeq, revision, marksRevision, ...marks }: Marks): HintedMarks {
  return {
    ...marks,
    readSeq: BigInt(readSeq),
    deliveredSeq: BigInt(deliveredSeq),
    revision: BigInt(revision),
    marksRevision: BigInt(marksRevision),
  };
}

function fromHintedMarks({ readSeq, deliveredSeq, revision, marksRevision, ...marks }: HintedMarks): Marks {
  return {
    ...marks,
    readSeq: Number(readSeq),
    deliveredSeq: Number(deliveredSeq),
    revision: Number(revision),
    marksRevision: Number(marksRevision),
  };
}
