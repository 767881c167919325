import type { Identity } from '../identity/access-token.ts';

declare global {
  namespace Express {
    interface Request {
      /** The caller's `x-request-id`, or one of ours; in every answer, problem and log line. */
      id: string;
    }
    interface Locals {
      /** Set by `identified`. */
      identity: Identity;
      /** Set by the gateway: what limits count the caller by; undefined for a service. */
      countedBy?: string;
    }
  }
}
