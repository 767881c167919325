import type { ErrorRequestHandler, Express, RequestHandler } from 'express';
import { z } from 'zod';
import { REASONS, ServiceError, toServiceError } from '#common/errors.ts';
import { jsonBody } from '#common/http/app.ts';
import { Required } from '#common/http/fields.ts';
import { validate } from '#common/http/validate.ts';
import type { Log } from '#common/log.ts';
import { canonicalUsername } from '#common/username.ts';
import type { Accounts } from '../accounts.ts';
import { addressOf, agentOf } from './account-routes.ts';

const Credentials = z.object({ username: Required, password: Required });

/** The first app cannot refresh. */
const LIFETIME_S = 30 * 86_400;

/** POST /auth as the first app knows it, statuses and bodies included: it does tell whether a user exists. */
export function addLegacyLogin(app: Express, accounts: Accounts, log: Log): void {
  const login: RequestHandler = async (request, response) => {
    const { username, password } = validate(Credentials, request.body);
    const device = agentOf(request);
    const address = addressOf(request);
    try {
      const grant = await accounts.login({ username, password, device, address, lifetime: LIFETIME_S });
      response.json({ status: 'Authenticated', jwt_token: grant.accessToken });
    } catch (error) {
      if (!(error instanceof ServiceError && ['BAD_CREDENTIALS', 'INVALID_REQUEST'].includes(error.reason)))
        throw error;
      if (await exists(accounts, username))
        response.status(401).type('text/plain').send('Invalid Credentials');
      else response.status(400).json({ status: 'User does not exist', jwt_token: null });
    }
  };
  app.post('/auth', ...jsonBody, login, unable(log));
  app.all('/auth', (_request, response) => {
    response.set('allow', 'POST');
    throw new ServiceError('METHOD_NOT_ALLOWED');
  });
}

/** Whatever is our fault is one status and one text to the first app; a caller's fault is a problem as elsewhere. */
function unable(log: Log): ErrorRequestHandler {
  return (thrown, request, response, next) => {
    const error = toServiceError(thrown);
    if (thrown.status < 500 || REASONS[error.reason].http < 500) return next(thrown);
    log.error({ err: error, requestId: request.id }, 'the first app could not log in');
    if (error.retryAfterMs !== undefined)
      response.set('retry-after', String(Math.ceil(error.retryAfterMs / 1000)));
    response.status(500).type('text/plain').send('Unable to process request right now');
  };
}

async function exists(accounts: Accounts, username: string): Promise<boolean> {
  try {
    await accounts.find(canonicalUsername(username, 'username'));
    return true;
  } catch (error) {
    if (error instanceof ServiceError && ['NOT_FOUND', 'INVALID_REQUEST'].includes(error.reason))
      return false;
    throw error;
  }
}
