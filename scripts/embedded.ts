import { readConfig as readAuthenticatorConfig } from '../authenticator/config.ts';
import { type AuthenticatorOverrides, startAuthenticator } from '../authenticator/service.ts';
import { openAdmin, readAdminConfig } from '../common/admin.ts';
import { type Env, readAll } from '../common/config.ts';
import type { Running } from '../common/lifecycle.ts';
import { Metrics } from '../common/metrics.ts';
import { readConfig as readGatewayConfig } from '../gateway/config.ts';
import { type GatewayOverrides, startGateway } from '../gateway/service.ts';
import { readConfig as readMessengerConfig } from '../messenger/config.ts';
import { type MessengerOverrides, startMessenger } from '../messenger/service.ts';
import { readConfig as readUserinfoConfig } from '../userinfo/config.ts';
import { startUserinfo } from '../userinfo/service.ts';

export interface Chatterbox extends Running {
  /** `http://host:port`: everything, for everybody. */
  url: string;
  /** `host:port` of the messenger itself, which only this machine reaches. */
  messenger: string;
}

export interface EmbeddedOverrides {
  gateway?: GatewayOverrides;
  authenticator?: AuthenticatorOverrides;
  messenger?: MessengerOverrides;
}

/** Where the services behind the gateway listen: on a free port that only this machine reaches. */
const PRIVATE = { host: '127.0.0.1', port: 0 };

/**
 * All four services in this process, meeting over the wire like anywhere else. Disposing stops them from the outside in.
 * @throws ConfigError with everything that is wrong in `env`.
 */
export async function startEmbedded(env: Env, overrides: EmbeddedOverrides = {}): Promise<Chatterbox> {
  const [authenticatorConfig, messengerConfig, userinfoConfig, gatewayConfig, adminConfig] = readAll([
    () => readAuthenticatorConfig(env),
    () => readMessengerConfig(env),
    () => readUserinfoConfig(env),
    () => readGatewayConfig(env),
    () => readAdminConfig(env),
  ]);
  const metrics = new Metrics();
  await using started = new AsyncDisposableStack();
  const admin = started.use(await openAdmin(adminConfig, metrics));
  const authenticator = started.use(
    await startAuthenticator({ ...authenticatorConfig, ...PRIVATE }, { metrics, ...overrides.authenticator }),
  );
  const authUrl = authenticator.url;
  const messenger = started.use(
    await startMessenger({ ...messengerConfig, ...PRIVATE, authUrl }, { metrics, ...overrides.messenger }),
  );
  const userinfo = started.use(
    await startUserinfo(
      { ...userinfoConfig, ...PRIVATE, authUrl, messengers: [messenger.address] },
      { metrics },
    ),
  );
  const gateway = started.use(
    await startGateway(
      { ...gatewayConfig, authUrl, userinfoUrl: userinfo.url, messengers: [messenger.address] },
      { metrics, ...overrides.gateway },
    ),
  );
  started.move();
  const failed = Promise.race(
    [authenticator.failed, messenger.failed, userinfo.failed].filter((one) => one !== undefined),
  );
  // Nobody has to listen.
  failed.catch(() => {});
  return {
    url: gateway.url,
    messenger: messenger.address,
    failed,
    async [Symbol.asyncDispose]() {
      // Together: the gateway takes no more calls, while the messenger ends its streams through it.
      await Promise.all([gateway[Symbol.asyncDispose](), messenger[Symbol.asyncDispose]()]);
      await userinfo[Symbol.asyncDispose]();
      await authenticator[Symbol.asyncDispose]();
      await admin[Symbol.asyncDispose]();
    },
  };
}
