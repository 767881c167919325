import { LATENCY_BUCKETS, type ServiceMetrics } from '../metrics.ts';

/** Counts the answers of an HTTP service: what `createApp` is to tell of each. */
export function httpMetrics(metrics: ServiceMetrics): (status: number, seconds: number) => void {
  const responses = metrics.counter(
    { name: 'chatterbox_http_responses_total', help: 'Answers over HTTP, by status.' },
    ['status'],
  );
  const took = metrics.histogram(
    { name: 'chatterbox_http_seconds', help: 'From a request over HTTP to the end of its answer.' },
    LATENCY_BUCKETS,
  );
  return (status, seconds) => {
    responses({ status: String(status) });
    took(seconds);
  };
}
