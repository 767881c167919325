/**
 * Every way a call can fail, on every door: the closed list of reasons, each with its canonical code
 * (google.rpc.Code) and HTTP status. README's errors table is this table.
 */
export const REASONS = {
  INVALID_REQUEST: { code: 'INVALID_ARGUMENT', http: 400, title: 'The request is not valid.' },
  UNAUTHENTICATED: { code: 'UNAUTHENTICATED', http: 401, title: 'A valid access token is required.' },
  SESSION_ENDED: { code: 'UNAUTHENTICATED', http: 401, title: 'The login session has ended.' },
  BAD_CREDENTIALS: { code: 'UNAUTHENTICATED', http: 401, title: 'Username or password is wrong.' },
  NOT_PERMITTED: { code: 'PERMISSION_DENIED', http: 403, title: 'That is not permitted.' },
  NOT_FOUND: { code: 'NOT_FOUND', http: 404, title: 'There is no such thing here.' },
  METHOD_NOT_ALLOWED: { code: 'UNIMPLEMENTED', http: 405, title: 'The method is not allowed here.' },
  REQUEST_TIMEOUT: { code: 'DEADLINE_EXCEEDED', http: 408, title: 'The request did not arrive in time.' },
  ALREADY_EXISTS: { code: 'ALREADY_EXISTS', http: 409, title: 'It already exists.' },
  CLIENT_ID_REUSED: {
    code: 'ALREADY_EXISTS',
    http: 409,
    title: 'This client_id was used for another message.',
  },
  CONFLICT: { code: 'FAILED_PRECONDITION', http: 409, title: 'The state of things does not allow that.' },
  SESSION_REPLACED: {
    code: 'ABORTED',
    http: 409,
    title: 'A newer stream of this device took over.',
  },
  EARLIER_REFUSED: {
    code: 'ABORTED',
    http: 409,
    title: 'An earlier send of this attempt was refused; send from it on again.',
  },
  PAYLOAD_TOO_LARGE: { code: 'INVALID_ARGUMENT', http: 413, title: 'The request is too large.' },
  UNSUPPORTED_MEDIA_TYPE: {
    code: 'INVALID_ARGUMENT',
    http: 415,
    title: 'The body must be JSON in UTF-8.',
  },
  UPGRADE_REFUSED: {
    code: 'UNIMPLEMENTED',
    http: 426,
    title: 'This endpoint does not speak that protocol.',
  },
  RATE_LIMITED: { code: 'RESOURCE_EXHAUSTED', http: 429, title: 'Too many requests; slow down.' },
  INTERNAL: { code: 'INTERNAL', http: 500, title: 'Something went wrong on our side.' },
  UNIMPLEMENTED: { code: 'UNIMPLEMENTED', http: 501, title: 'This is not implemented.' },
  OVERLOADED: { code: 'UNAVAILABLE', http: 503, title: 'Too busy right now; try again soon.' },
  UNAVAILABLE: { code: 'UNAVAILABLE', http: 503, title: 'Not available right now; try again soon.' },
  RECONNECT: { code: 'UNAVAILABLE', http: 503, title: 'This server is going away; please reconnect.' },
  DEADLINE_EXCEEDED: { code: 'DEADLINE_EXCEEDED', http: 504, title: 'It took too long.' },
} as const;

/** The domain of every ErrorInfo. */
export const ERROR_DOMAIN = 'chatterbox';

export type Reason = keyof typeof REASONS;
export type Code = (typeof REASONS)[Reason]['code'];

/** One field that is wrong, and what is wrong with it, in the user's words. */
export interface FieldViolation {
  field: string;
  description: string;
}

export interface ErrorOptions {
  /** What happened, for the user. Defaults to the reason's title. Never holds internals. */
  detail?: string;
  fields?: FieldViolation[];
  /** How long to wait before trying again, ms. */
  retryAfterMs?: number;
  /** Facts for a program, such as the seq of the original message. */
  metadata?: Record<string, string>;
  /** What caused it; logged, never shown. */
  cause?: unknown;
}

/** The one error that may leave a service. Anything else that is thrown becomes INTERNAL at the edge. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly reason: Reason;
  readonly fields: FieldViolation[];
  readonly retryAfterMs: number | undefined;
  readonly metadata: Record<string, string>;

  constructor(reason: Reason, options: ErrorOptions = {}) {
    super(options.detail ?? REASONS[reason].title, { cause: options.cause });
    this.reason = reason;
    this.fields = options.fields ?? [];
    this.retryAfterMs = options.retryAfterMs;
    this.metadata = options.metadata ?? {};
  }

  get code(): Code {
    return REASONS[this.reason].code;
  }
}

/** INVALID_REQUEST about one field. */
export function invalidField(field: string, description: string): ServiceError {
  return new ServiceError('INVALID_REQUEST', {
    detail: `${field}: ${description}`,
    fields: [{ field, description }],
  });
}

/** Any thrown value as a ServiceError: itself, or INTERNAL with the value kept as the cause. */
export function toServiceError(thrown: unknown): ServiceError {
  return thrown instanceof ServiceError ? thrown : new ServiceError('INTERNAL', { cause: thrown });
}
