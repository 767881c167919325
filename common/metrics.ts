import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** The numbers of one process, as Prometheus reads them. Several services may live in it: each number says whose it is. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #readOut = new Map<string, Gauge | Counter>();
  readonly #readings = new Set<() => void>();

  /** Where a service puts its numbers. */
  of(service: string): ServiceMetrics {
    return {
      counter: (about, labels = []) => this.#counter(service, about, labels),
      histogram: (about, buckets) => this.#histogram(service, about, buckets),
      gauge: (about, read) => this.#gauge(service, about, [], (set) => set(read())),
      gauges: (about, label, read) =>
        this.#gauge(service, about, [label], (set) => {
          for (const [name, value] of read()) set(value, { [label]: name });
        }),
      total: (about, read) => this.#total(service, about, [], (set) => set(read())),
      totals: (about, label, read) =>
        this.#total(service, about, [label], (set) => {
          for (const [name, value] of read()) set(value, { [label]: name });
        }),
    };
  }

  /** All numbers now, in Prometheus' text format. */
  async text(): Promise<string> {
    // What nobody reads out any more, such as a node that is gone, disappears.
    for (const metric of this.#readOut.values()) metric.reset();
    for (const read of this.#readings) read();
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  #counter<Label extends string>(service: string, { name, help }: About, labels: readonly Label[]) {
    const counter = this.#find(name, () => {
      const labelNames = ['service', ...labels];
      return new Counter({ name, help, labelNames, registers: [this.#registry] });
    });
    // Looking a combination of labels up costs more than counting.
    const known = new Map<string, Counter.Internal>();
    return (values: Record<Label, string>, by = 1) => {
      const key = labels.map((label) => values[label]).join('\0');
      const one = known.get(key) ?? counter.labels({ service, ...values });
      known.set(key, one);
      one.inc(by);
    };
  }

  #histogram(service: string, { name, help }: About, buckets: number[]): (value: number) => void {
    const histogram = this.#find(name, () => {
      return new Histogram({ name, help, labelNames: ['service'], buckets, registers: [this.#registry] });
    });
    const one = histogram.labels({ service });
    return (value) => one.observe(value);
  }

  #gauge(service: string, { name, help }: About, labels: string[], read: (set: SetValue) => void): void {
    const gauge = this.#find(name, () => {
      return new Gauge({ name, help, labelNames: ['service', ...labels], registers: [this.#registry] });
    });
    this.#readOut.set(name, gauge);
    this.#readings.add(() => read((value, values = {}) => gauge.set({ service, ...values }, value)));
  }

  #total(service: string, { name, help }: About, labels: string[], read: (set: SetValue) => void): void {
    const counter = this.#find(name, () => {
      return new Counter({ name, help, labelNames: ['service', ...labels], registers: [this.#registry] });
    });
    this.#readOut.set(name, counter);
    this.#readings.add(() => read((value, values = {}) => counter.inc({ service, ...values }, value)));
  }

  /** Services share what has the same name. */
  #find<Metric extends object>(name: string, create: () => Metric): Metric {
    return (this.#registry.getSingleMetric(name) as Metric | undefined) ?? create();
  }
}

/**
 * The instruments of one service. What is counted is told as it happens, what stands somewhere is read when it is asked for. The values
 * of a label come from a closed list of ours, never from callers: each one is kept for ever.
 */
export interface ServiceMetrics {
  counter<Label extends string = never>(
    about: About,
    labels?: readonly Label[],
  ): (values: Record<Label, string>, by?: number) => void;
  /** `buckets`: upper bounds, ascending. */
  histogram(about: About, buckets: number[]): (value: number) => void;
  gauge(about: About, read: () => number): void;
  /** One number for each value of `label`. */
  gauges(about: About, label: string, read: () => Iterable<[name: string, value: number]>): void;
  /** What somebody else counts, and never counts down. */
  total(about: About, read: () => number): void;
  totals(about: About, label: string, read: () => Iterable<[name: string, value: number]>): void;
}

export interface About {
  /** In Prometheus' style: `chatterbox_things_total`, `chatterbox_thing_seconds`. */
  name: string;
  help: string;
}

/** Seconds, from what a commit takes to what a caller gives up at. */
export const LATENCY_BUCKETS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

type SetValue = (value: number, values?: Record<string, string>) => void;
