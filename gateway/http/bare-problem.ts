import { STATUS_CODES } from 'node:http';
import type { ServiceError } from '#common/errors.ts';
import { problemHeaders, toProblem } from '#common/http/problems.ts';

export interface BareProblem {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** A problem for where no Express response is there to carry it; `status` says it more exactly than the reason does. */
export function bareProblem(
  error: ServiceError,
  { status, requestId }: { status?: number; requestId?: string } = {},
): BareProblem {
  const problem = toProblem(error, requestId);
  if (status !== undefined) Object.assign(problem, { status, title: STATUS_CODES[status] });
  const body = JSON.stringify(problem);
  const about = requestId === undefined ? {} : { 'x-request-id': requestId };
  return {
    status: problem.status,
    headers: { ...problemHeaders(error), ...about, 'content-length': String(Buffer.byteLength(body)) },
    body,
  };
}
