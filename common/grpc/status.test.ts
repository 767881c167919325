import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { BadRequest, ErrorInfo, RetryInfo } from '#proto/google/rpc/error_details.ts';
import { Status } from '#proto/google/rpc/status.ts';
import { REASONS, type Reason, ServiceError, toServiceError } from '../errors.ts';
import { problemHeaders, toProblem } from '../http/problems.ts';
import { STATUS_DETAILS, toGrpcStatus } from './status.ts';

describe('an error', () => {
  for (const reason of Object.keys(REASONS) as Reason[]) {
    it(`${reason} has a number over gRPC and a status over HTTP`, () => {
      const error = new ServiceError(reason);
      const { code, metadata } = toGrpcStatus(error);
      assert.ok(code > 0 && code <= 16);
      const { details } = Status.decode(metadata.get(STATUS_DETAILS)[0] as Buffer);
      assert.deepEqual(ErrorInfo.decode(details[0]!.value), { reason, domain: 'chatterbox', metadata: {} });
      const { status } = toProblem(error);
      assert.ok(status >= 400 && status < 600);
    });
  }

  it('tells a program what is wrong and when to try again, on both transports', () => {
    const fields = [{ field: 'friend', description: 'must name the recipient' }];
    const error = new ServiceError('RATE_LIMITED', { retryAfterMs: 1_250, fields, metadata: { seq: '1' } });
    const { details } = Status.decode(toGrpcStatus(error).metadata.get(STATUS_DETAILS)[0] as Buffer);
    assert.deepEqual(RetryInfo.decode(details[1]!.value).retryDelay, { seconds: 1n, nanos: 250_000_000 });
    assert.equal(BadRequest.decode(details[2]!.value).fieldViolations[0]?.field, 'friend');
    const problem = toProblem(error, 'r1');
    assert.deepEqual(problem.errors, [{ field: 'friend', detail: 'must name the recipient' }]);
    assert.deepEqual(
      [problem.retry_after_ms, problem.request_id, problem.metadata],
      [1_250, 'r1', { seq: '1' }],
    );
    assert.equal(problemHeaders(error)['retry-after'], '2');
  });

  it('that nobody expected says nothing of its cause', () => {
    const error = toServiceError(new Error('SELECT password FROM account'));
    const status = toGrpcStatus(error);
    const shown = JSON.stringify([toProblem(error), status.details, status.metadata.toJSON()]);
    assert.doesNotMatch(shown, /SELECT|password/);
    assert.equal(error.reason, 'INTERNAL');
    assert.match(String(error.cause), /SELECT/);
  });
});
