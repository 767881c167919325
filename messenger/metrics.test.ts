import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Metrics } from '#common/metrics.ts';
import { messengerMetrics, Tally } from './metrics.ts';

describe("the messenger's numbers", () => {
  it('are what was counted and what stands at the moment, under their names', async () => {
    const metrics = new Metrics();
    const tally = new Tally();
    let depth = 7;
    const batches = messengerMetrics(metrics.of('messenger'), tally, {
      queueDepth: () => depth,
      sessions: () => 2,
      hintsLost: () => 3,
      hintsRepaired: () => 4,
      pool: () => [['idle', 5]],
    });
    tally.sends.committed += 10;
    tally.sends.repeated++;
    tally.acks += 6;
    tally.windowsFull++;
    batches.committed(10, 0.003);
    await metrics.text();
    depth = 8;
    const lines = (await metrics.text()).split('\n');
    for (const line of [
      '# TYPE chatterbox_sends_total counter',
      'chatterbox_sends_total{service="messenger",result="committed"} 10',
      'chatterbox_sends_total{service="messenger",result="repeated"} 1',
      'chatterbox_sends_total{service="messenger",result="failed"} 0',
      'chatterbox_acks_total{service="messenger"} 6',
      'chatterbox_window_full_total{service="messenger"} 1',
      'chatterbox_hints_lost_total{service="messenger"} 3',
      'chatterbox_hints_repaired_total{service="messenger"} 4',
      'chatterbox_lane_queue_depth{service="messenger"} 8',
      'chatterbox_sessions{service="messenger"} 2',
      'chatterbox_pool_connections{service="messenger",state="idle"} 5',
      'chatterbox_batch_rows_bucket{le="8",service="messenger"} 0',
      'chatterbox_batch_rows_bucket{le="16",service="messenger"} 1',
      'chatterbox_commit_seconds_sum{service="messenger"} 0.003',
    ])
      assert.ok(lines.includes(line), `${line}\nis not in\n${lines.join('\n')}`);
  });
});
