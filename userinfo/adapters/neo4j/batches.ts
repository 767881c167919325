import { aheadBy, MAX_AHEAD_MS } from '#common/clocks.ts';
import type { Chat } from '../../ports.ts';

/** Batches in an order that is everybody's, so that two transactions lock in the same order and do not wait for each other. */
export function inOrder<Item>(items: readonly Item[], key: (item: Item) => string[]): Item[] {
  const keyed = items.map((item) => ({ item, key: key(item).join(' ') }));
  return keyed.toSorted((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key))).map(({ item }) => item);
}

/** Each pair with the lower username as `one`, in order. */
export function pairs<Pair extends { one: string; other: string }>(given: readonly Pair[]): Pair[] {
  const turned = given.map((pair) =>
    pair.one < pair.other ? { ...pair } : { ...pair, one: pair.other, other: pair.one },
  );
  return inOrder(turned, (pair) => [pair.one, pair.other]);
}

/** Each pair once, as `pairs`, with the time that counts, see Graph.chatted. */
export function newest(chats: readonly Chat[]): Chat[] {
  const found: Chat[] = [];
  for (const chat of pairs(chats)) {
    const last = found.at(-1);
    if (last?.one !== chat.one || last.other !== chat.other) found.push(chat);
    else if (aheadBy(last.at, chat.at) > MAX_AHEAD_MS) last.at = chat.at;
    else last.at = Math.max(last.at, chat.at);
  }
  return found;
}
