import type { RequestHandler } from 'express';
import { ServiceError } from '#common/errors.ts';
import { sendProblem } from '#common/http/problems.ts';

/** Refuses bodies of more than `limit` bytes: at once where the length is told, else as soon as too much has come. */
export function limitBody(limit: number): RequestHandler {
  return (request, response, next) => {
    if (Number(request.headers['content-length'] ?? 0) > limit) {
      response.set('connection', 'close');
      throw new ServiceError('PAYLOAD_TOO_LARGE');
    }
    if (request.headers['transfer-encoding'] === undefined) return next();
    let size = 0;
    const count = (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) return;
      request.off('data', count).unpipe().pause();
      if (response.headersSent) {
        request.destroy();
        return;
      }
      // The connection ends with this answer, and with it the request that was begun upstream.
      response.set('connection', 'close').once('finish', () => request.destroy());
      sendProblem(request, response, new ServiceError('PAYLOAD_TOO_LARGE'));
    };
    // A listener alone would let the body flow before the proxy is there.
    request.on('data', count).pause();
    next();
  };
}
