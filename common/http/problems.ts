import { STATUS_CODES } from 'node:http';
import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import { ERROR_DOMAIN, REASONS, ServiceError, toServiceError } from '../errors.ts';
import type { Log } from '../log.ts';

/** The body of an error over HTTP: RFC 9457 problem+json. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  reason: string;
  domain: string;
  request_id?: string;
  errors?: { field: string; detail: string }[];
  retry_after_ms?: number;
  metadata?: Record<string, string>;
}

export function toProblem(error: ServiceError, requestId?: string): Problem {
  const { http, title } = REASONS[error.reason];
  return {
    type: `urn:chatterbox:problem:${error.reason.toLowerCase().replaceAll('_', '-')}`,
    title: STATUS_CODES[http] ?? title,
    status: http,
    detail: error.message,
    code: error.code,
    reason: error.reason,
    domain: ERROR_DOMAIN,
    ...(requestId === undefined ? {} : { request_id: requestId }),
    ...(error.fields.length === 0
      ? {}
      : { errors: error.fields.map((f) => ({ field: f.field, detail: f.description })) }),
    ...(error.retryAfterMs === undefined ? {} : { retry_after_ms: error.retryAfterMs }),
    ...(Object.keys(error.metadata).length === 0 ? {} : { metadata: error.metadata }),
  };
}

/** The headers that go with the problem. */
export function problemHeaders(error: ServiceError): Record<string, string> {
  const { http } = REASONS[error.reason];
  return {
    'content-type': 'application/problem+json; charset=utf-8',
    ...(http === 401 ? { 'www-authenticate': 'Bearer realm="chatterbox"' } : {}),
    ...(error.retryAfterMs === undefined
      ? {}
      : { 'retry-after': String(Math.ceil(error.retryAfterMs / 1000)) }),
  };
}

export function sendProblem(request: Request, response: Response, error: ServiceError): void {
  response.status(REASONS[error.reason].http).set(problemHeaders(error)).json(toProblem(error, request.id));
}

/** The last route: whatever nobody answered. */
export const notFound: RequestHandler = () => {
  throw new ServiceError('NOT_FOUND', { detail: 'There is nothing at this path.' });
};

/** The last middleware: turns whatever was thrown into a problem, and logs what is our fault. */
export function problemHandler(log: Log): ErrorRequestHandler {
  return (thrown, request, response, next) => {
    const error = fromExpress(thrown);
    if (REASONS[error.reason].http === 500)
      log.error({ err: error, requestId: request.id }, 'request failed');
    if (response.headersSent) next(thrown);
    else sendProblem(request, response, error);
  };
}

/** Express and its body parsers throw http-errors: their 4xx are the caller's doing. */
function fromExpress(thrown: unknown): ServiceError {
  const { status, type } = (thrown ?? {}) as { status?: number; type?: string };
  if (thrown instanceof ServiceError || status === undefined || status >= 500) return toServiceError(thrown);
  if (status === 413) return new ServiceError('PAYLOAD_TOO_LARGE', { cause: thrown });
  if (status === 415) return new ServiceError('UNSUPPORTED_MEDIA_TYPE', { cause: thrown });
  const detail =
    type === 'entity.parse.failed' ? 'The body is not valid JSON.' : REASONS.INVALID_REQUEST.title;
  return new ServiceError('INVALID_REQUEST', { detail, cause: thrown });
}
