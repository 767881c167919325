import type { Express, Request } from 'express';
import { z } from 'zod';
import { addressKey } from '#common/client-address.ts';
import { ServiceError } from '#common/errors.ts';
import { jsonBody } from '#common/http/app.ts';
import { DisplayName, Required } from '#common/http/fields.ts';
import { identified } from '#common/http/identify.ts';
import { headerText } from '#common/http/text.ts';
import { validate } from '#common/http/validate.ts';
import type { Accounts } from '../accounts.ts';
import { LIMITS } from '../limits.ts';
import type { Grant, Sessions } from '../sessions.ts';

const Registration = z.object({
  username: Required,
  password: Required,
  display_name: DisplayName.optional(),
});
const Login = z.object({
  username: Required,
  password: Required,
  device: z
    .string('must be text')
    .trim()
    .max(LIMITS.device, `must have ${LIMITS.device} characters or less`)
    .optional(),
});
const Refresh = z.object({ refresh_token: Required });
const Logout = z.object({ all: z.boolean('must be true or false').optional() });
const PasswordChange = z.object({ current: Required, new: Required });

/** Everything under /auth but the original's login. */
export function addAccountRoutes(app: Express, accounts: Accounts, sessions: Sessions): void {
  const caller = identified(sessions);

  app.post('/auth/register', ...jsonBody, async (request, response) => {
    const { username, password, display_name: displayName } = validate(Registration, request.body);
    const device = agentOf(request);
    const address = addressOf(request);
    const grant = await accounts.register({ username, password, displayName, device, address });
    response.status(201).json(await encode(accounts, grant));
  });
  app.post('/auth/login', ...jsonBody, async (request, response) => {
    const { username, password, device } = validate(Login, request.body);
    const grant = await accounts.login({
      username,
      password,
      device: device || agentOf(request),
      address: addressOf(request),
    });
    response.json(await encode(accounts, grant));
  });
  app.post('/auth/refresh', ...jsonBody, async (request, response) => {
    const { refresh_token: token } = validate(Refresh, request.body);
    response.json(await encode(accounts, await sessions.refresh(token)));
  });
  app.post('/auth/logout', caller, ...jsonBody, async (request, response) => {
    const { all } = validate(Logout, request.body);
    const { username, sessionId } = response.locals.identity;
    await sessions.end(username, all ? undefined : sessionId);
    response.status(204).end();
  });
  app.post('/auth/password', caller, ...jsonBody, async (request, response) => {
    const { current, new: next } = validate(PasswordChange, request.body);
    await accounts.changePassword(response.locals.identity, current, next, addressOf(request));
    response.status(204).end();
  });
  app.get('/auth/me', caller, async (_request, response) => {
    const account = await accounts.find(response.locals.identity.username);
    const { username, displayName, createdAt } = account;
    response.json({ username, display_name: displayName, created_at: new Date(createdAt).toISOString() });
  });
  app.get('/auth/sessions', caller, async (_request, response) => {
    const { username, sessionId } = response.locals.identity;
    const list = await sessions.list(username);
    response.json({
      sessions: list.map(({ id, device, createdAt, usedAt, forgivenAt }) => ({
        id,
        device,
        created_at: new Date(createdAt).toISOString(),
        last_used_at: new Date(usedAt).toISOString(),
        current: id === sessionId,
        ...(forgivenAt > 0 && { forgiven_at: new Date(forgivenAt).toISOString() }),
      })),
    });
  });
  app.delete('/auth/sessions/:id', caller, async (request, response) => {
    const ended = await sessions.end(response.locals.identity.username, String(request.params.id));
    if (ended === 0) throw new ServiceError('NOT_FOUND', { detail: 'There is no such session.' });
    response.status(204).end();
  });
}

/** @throws ServiceError INVALID_REQUEST when the name of the program is not UTF-8. */
export function agentOf(request: Request): string {
  return headerText(request, 'user-agent') || 'unknown';
}

/** What throttles count the caller by, of the address that the gateway, or a trusted proxy, reports. */
export function addressOf(request: Request): string {
  return addressKey(request.ip ?? 'unknown');
}

async function encode(accounts: Accounts, grant: Grant): Promise<Record<string, unknown>> {
  const { username, displayName } = await accounts.find(grant.username);
  return {
    user: { username, display_name: displayName },
    access_token: grant.accessToken,
    token_type: 'Bearer',
    expires_in: grant.expiresIn,
    refresh_token: grant.refreshToken,
  };
}
