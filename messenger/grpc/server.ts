import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Server, ServerCredentials, type ServerInterceptor } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import { addReflection } from './reflection.ts';
import { Turnstile } from './turnstile.ts';

export interface GrpcServer extends AsyncDisposable {
  /** `host:port`, with the port that was really taken. */
  address: string;
  /** From now on health checks say SERVING. */
  serve(): void;
  /** From now on they say NOT_SERVING, as they did at first. */
  drain(): void;
}

export interface GrpcServerOptions {
  host: string;
  port: number;
  hasReflection: boolean;
  interceptors: ServerInterceptor[];
  addServices(server: Server): void;
}

/** How long calls in flight may still take when the server stops. */
const STOP_MS = 5_000;
/** Connections that the kernel keeps until we take them: grpc-js, listening itself, has 511, and thousands may come back at once. */
const BACKLOG = 4_096;

/** Listens, with limits where grpc-js has none of its own, and with health and reflection. */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const server = new Server({
    interceptors: options.interceptors,
    'grpc.max_concurrent_streams': 1_000,
    // Above our own limit, so that a message that is too large gets our error and not the library's.
    'grpc.max_receive_message_length': 256 * 1024,
    'grpc.max_metadata_size': 32 * 1024,
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.enable_channelz': 0,
  });
  const health = new HealthImplementation({ '': 'NOT_SERVING' });
  health.addToServer(server);
  if (options.hasReflection) addReflection(server);
  options.addServices(server);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const turnstile = new Turnstile((socket) => injector.injectConnection(socket));
  const sockets = new Set<Socket>();
  const door = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    turnstile.enter(socket);
  });
  const { host } = options;
  door.listen({ host, port: options.port, backlog: BACKLOG });
  await once(door, 'listening');
  return {
    address: `${host}:${(door.address() as AddressInfo).port}`,
    serve: () => health.setStatus('', 'SERVING'),
    drain: () => health.setStatus('', 'NOT_SERVING'),
    async [Symbol.asyncDispose]() {
      const closed = once(door, 'close');
      door.close();
      turnstile[Symbol.dispose]();
      server.tryShutdown(() => {});
      // Connections end with their last call; grpc-js does not wait for those that it was given.
      const cut = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, STOP_MS);
      await closed;
      clearTimeout(cut);
    },
  };
}
