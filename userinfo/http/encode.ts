import type { Contact, Friend, FriendRequest, Known, Person, Suggestion } from '../ports.ts';

/** How userinfo shows its things in JSON. Times are RFC 3339 in UTC with milliseconds, or "" for never. */

export function toPerson({ username, displayName, about, avatarUrl }: Person) {
  return { username, display_name: displayName, about, avatar_url: avatarUrl };
}

export function toFriend({ username, displayName, since, lastChatted }: Friend) {
  return { username, display_name: displayName, since: toTime(since), last_chatted: toTime(lastChatted) };
}

export function toRequest({ username, displayName, since }: FriendRequest) {
  return { username, display_name: displayName, since: toTime(since) };
}

export function toKnown({ username, displayName }: Known) {
  return { username, display_name: displayName };
}

export function toSuggestion({ score, friendsInCommon, ...known }: Suggestion) {
  return { ...toKnown(known), score, friends_in_common: friendsInCommon };
}

export function toContact({ username, lastChatted }: Contact) {
  return { name: username, lastChat: toTime(lastChatted) };
}

function toTime(ms: number | null): string {
  return ms === null ? '' : new Date(ms).toISOString();
}
