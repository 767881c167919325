import type { RequestHandler } from 'express';
import type { Identity } from '../identity/access-token.ts';

/** Lets only callers with a valid access token pass, and puts who they are into `response.locals.identity`. */
export function identified(callers: {
  identify(authorization: readonly string[]): Promise<Identity>;
}): RequestHandler {
  return async (request, response, next) => {
    response.locals.identity = await callers.identify(request.headersDistinct.authorization ?? []);
    next();
  };
}
