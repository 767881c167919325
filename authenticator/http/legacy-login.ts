import type { Express } from 'express';
import { z } from 'zod';
import { ServiceError } from '#common/errors.ts';
import { jsonBody } from '#common/http/app.ts';
import { validate } from '#common/http/validate.ts';
import { canonicalUsername } from '#common/username.ts';
import type { Accounts } from '../accounts.ts';
import { addressOf, agentOf } from './account-routes.ts';

const Credentials = z.object({ username: z.string(), password: z.string() });

/** The first app cannot refresh. */
const LIFETIME_S = 30 * 86_400;

/** POST /auth as the first app knows it, statuses and bodies included: it does tell whether a user exists. */
export function addLegacyLogin(app: Express, accounts: Accounts): void {
  app.post('/auth', ...jsonBody, async (request, response) => {
    const { username, password } = validate(Credentials, request.body);
    try {
      const device = agentOf(request);
      const address = addressOf(request);
      const grant = await accounts.login({ username, password, device, address, lifetime: LIFETIME_S });
      response.json({ status: 'Authenticated', jwt_token: grant.accessToken });
    } catch (error) {
      if (!(error instanceof ServiceError && error.reason === 'BAD_CREDENTIALS')) throw error;
      if (await exists(accounts, username))
        response.status(401).type('text/plain').send('Invalid Credentials');
      else response.status(400).json({ status: 'User does not exist', jwt_token: null });
    }
  });
  app.all('/auth', (_request, response) => {
    response.set('allow', 'POST');
    throw new ServiceError('METHOD_NOT_ALLOWED');
  });
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
