/**
 * Every environment variable that Chatterbox reads, with what it means. One place, because all services share
 * one environment: it lets each of them report a mistyped name. `.env.example` shows the same list.
 */
export const SETTINGS = {
  HOST: 'The address that the gateway listens on.',
  PORT: 'The port of the gateway; 0 takes a free one.',
  DATA_DIR: 'Where everything is kept: a sub-folder per service.',
  NODE_ENV: '"production" refuses to start without configured secrets.',
  CHATTERBOX_LOG_LEVEL: 'fatal, error, warn, info, debug, trace or silent.',
  CHATTERBOX_SERVICE_SECRET: 'What services present to each other; 32 characters or more.',
  CHATTERBOX_ISSUER: 'The `iss` of our tokens.',
  CHATTERBOX_AUDIENCE: 'The `aud` of our tokens.',
  CHATTERBOX_AUTH_URL: 'Where the other services find the authenticator.',
  CHATTERBOX_AUTH_HOST: 'The address that the authenticator listens on.',
  CHATTERBOX_AUTH_PORT: 'The port of the authenticator.',
  CHATTERBOX_ACCESS_TOKEN_SECONDS: 'How long an access token is valid.',
  CHATTERBOX_SIGNING_KEYS: 'A file of signing keys (JWK set); made in the data folder when unset.',
  CHATTERBOX_ACCOUNTS_URL:
    'Where accounts are kept: `sqlite:` (the data folder) or `mysql://user:password@host:3306/database`, with `?tls=on` or `?tls=verify`.',
  CHATTERBOX_LOGIN_ATTEMPTS: 'Failed logins per account and address before they are slowed.',
  CHATTERBOX_USERINFO_URL: 'Where the gateway finds userinfo.',
  CHATTERBOX_USERINFO_HOST: 'The address that userinfo listens on.',
  CHATTERBOX_USERINFO_PORT: 'The port of userinfo.',
  CHATTERBOX_GRAPH_URL:
    'Where people and friendships are kept: `sqlite:` (the data folder) or `neo4j://user:password@host:7687`, `bolt://` too; with TLS `neo4j+s://`, `bolt+s://`; `/database` may follow.',
  CHATTERBOX_MESSENGER:
    'host:port where the others find the messengers: one, several separated by commas, or a name that stands for several.',
  CHATTERBOX_MESSENGER_HOST: 'The address that the messenger listens on.',
  CHATTERBOX_MESSENGER_PORT: 'The port of the messenger.',
  CHATTERBOX_MESSAGES_URL:
    'Where messages are kept: `sqlite:` (the data folder) or `mysql://user:password@host:3306/database`, with `?tls=on` or `?tls=verify`.',
  CHATTERBOX_BUS_URL:
    'How several nodes tell each other of news: `local:` for one alone, or `nats://user:password@host:4222`, `tls://` too; a token in the user’s place, `?creds=FILE`, `?ca=FILE`.',
  CHATTERBOX_SEND_RATE: 'Messages per second and user, sustained; a read mark counts like a message.',
  CHATTERBOX_SEND_BURST: 'Messages that a user may send at once.',
  CHATTERBOX_READ_RATE:
    'Reads per second and user: of history and inbox, and all other calls of `/chat`; 4 seconds’ worth may come together. A fifth as many streams may be opened.',
  CHATTERBOX_FIRST_CONTACT_RATE: 'First messages to new people, and friend requests, per hour and user.',
  CHATTERBOX_SEARCH_RATE: 'Searches of people, and pages of suggestions, per minute and user.',
  CHATTERBOX_MAX_DEVICES:
    'Devices per user whose positions are kept; a further one takes the place of the longest unseen.',
  CHATTERBOX_STREAM_MAX_AGE_SECONDS:
    'After about this long a stream is told to reconnect; messengers and authenticators need the same.',
  CHATTERBOX_REFLECTION: 'on or off: whether grpcurl may list and describe.',
  CHATTERBOX_CORS_ORIGINS: 'Origins of web pages that may call us, separated by commas.',
  CHATTERBOX_TRUST_PROXY: 'Addresses of proxies in front whose X-Forwarded-For, or Forwarded, is believed.',
  CHATTERBOX_PROXY_PROTOCOL:
    'Addresses of proxies in front that begin each connection with a PROXY header, version 2.',
  CHATTERBOX_CONNECTIONS_PER_ADDRESS: 'Connections that one address may have open; IPv6 counts by /64.',
  CHATTERBOX_UNDECIDED_PER_ADDRESS: 'Of these, how many may not have said yet which protocol they speak.',
  CHATTERBOX_REQUESTS_PER_ADDRESS: 'Requests over HTTP that one address may have in flight.',
  CHATTERBOX_STARTS_PER_ADDRESS: 'New requests and calls of one address per second; more of them wait.',
  CHATTERBOX_CALLS_PER_ADDRESS: 'gRPC calls, streams among them, that one address may have open.',
  CHATTERBOX_ADMIN_HOST: 'The address that the admin port is opened on.',
  CHATTERBOX_ADMIN_PORT:
    'The port of `/metrics` (Prometheus), `/healthz` and `/readyz` of this process; 0 is off.',
} as const;

export type Setting = keyof typeof SETTINGS;
