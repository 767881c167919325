import type { Source, Target } from '#common/transfer/transfer.ts';
import { mysqlMessages, sqliteMessages } from './adapters/transfer.ts';
import type { MessengerConfig } from './config.ts';

type Where = Pick<MessengerConfig, 'messagesUrl' | 'dataDir'>;

/** The messages, to be exported. @throws FolderInUseError while a messenger runs on the file; Error when there is none. */
export async function messageSource({ messagesUrl, dataDir }: Where): Promise<Source> {
  return messagesUrl === 'sqlite:' ? sqliteMessages(dataDir) : mysqlMessages(messagesUrl);
}

/** Where exported messages are brought to: a server. */
export async function messageTarget({ messagesUrl }: Where): Promise<Target> {
  if (messagesUrl === 'sqlite:') throw new Error('CHATTERBOX_MESSAGES_URL must name a MySQL');
  return mysqlMessages(messagesUrl);
}
