import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { MethodDefinition } from '@grpc/grpc-js';
import { invalidField, ServiceError } from '#common/errors.ts';

/** The largest request message, bytes. */
export const MAX_MESSAGE_BYTES = 64 * 1024;

type Definitions = Record<string, MethodDefinition<unknown, unknown>>;

/**
 * A service definition whose requests never fail to decode: grpc-js answers those with INTERNAL, where the fault is the
 * caller's. What cannot be decoded arrives as a Malformed, which `wellFormed` throws.
 */
export function decodedByUs<Service>(service: Service): Service {
  const methods = Object.entries(service as Definitions).map(([name, method]) => [
    name,
    { ...method, requestDeserialize: tolerant(method) },
  ]);
  return Object.fromEntries(methods) as Service;
}

/** The message, or the INVALID_REQUEST that it arrived as. */
export function wellFormed<T>(message: T): T {
  if (message instanceof Malformed) throw message.error;
  return message;
}

class Malformed {
  readonly error: ServiceError;
  constructor(error: ServiceError) {
    this.error = error;
  }
}

function tolerant({ requestDeserialize }: MethodDefinition<unknown, unknown>): (bytes: Buffer) => unknown {
  return (bytes) => {
    if (bytes.length > MAX_MESSAGE_BYTES)
      return new Malformed(
        new ServiceError('PAYLOAD_TOO_LARGE', {
          detail: `A message has at most ${MAX_MESSAGE_BYTES} bytes.`,
        }),
      );
    try {
      // The generated decoder takes a reader as well as bytes, and so can be given one that checks text.
      return requestDeserialize(new StrictReader(bytes) as unknown as Buffer);
    } catch (cause) {
      const error = invalidField('message', 'is not a valid protocol buffer with text in UTF-8');
      return new Malformed(
        new ServiceError(error.reason, { detail: error.message, fields: error.fields, cause }),
      );
    }
  };
}

/** Refuses text that is not UTF-8; the plain reader would put replacement characters into it. */
class StrictReader extends BinaryReader {
  override string(): string {
    return super.string(true);
  }
}
