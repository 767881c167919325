import { ConversationsServiceService } from '#proto/chatterbox/v1/conversations.ts';
import { SessionServiceService } from '#proto/chatterbox/v1/session.ts';
import { ChatServiceService } from '#proto/org/harshit/messenger/chat/messages.ts';

/** The gRPC services that outsiders may call, and whether that takes a token. Whatever is not named here does not exist. */
const PUBLIC_SERVICES: Record<string, { isTokenless: boolean }> = {
  'org.harshit.messenger.chat.ChatService': { isTokenless: false },
  'chatterbox.v1.ConversationsService': { isTokenless: false },
  'chatterbox.v1.SessionService': { isTokenless: false },
  'grpc.health.v1.Health': { isTokenless: true },
  'grpc.reflection.v1.ServerReflection': { isTokenless: true },
  'grpc.reflection.v1alpha.ServerReflection': { isTokenless: true },
};

/** The public service of a path `/package.Service/Method`, or undefined. */
export function publicService(path: string): { isTokenless: boolean } | undefined {
  const [, name = ''] = /^\/([\w.]+)\/\w+$/.exec(path) ?? [];
  return Object.hasOwn(PUBLIC_SERVICES, name) ? PUBLIC_SERVICES[name] : undefined;
}

/** Whether the path is that of a method of ours, and not only of a service. */
export function isKnownMethod(path: string): boolean {
  return METHODS.has(path);
}

/** Whether the path is that of a method with one request and one answer. */
export function isUnary(path: string): boolean {
  return UNARY.has(path);
}

/** Whether the answer is a page of history or of the inbox, which may be large. */
export function isPage(path: string): boolean {
  return PAGES.has(path);
}

const DEFINITIONS = [ChatServiceService, ConversationsServiceService, SessionServiceService].flatMap(
  (service): MethodDefinition[] => Object.values(service),
);
const METHODS = new Set(DEFINITIONS.map(({ path }) => path));
const UNARY = new Set([
  ...DEFINITIONS.filter((method) => !method.requestStream && !method.responseStream).map(({ path }) => path),
  '/grpc.health.v1.Health/Check',
]);
const PAGES = new Set<string>([
  ConversationsServiceService.listConversations.path,
  ConversationsServiceService.listEntries.path,
]);

interface MethodDefinition {
  path: string;
  requestStream: boolean;
  responseStream: boolean;
}
