import assert from 'node:assert/strict';
import { create, createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { credentials, loadPackageDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { after, before, describe, it } from 'mocha';
import { addressOf } from '../outside/grpc.ts';
import { type System, startSystem } from '../outside/system.ts';

const PROTO = 'node_modules/@grpc/reflection/build/proto/grpc/reflection';

describe('what grpcurl needs', () => {
  let system: System;
  before(async () => {
    system = await startSystem();
  });
  after(() => system[Symbol.asyncDispose]());

  for (const version of ['v1', 'v1alpha']) {
    it(`reflection ${version} lists what is public, with descriptors that a strict client can link`, async () => {
      const { listed, files } = await reflect(version);
      assert.deepEqual(listed.toSorted(), [
        'chatterbox.v1.ConversationsService',
        'chatterbox.v1.SessionService',
        'grpc.health.v1.Health',
        'org.harshit.messenger.chat.ChatService',
      ]);
      const file = files.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
      const registry = createFileRegistry(create(FileDescriptorSetSchema, { file }));
      const service = registry.getService('org.harshit.messenger.chat.ChatService');
      assert.deepEqual(
        service?.methods.map((method) => method.name),
        ['SendMessage', 'StreamMessage', 'SendMessagesGRPC'],
      );
      assert.equal(registry.getMessage('google.rpc.ErrorInfo')?.fields.length, 3);
    });
  }

  /** Asks for a symbol's file, then for what it imports, as a client does. */
  async function reflect(version: string): Promise<{ listed: string[]; files: Uint8Array[] }> {
    const loaded = loadPackageDefinition(
      loadSync(`${PROTO}/${version}/reflection.proto`, { keepCase: true }),
    ) as any;
    const stub = new loaded.grpc.reflection[version].ServerReflection(
      addressOf(system.url),
      credentials.createInsecure(),
    );
    const ask = (question: object): Promise<any> => {
      const call = stub.ServerReflectionInfo();
      const answer = new Promise((resolve, reject) => call.on('data', resolve).on('error', reject));
      call.write(question);
      call.end();
      return answer;
    };
    const files = new Map<string, Uint8Array>();
    const take = async (question: object): Promise<void> => {
      const { file_descriptor_response: found } = await ask(question);
      for (const bytes of found.file_descriptor_proto) {
        const { name, dependency } = fromBinary(FileDescriptorProtoSchema, bytes);
        for (const needed of dependency) if (!files.has(needed)) await take({ file_by_filename: needed });
        files.set(name, bytes);
      }
    };
    const { list_services_response: list } = await ask({ list_services: '' });
    await take({ file_containing_symbol: 'org.harshit.messenger.chat.ChatService' });
    await take({ file_containing_symbol: 'google.rpc.ErrorInfo' });
    stub.close();
    return {
      listed: list.service.map((service: { name: string }) => service.name),
      files: [...files.values()],
    };
  }
});
