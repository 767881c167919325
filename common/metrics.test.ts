import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { readAdminConfig, startAdminServer, startObserved } from './admin.ts';
import { ConfigError } from './config.ts';
import { Metrics } from './metrics.ts';
import { addProcessMetrics } from './process-metrics.ts';

describe('the numbers of a process', () => {
  it('are counted by service and label, in Prometheus’ format', async () => {
    const metrics = new Metrics();
    const about = { name: 'chatterbox_things_total', help: 'Things.' };
    const things = metrics.of('one').counter(about, ['kind']);
    things({ kind: 'good' });
    things({ kind: 'good' }, 2);
    things({ kind: 'bad' });
    metrics.of('two').counter(about, ['kind'])({ kind: 'good' });
    const seconds = metrics.of('one').histogram({ name: 'chatterbox_seconds', help: 'Time.' }, [0.1, 1]);
    for (const value of [0.05, 0.5, 5]) seconds(value);
    const lines = (await metrics.text()).split('\n');
    for (const line of [
      '# TYPE chatterbox_things_total counter',
      'chatterbox_things_total{service="one",kind="good"} 3',
      'chatterbox_things_total{service="one",kind="bad"} 1',
      'chatterbox_things_total{service="two",kind="good"} 1',
      'chatterbox_seconds_bucket{le="0.1",service="one"} 1',
      'chatterbox_seconds_bucket{le="1",service="one"} 2',
      'chatterbox_seconds_count{service="one"} 3',
    ])
      assert.ok(lines.includes(line), `${line}\nis not in\n${lines.join('\n')}`);
  });

  it('that stand somewhere are read when they are asked for, and go when they are gone', async () => {
    const metrics = new Metrics();
    const open = new Map([
      ['a', 1],
      ['b', 2],
    ]);
    const about = { name: 'chatterbox_open', help: 'Open.' };
    metrics.of('one').gauges(about, 'node', () => open);
    metrics.of('two').gauges(about, 'node', () => [['c', 7]]);
    assert.match(await metrics.text(), /chatterbox_open\{service="one",node="b"\} 2\n/);
    open.delete('b');
    open.set('a', 5);
    const text = await metrics.text();
    assert.match(text, /chatterbox_open\{service="one",node="a"\} 5\n/);
    assert.match(text, /chatterbox_open\{service="two",node="c"\} 7\n/);
    assert.doesNotMatch(text, /node="b"/);
  });

  it('include the lag of the event loop, since the last reading', async () => {
    const metrics = new Metrics();
    using _measuring = addProcessMetrics(metrics);
    await new Promise((resolve) => setTimeout(resolve, 30));
    const until = performance.now() + 200;
    while (performance.now() < until);
    await new Promise((resolve) => setTimeout(resolve, 30));
    const worst = async () =>
      Number(/chatterbox_event_loop_lag_seconds\{.*quantile="1"\} (\S+)/.exec(await metrics.text())?.[1]);
    const blocked = await worst();
    assert.ok(blocked > 0.15 && blocked < 2, `${blocked}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok((await worst()) < blocked);
  });
});

describe('the admin server', () => {
  it('shows the numbers at /metrics, and nothing else', async () => {
    const metrics = new Metrics();
    metrics.of('one').gauge({ name: 'chatterbox_depth', help: 'Depth.' }, () => 3);
    await using server = await startAdminServer({ host: '127.0.0.1', port: 0 }, metrics);
    const response = await fetch(`${server.url}/metrics`);
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    assert.match(await response.text(), /chatterbox_depth\{service="one"\} 3/);
    for (const [path, method] of [
      ['/', 'GET'],
      ['/metrics/x', 'GET'],
      ['/metrics', 'POST'],
    ] as const)
      assert.equal((await fetch(`${server.url}${path}`, { method })).status, 404, path);
  });

  it('is off unless it is given a port', () => {
    assert.deepEqual(readAdminConfig({}), { host: '127.0.0.1', port: 0 });
    assert.equal(readAdminConfig({ CHATTERBOX_ADMIN_PORT: '9464' }).port, 9464);
  });

  it('tells what is wrong with its settings together with the service’s', async () => {
    const readConfig = () => {
      throw new ConfigError(['the service’s']);
    };
    const start = () => assert.fail('it started');
    await assert.rejects(
      startObserved({ CHATTERBOX_ADMIN_PORT: 'x' }, readConfig, start),
      (error) => error instanceof ConfigError && error.problems.length === 2,
    );
  });
});
