import type { Source, Target } from '#common/transfer/transfer.ts';
import { mysqlAccounts, sqliteAccounts } from './adapters/transfer.ts';
import type { AuthenticatorConfig } from './config.ts';

type Where = Pick<AuthenticatorConfig, 'accountsUrl' | 'dataDir'>;

/** The accounts, to be exported. @throws FolderInUseError while an authenticator runs on the file; Error when there is none. */
export async function accountSource({ accountsUrl, dataDir }: Where): Promise<Source> {
  return accountsUrl === 'sqlite:' ? sqliteAccounts(dataDir) : mysqlAccounts(accountsUrl);
}

/** Where exported accounts are brought to: a server. */
export async function accountTarget({ accountsUrl }: Where): Promise<Target> {
  if (accountsUrl === 'sqlite:') throw new Error('CHATTERBOX_ACCOUNTS_URL must name a MySQL');
  return mysqlAccounts(accountsUrl);
}
