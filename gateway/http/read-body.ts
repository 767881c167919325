import type { Request, Response } from 'express';
import { ServiceError } from '#common/errors.ts';
import { JoinedBytes } from '../joined-bytes.ts';
import type { Limits } from '../limits.ts';
import { SmallChunks } from '../small-chunks.ts';

/**
 * Reads the whole body before anything behind the gateway is asked. Undefined when the client has gone.
 * @throws ServiceError PAYLOAD_TOO_LARGE above `bodyBytes`, REQUEST_TIMEOUT after `bodyMs`; then the
 * connection ends with the answer.
 */
export async function readBody(
  request: Request,
  response: Response,
  { bodyBytes, bodyMs }: Pick<Limits, 'bodyBytes' | 'bodyMs'>,
): Promise<Buffer | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > bodyBytes)
    throw refused(response, 'PAYLOAD_TOO_LARGE');
  const body = new JoinedBytes();
  const smallChunks = new SmallChunks();
  const read = Promise.withResolvers<Buffer | undefined>();
  const refuse = (reason: 'PAYLOAD_TOO_LARGE' | 'REQUEST_TIMEOUT') => {
    request.off('data', onData);
    read.reject(refused(response, reason));
  };
  const late = setTimeout(() => refuse('REQUEST_TIMEOUT'), bodyMs);
  const onData = (chunk: Buffer) => {
    if (smallChunks.isTooMany(chunk.length)) refuse('PAYLOAD_TOO_LARGE');
    else if (body.size + chunk.length <= bodyBytes) body.add(chunk);
    else refuse('PAYLOAD_TOO_LARGE');
  };
  const onEnd = () => read.resolve(body.take());
  const onClose = () => read.resolve(undefined);
  request.on('data', onData).once('end', onEnd).once('close', onClose);
  try {
    return await read.promise;
  } finally {
    clearTimeout(late);
    request.off('data', onData).off('end', onEnd).off('close', onClose);
    if (!request.complete) request.pause();
  }
}

/** What is still to come is not waited for: the connection ends with the answer. */
function refused(response: Response, reason: 'PAYLOAD_TOO_LARGE' | 'REQUEST_TIMEOUT'): ServiceError {
  response.set('connection', 'close').once('finish', () => response.req.destroy());
  return new ServiceError(reason);
}
