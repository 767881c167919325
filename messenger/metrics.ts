import { LATENCY_BUCKETS, type ServiceMetrics } from '#common/metrics.ts';

/** What the core counts as it goes, with plain `++`: its only cost where messages are many. Read out when somebody asks. */
export class Tally {
  /** Sends by what became of them: `committed`, `repeated` (an earlier one's answer), `failed` (by the store), `refused` (queue full). */
  readonly sends: SendCounts = { committed: 0, repeated: 0, failed: 0, refused: 0 };
  /** Acknowledgements that came from devices. */
  acks = 0;
  /** How often a stream's window was full, so that it reads on from the log when it drains. */
  windowsFull = 0;
}

export type SendCounts = Record<'committed' | 'repeated' | 'failed' | 'refused', number>;

/** What stands somewhere in the running messenger. */
export interface Readings {
  /** Drafts that wait for a commit. */
  queueDepth(): number;
  /** Open streams. */
  sessions(): number;
  hintsLost(): number;
  hintsRepaired(): number;
  /** Connections to the database, by state; none for a file. */
  pool(): Iterable<[state: string, count: number]>;
}

/** Hears of each batch once. */
export interface BatchObserver {
  /** `seconds`: from handing it to the store until its answer. */
  committed(rows: number, seconds: number): void;
}

/** The messenger's numbers. The result hears of what needs a distribution. */
export function messengerMetrics(metrics: ServiceMetrics, tally: Tally, readings: Readings): BatchObserver {
  addTotals(metrics, tally, readings);
  addGauges(metrics, readings);
  const rows = metrics.histogram(
    { name: 'chatterbox_batch_rows', help: 'Sends that went together in one commit.' },
    [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
  );
  const seconds = metrics.histogram(
    { name: 'chatterbox_commit_seconds', help: 'How long the store took for one commit.' },
    LATENCY_BUCKETS,
  );
  return {
    committed(count, took) {
      rows(count);
      seconds(took);
    },
  };
}

function addTotals({ total, totals }: ServiceMetrics, tally: Tally, readings: Readings): void {
  totals({ name: 'chatterbox_sends_total', help: 'Sends, by what became of them.' }, 'result', () =>
    Object.entries(tally.sends),
  );
  total({ name: 'chatterbox_acks_total', help: 'Acknowledgements of devices.' }, () => tally.acks);
  total(
    {
      name: 'chatterbox_window_full_total',
      help: 'How often a stream did not keep up and was to read on from the log.',
    },
    () => tally.windowsFull,
  );
  total(
    { name: 'chatterbox_hints_lost_total', help: 'Hints for other nodes that the bus did not take.' },
    readings.hintsLost,
  );
  total(
    {
      name: 'chatterbox_hints_repaired_total',
      help: 'For how many streams news of other nodes came by the journal first.',
    },
    readings.hintsRepaired,
  );
}

function addGauges({ gauge, gauges }: ServiceMetrics, readings: Readings): void {
  gauge({ name: 'chatterbox_lane_queue_depth', help: 'Sends that wait for a commit.' }, readings.queueDepth);
  gauge({ name: 'chatterbox_sessions', help: 'Open streams.' }, readings.sessions);
  gauges(
    { name: 'chatterbox_pool_connections', help: 'Connections to the database, by state.' },
    'state',
    readings.pool,
  );
}
