/** An outsider's view of the HTTP side: fetch, and nothing of ours. */
export interface Account {
  username: string;
  token: string;
  refreshToken: string;
}

export interface Answer {
  status: number;
  headers: Headers;
  body: any;
}

export async function call(
  url: string,
  method: string,
  path: string,
  { token, json, headers = {} }: { token?: string; json?: unknown; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '');
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}

export const passwordOf = (username: string) => `correct horse ${username}`;

export async function register(url: string, username: string): Promise<Account> {
  return account(
    await call(url, 'POST', '/auth/register', { json: { username, password: passwordOf(username) } }),
    username,
  );
}

/** A few at a time: of one address some passwords wait to be hashed, and further ones are refused. */
export async function registerAll(url: string, usernames: readonly string[]): Promise<Account[]> {
  const accounts: Account[] = [];
  for (let i = 0; i < usernames.length; i += 8) {
    const some = usernames.slice(i, i + 8).map((username) => register(url, username));
    accounts.push(...(await Promise.all(some)));
  }
  return accounts;
}

export async function login(url: string, username: string): Promise<Account> {
  return account(
    await call(url, 'POST', '/auth/login', { json: { username, password: passwordOf(username) } }),
    username,
  );
}

function account({ status, body }: Answer, username: string): Account {
  if (status >= 300) throw new Error(`${username}: ${status} ${JSON.stringify(body)}`);
  return { username, token: body.access_token, refreshToken: body.refresh_token };
}
