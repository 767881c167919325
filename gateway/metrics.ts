import { status as GrpcCode } from '@grpc/grpc-js';
import { httpMetrics } from '#common/http/metrics.ts';
import type { ServiceMetrics } from '#common/metrics.ts';
import { isKnownMethod } from './grpc/public-services.ts';
import type { Nodes } from './nodes/nodes.ts';

/** What the gateway counts as it happens. */
export interface GatewayMetrics {
  /** A stream of HTTP/2 has not been reset before its turn came. */
  streamBegan(): void;
  callBegan(): void;
  /** `code`: of google.rpc; `tries`: how often it was sent to a messenger. */
  callEnded(path: string, code: number, tries: number): void;
  connected(): void;
  disconnected(): void;
  /** An answer over HTTP, or over HTTP/2 without gRPC. */
  answered(status: number, seconds: number): void;
}

/** The gateway's numbers, and what is told to them. */
export function gatewayMetrics(
  metrics: ServiceMetrics,
  nodes: Nodes,
  connections: () => number,
): GatewayMetrics {
  const open = { calls: 0, connections: 0 };
  addNodes(metrics, nodes);
  metrics.gauge(
    { name: 'chatterbox_grpc_calls_open', help: 'Calls, streams among them, that are open.' },
    () => open.calls,
  );
  metrics.gauge(
    { name: 'chatterbox_http2_connections', help: 'Client connections over HTTP/2.' },
    () => open.connections,
  );
  metrics.gauge(
    { name: 'chatterbox_connections', help: 'Connections to the gateway, whatever they speak.' },
    connections,
  );
  const calls = metrics.counter(
    { name: 'chatterbox_grpc_calls_total', help: 'Calls that have ended, by how.' },
    ['method', 'code'],
  );
  const replays = metrics.counter({
    name: 'chatterbox_grpc_replays_total',
    help: 'How often a call was sent again, because a messenger had gone.',
  });
  const streams = metrics.counter({
    name: 'chatterbox_http2_streams_total',
    help: 'Streams over HTTP/2 whose work was begun.',
  });
  return {
    streamBegan: () => streams({}),
    callBegan: () => void open.calls++,
    callEnded(path, code, tries) {
      open.calls--;
      // Anybody can make paths up, and every label is kept for ever.
      const method = isKnownMethod(path) ? path.slice(1) : 'other';
      calls({ method, code: GrpcCode[code] ?? 'UNKNOWN' });
      if (tries > 1) replays({}, tries - 1);
    },
    connected: () => void open.connections++,
    disconnected: () => void open.connections--,
    answered: httpMetrics(metrics),
  };
}

function addNodes(metrics: ServiceMetrics, nodes: Nodes): void {
  metrics.gauges(
    { name: 'chatterbox_node_serving', help: '1 for each messenger that takes calls, else 0.' },
    'node',
    () => Array.from(nodes.all(), ({ address, isServing }) => [address, Number(isServing)]),
  );
  metrics.gauges(
    { name: 'chatterbox_node_connections', help: 'Our connections for clients to each messenger.' },
    'node',
    () => Array.from(nodes.all(), ({ address, links }) => [address, links.size]),
  );
}
