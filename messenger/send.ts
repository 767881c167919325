import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { v7 as uuidv7 } from 'uuid';
import { type FieldViolation, invalidField, ServiceError, toServiceError } from '#common/errors.ts';
import { canonicalUsername } from '#common/username.ts';
import { directConversation, requireMember } from './conversation-id.ts';
import type { Lane } from './lane.ts';
import { LIMITS } from './limits.ts';
import type { Directory, Draft, MessageStore, Outcome } from './ports.ts';
import type { UserRate } from './user-rate.ts';

/** What somebody wants to send, as decoded and not yet checked. Empty means not given. */
export interface SendRequest {
  /** Who they say they are. */
  user: string;
  /** The recipient, or … */
  friend: string;
  /** … the conversation. */
  conversation: string;
  body: string;
  clientId: string;
  clientTime: bigint;
  /** Which try at its order it belongs to, see SendOrder; 0 where it stands for itself. */
  attempt: number;
}

/** An acknowledged message. */
export interface Sent {
  conversation: string;
  seq: number;
  clientId: string;
  /** Ms since the epoch. */
  sentAt: number;
  /** It was committed by an earlier try. */
  isRetry: boolean;
}

/** Hears once what became of a send. Must not throw or wait. */
export interface SendAnswer {
  sent(sent: Sent): void;
  refused(error: ServiceError): void;
  /** See DraftListener. */
  isOvertaking?: (() => boolean) | undefined;
}

export interface SenderOptions {
  lane: Lane;
  store: Pick<MessageStore, 'heads'>;
  directory: Directory;
  /** Of each sender, see `Sender.admit`. */
  firstContacts: UserRate;
  clock(): number;
}

const CLIENT_ID = new RegExp(`^[\\x21-\\x7e]{1,${LIMITS.clientId}}$`);
const REMEMBERED_USERS = 100_000;
const REMEMBERED_CONVERSATIONS = 100_000;
const REMEMBERED_CONTACTS = 10_000;

/** May they send this, and was it sent before? */
export class Sender {
  readonly #options: SenderOptions;
  /** Users who have an account. */
  readonly #known = new LRUCache<string, true>({ max: REMEMBERED_USERS });
  /** Conversations that hold a message. */
  readonly #begun = new LRUCache<string, true>({ max: REMEMBERED_CONVERSATIONS });
  /**
   * First contacts that were counted: one that is sent again before it was committed is not counted again.
   */
  readonly #counted = new LRUCache<string, true>({ max: REMEMBERED_CONTACTS });

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** Checks and commits one message; fulfils after its commit. @throws what `admit` does, and what `commit` refuses with. */
  async send(sender: string, request: SendRequest): Promise<Sent> {
    const draft = await this.admit(sender, request);
    return new Promise((sent, refused) => this.commit(draft, { sent, refused }));
  }

  /**
   * The draft that a request of `sender` (from their token) stands for.
   * @throws ServiceError INVALID_REQUEST with every field that is wrong; NOT_PERMITTED for another `user`;
   * NOT_FOUND for a recipient without an account and for somebody else's conversation; RATE_LIMITED for a
   * first contact too many; UNAVAILABLE when the store or the directory is needed and silent. A promise only
   * where a conversation is not known yet: the promises of a message cost more than its checks.
   */
  admit(sender: string, request: SendRequest): Draft | Promise<Draft> {
    const members = recipients(sender, request);
    checkContent(request);
    if (request.user !== '' && canonicalUsername(request.user, 'user') !== sender) {
      throw new ServiceError('NOT_PERMITTED', { detail: 'user: must be empty or the name in the token' });
    }
    const [one = sender, other = one] = members;
    const conversation = directConversation(one, other);
    const { body, clientTime } = request;
    const clientId = request.clientId || uuidv7();
    const draft = {
      conversation,
      members,
      sender,
      clientId,
      contentHash: contentHash(body),
      body,
      clientTime,
    };
    const recipient = members.find((member) => member !== sender);
    if (recipient === undefined || this.#begun.get(conversation) || this.#isContact(sender, recipient))
      return draft;
    return this.#requireContact(sender, recipient, conversation).then(() => draft);
  }

  /**
   * Commits an admitted draft, together with others. Calls commit in their order. It is refused with CLIENT_ID_REUSED, and the original's
   * place, when the id stands for other content; with OVERLOADED; or with what the store says: after UNAVAILABLE it may be recorded.
   */
  commit(draft: Draft, answer: SendAnswer): void {
    try {
      this.#options.lane.submit(draft, {
        committed: (outcome) => {
          if (outcome.seq === 1) this.#begun.set(draft.conversation, true);
          acknowledge(draft, outcome, answer);
        },
        failed: (error) => answer.refused(toServiceError(error)),
        isOvertaking: answer.isOvertaking,
      });
    } catch (thrown) {
      answer.refused(toServiceError(thrown));
    }
  }

  /** A first contact that was let through; whether it was committed is not known yet. */
  #isContact(sender: string, recipient: string): boolean {
    return this.#counted.has(contactOf(sender, recipient)) && this.#known.has(recipient);
  }

  /**
   * A conversation that has begun lets both members write. A first contact counts against the sender's
   * budget, also where there is no such recipient, so that nobody finds out names this way. Then the
   * directory is asked.
   */
  async #requireContact(sender: string, recipient: string, conversation: string): Promise<void> {
    const { store, directory, firstContacts } = this.#options;
    if ((await store.heads([conversation])).length > 0) {
      this.#begun.set(conversation, true);
      return;
    }
    const contact = contactOf(sender, recipient);
    if (!this.#counted.has(contact)) {
      firstContacts.take(sender);
      this.#counted.set(contact, true);
    }
    if (this.#known.has(recipient)) return;
    if (!(await directory.exists(recipient)))
      throw new ServiceError('NOT_FOUND', { detail: 'There is no such user.' });
    this.#known.set(recipient, true);
  }
}

