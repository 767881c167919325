import { Server, ServerCredentials, type ServerInterceptor } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import { addReflection } from './reflection.ts';

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
  const port = await listen(server, `${options.host}:${options.port}`);
  return {
    address: `${options.host}:${port}`,
    serve: () => health.setStatus('', 'SERVING'),
    drain: () => health.setStatus('', 'NOT_SERVING'),
    [Symbol.asyncDispose]: () => stop(server),
  };
}

function listen(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    );
  });
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.forceShutdown(), STOP_MS);
    server.tryShutdown(() => {
      clearTimeout(cut);
      resolve();
    });
  });
}
