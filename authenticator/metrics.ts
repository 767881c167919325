import type { Reason } from '#common/errors.ts';
import type { ServiceMetrics } from '#common/metrics.ts';

/** Counts the logins that are refused: what `Accounts` is to tell of each. */
export function loginMetrics(metrics: ServiceMetrics): (reason: Reason) => void {
  const refused = metrics.counter(
    { name: 'chatterbox_logins_refused_total', help: 'Logins that were refused, by reason.' },
    ['reason'],
  );
  return (reason) => refused({ reason });
}