function contactOf(sender: string, recipient: string): string {
  return `${sender} ${recipient}`;
}

/** What tells a retry from another message: 16 bytes over the entry's kind and its text, as text, which costs a third of a Buffer. */
export function contentHash(body: string): string {
  return hash('sha256', `message\0${body}`, 'hex').slice(0, 32);
}

/** The members of the conversation that the request means: those of `conversation`, or the sender and `friend`. */
function recipients(sender: string, { friend, conversation }: SendRequest): string[] {
  if (friend !== '' && conversation !== '') {
    throw invalidField('conversation', 'must not be set together with friend');
  }
  if (conversation === '') {
    if (friend === '') throw invalidField('friend', 'must name the recipient');
    const name = canonicalUsername(friend, 'friend');
    if (name === sender) return [sender];
    return sender < name ? [sender, name] : [name, sender];
  }
  return requireMember(sender, conversation);
}

/** The conversation that a request names, whether it may be sent there or not; empty where it names none that there can be. */
export function conversationOf(sender: string, request: SendRequest): string {
  if (request.conversation !== '') return request.conversation;
  try {
    const [one = sender, other = one] = recipients(sender, request);
    return directConversation(one, other);
  } catch {
    return '';
  }
}

function checkContent({ body, clientId }: SendRequest): void {
  const fields: FieldViolation[] = [];
  if (body === '') fields.push({ field: 'message', description: 'must not be empty' });
  if (isLongerThan(body, LIMITS.text)) {
    fields.push({ field: 'message', description: `must have at most ${LIMITS.text} characters` });
  }
  if (clientId !== '' && !CLIENT_ID.test(clientId)) {
    fields.push({
      field: 'client_id',
      description: `must be 1 to ${LIMITS.clientId} visible ASCII characters`,
    });
  }
  if (fields.length === 0) return;
  const detail = fields.map((f) => `${f.field}: ${f.description}`).join('; ');
  throw new ServiceError('INVALID_REQUEST', { detail, fields });
}

/** Counts code points only where the cheaper count of UTF-16 units does not decide. */
function isLongerThan(text: string, codePoints: number): boolean {
  if (text.length <= codePoints) return false;
  if (text.length > 2 * codePoints) return true;
  let count = 0;
  for (const _ of text) count++;
  return count > codePoints;
}

function acknowledge({ conversation, clientId }: Draft, outcome: Outcome, answer: SendAnswer): void {
  const { seq, sentAt } = outcome;
  const isRetry = outcome.kind === 'duplicate';
  if (!isRetry || outcome.isSameContent) answer.sent({ conversation, seq, clientId, sentAt, isRetry });
  else {
    const metadata = { conversation, client_id: clientId, seq: String(seq), sent_at: String(sentAt) };
    answer.refused(new ServiceError('CLIENT_ID_REUSED', { metadata }));
  }
}
