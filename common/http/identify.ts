import type { RequestHandler } from 'express';
import type { Authentication } from '../identity/authentication.ts';

/** Lets only callers with a valid access token pass, and puts who they are into `response.locals.identity`. */
export function identified(authentication: Authentication): RequestHandler {
  return async (request, response, next) => {
    response.locals.identity = await authentication.identify(request.headersDistinct.authorization ?? []);
    next();
  };
}
