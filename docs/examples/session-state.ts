import type { Entry, Marks } from '#proto/chatterbox/v1/entries.ts';
import type { Gap, Position } from '#proto/chatterbox/v1/session.ts';

/**
 * What one device of one account keeps, so that its next session goes on where this one was. An app keeps it
 * durably together with the entries; one that loses it takes a new device name.
 */
export class SessionState {
  /** Of the log; empty before the first session. */
  epoch = '';
  /** The greatest revision in marks of one's own. */
  revision = 0n;
  readonly #places = new Map<string, Place>();

  static fromJSON({ epoch, revision, places }: SavedState): SessionState {
    const state = new SessionState();
    state.epoch = epoch;
    state.revision = BigInt(revision);
    for (const [conversation, seq, marksRevision] of places)
      state.#places.set(conversation, { seq: BigInt(seq), marksRevision: BigInt(marksRevision) });
    return state;
  }

  toJSON(): SavedState {
    const places = Array.from(this.#places, ([conversation, { seq, marksRevision }]): SavedPlace => {
      return [conversation, String(seq), String(marksRevision)];
    });
    return { epoch: this.epoch, revision: String(this.revision), places };
  }

  /** True where the log is another one than before: then nothing that was known holds any more. */
  takeEpoch(epoch: string): boolean {
    const isAnother = this.epoch !== '' && this.epoch !== epoch;
    if (isAnother) {
      this.revision = 0n;
      this.#places.clear();
    }
    this.epoch = epoch;
    return isAnother;
  }

  /** Whether the entry was not shown yet. */
  isNew({ conversation, seq }: Entry): boolean {
    return seq > (this.#places.get(conversation)?.seq ?? 0n);
  }

  /** Everything of the conversation up to `seq` was shown, or lies in a gap. */
  reach(conversation: string, seq: bigint): void {
    const place = this.#place(conversation);
    if (seq > place.seq) place.seq = seq;
  }

  takeGaps(gaps: Gap[]): void {
    for (const { conversation, lastSeq } of gaps) this.reach(conversation, lastSeq);
  }

  takeMarks(marks: Marks[]): void {
    for (const { revision, conversation, marksRevision } of marks) {
      this.takeRevision(revision);
      const place = this.#place(conversation);
      if (marksRevision > place.marksRevision) place.marksRevision = marksRevision;
    }
  }

  takeRevision(revision: bigint): void {
    if (revision > this.revision) this.revision = revision;
  }

  /** What may be acknowledged once this state is kept. */
  position(conversation: string): Position {
    return { conversation, ...this.#place(conversation) };
  }

  #place(conversation: string): Place {
    const known = this.#places.get(conversation);
    if (known !== undefined) return known;
    const place = { seq: 0n, marksRevision: 0n };
    this.#places.set(conversation, place);
    return place;
  }
}

/** As JSON: conversation, last shown seq, greatest revision of its marks. */
type SavedPlace = [conversation: string, seq: string, marksRevision: string];

export interface SavedState {
  epoch: string;
  revision: string;
  places: SavedPlace[];
}

interface Place {
  seq: bigint;
  marksRevision: bigint;
}
