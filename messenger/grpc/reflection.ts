import { readFileSync } from 'node:fs';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { Server } from '@grpc/grpc-js';
import {
  type AnyDefinition,
  loadFileDescriptorSetFromBuffer,
  type PackageDefinition,
} from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';

/** The public protos with all that they import, as buf builds them: reflection serves nothing internal. */
const PUBLIC_DESCRIPTORS = new URL('../../proto/gen/public.binpb', import.meta.url);

/** Lets a client list and describe the public services (v1 and v1alpha). */
export function addReflection(server: Server): void {
  new ReflectionService(publicPackages()).addToServer(server);
}

/**
 * The public services for reflection, each with the descriptors as buf wrote them. proto-loader would write them anew, without
 * their imports, and then no client can link them (grpc-node #2958).
 */
function publicPackages(): PackageDefinition {
  const set = readFileSync(PUBLIC_DESCRIPTORS);
  const fileDescriptorProtos = filesOf(set);
  const packages = loadFileDescriptorSetFromBuffer(set, { keepCase: true });
  return Object.fromEntries(
    Object.entries(packages).map(([name, definition]) => [name, withFiles(definition, fileDescriptorProtos)]),
  );
}

/** A service's methods carry descriptors too, on their types. */
function withFiles(definition: AnyDefinition, fileDescriptorProtos: Buffer[]): AnyDefinition {
  if ('format' in definition) return { ...definition, fileDescriptorProtos } as AnyDefinition;
  const methods = Object.entries(definition).map(([name, method]) => {
    const { requestType, responseType } = method;
    return [
      name,
      {
        ...method,
        requestType: { ...requestType, fileDescriptorProtos },
        responseType: { ...responseType, fileDescriptorProtos },
      },
    ];
  });
  return Object.fromEntries(methods) as AnyDefinition;
}

/** The files of a google.protobuf.FileDescriptorSet (its field 1), each as it stands. */
function filesOf(set: Uint8Array): Buffer[] {
  const reader = new BinaryReader(set);
  const files: Buffer[] = [];
  while (reader.pos < reader.len) {
    reader.tag();
    files.push(Buffer.from(reader.bytes()));
  }
  return files;
}
