import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Clock } from '../clock.ts';

const LOOP_SAMPLE_MS = 10;
const LOOP_WINDOW_MS = 10_000;
const QUANTILES = [
  ['0.5', 50],
  ['0.99', 99],
  ['1', 100],
] as const;

export interface ProcessMetrics {
  close(): void;
}

/** What the process itself is doing. Names of the `process_` figures as Prometheus' own clients have them. */
export function createProcessMetrics(registry: Registry, clock: Clock, version: string): ProcessMetrics {
  const registers = [registry];
  new Gauge({
    name: 'offhook_build_info',
    help: 'Always 1; the labels say what is running.',
    labelNames: ['version', 'node'],
    registers,
  }).set({ version, node: process.version }, 1);
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory.',
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  const startedAtSeconds = clock.epochMs() / 1000 - process.uptime();
  new Gauge({
    name: 'process_start_time_seconds',
    help: 'Start of the process, seconds since 1970.',
    registers,
  }).set(startedAtSeconds);
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Processor time, user and system.',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });

  const delay = new LoopDelay(clock);
  new Gauge({
    name: 'offhook_event_loop_delay_seconds',
    help: 'How late the event loop was, over the last ten to twenty seconds; quantile 1 is the largest.',
    labelNames: ['quantile'],
    registers,
    collect() {
      const seen = delay.quantilesMs();
      for (const [index, [quantile]] of QUANTILES.entries())
        this.set({ quantile }, (seen[index] ?? 0) / 1000);
    },
  });
  return { close: () => delay.close() };
}

/** A window that does not depend on how often, or by how many, the metrics are asked for. */
class LoopDelay {
  readonly #clock: Clock;
  readonly #histogram = monitorEventLoopDelay({ resolution: LOOP_SAMPLE_MS });
  #windowStartMs: number;
  #last: readonly number[] | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#windowStartMs = clock.now();
    this.#histogram.enable();
  }

  quantilesMs(): readonly number[] {
    const now = this.#read();
    const before = this.#last;
    if (this.#clock.now() - this.#windowStartMs >= LOOP_WINDOW_MS) {
      this.#last = now;
      this.#histogram.reset();
      this.#windowStartMs = this.#clock.now();
    }
    return before === null ? now : now.map((value, index) => Math.max(value, before[index] ?? 0));
  }

  close(): void {
    this.#histogram.disable();
  }

  /** The histogram holds intervals, so the sampling period itself is taken off; nanoseconds. */
  #read(): readonly number[] {
    if (this.#histogram.count === 0) return QUANTILES.map(() => 0);
    return QUANTILES.map(([, percent]) =>
      Math.max(0, this.#histogram.percentile(percent) / 1e6 - LOOP_SAMPLE_MS),
    );
  }
}
