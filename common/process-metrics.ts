import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Metrics } from './metrics.ts';

/** What a process says of itself, whatever runs in it. Disposing stops the measuring. */
export function addProcessMetrics(metrics: Metrics): Disposable {
  const loop = monitorEventLoopDelay({ resolution: 10 });
  loop.enable();
  const { gauge, gauges } = metrics.of('process');
  gauges(
    {
      name: 'chatterbox_event_loop_lag_seconds',
      help: 'How late the event loop was since the last reading: half of the time at most this, almost always, and once.',
    },
    'quantile',
    () => {
      const lags = [loop.percentile(50), loop.percentile(99), loop.max].map((ns) => Math.max(0, ns / 1e9));
      loop.reset();
      return ['0.5', '0.99', '1'].map((quantile, i): [string, number] => [quantile, lags[i] ?? 0]);
    },
  );
  gauge({ name: 'process_resident_memory_bytes', help: 'Memory of the process.' }, () =>
    process.memoryUsage.rss(),
  );
  gauge(
    { name: 'chatterbox_heap_bytes', help: 'Memory of JavaScript in use.' },
    () => process.memoryUsage().heapUsed,
  );
  gauge(
    { name: 'chatterbox_handles', help: 'Sockets, timers and the like that are open.' },
    () => process.getActiveResourcesInfo().length,
  );
  gauge({ name: 'chatterbox_cpu_seconds', help: 'Processor time since the start.' }, () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  gauge({ name: 'process_start_time_seconds', help: 'When the process started, since the epoch.' }, () =>
    Math.round(performance.timeOrigin / 1000),
  );
  return { [Symbol.dispose]: () => void loop.disable() };
}
