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

const METHODS = new Set(
  [ChatServiceService, ConversationsServiceService, SessionServiceService].flatMap((service) =>
    Object.values(service).map(({ path }) => path as string),
  ),
);
