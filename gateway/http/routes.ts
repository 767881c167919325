import { ServiceError } from '#common/errors.ts';

export type Upstream = 'authenticator' | 'userinfo';

const TOKENLESS = new Set([
  'POST /auth/register',
  'POST /auth/login',
  'POST /auth/refresh',
  'POST /auth',
  // So that it can say that the method is not allowed.
  'GET /auth',
  'GET /.well-known/jwks.json',
]);

/** Where a request goes, if anywhere, and whether it takes a token to go there. */
export function routeOf(method: string, path: string): { to: Upstream; isTokenless: boolean } | undefined {
  const isTokenless = TOKENLESS.has(`${method === 'HEAD' ? 'GET' : method} ${path}`);
  if (path === '/.well-known/jwks.json') return { to: 'authenticator', isTokenless };
  if (path === '/auth' || path.startsWith('/auth/')) return { to: 'authenticator', isTokenless };
  if (path === '/chat' || path.startsWith('/chat/')) return { to: 'userinfo', isTokenless: false };
  return undefined;
}

/**
 * Refuses targets that different servers read differently, so that nobody behind us sees another path than the one we judged:
 * absolute ones, empty or dot segments, slashes in disguise, bad escapes.
 * @throws ServiceError INVALID_REQUEST
 */
export function requirePlainTarget(target: string): void {
  const [path = ''] = target.split(/[?#]/, 1);
  const segments = path.split('/');
  const isPlain =
    path.startsWith('/') &&
    !target.includes('#') &&
    segments.every((segment, i) => isPlainSegment(segment, i === 0 || i === segments.length - 1));
  if (!isPlain) throw new ServiceError('INVALID_REQUEST', { detail: 'The path is not in its plain form.' });
}

function isPlainSegment(segment: string, mayBeEmpty: boolean): boolean {
  if (segment === '') return mayBeEmpty;
  try {
    const decoded = decodeURIComponent(segment);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    return decoded !== '.' && decoded !== '..' && !/[/\\\u0000-\u001f\u007f]/.test(decoded);
  } catch {
    return false;
  }
}
