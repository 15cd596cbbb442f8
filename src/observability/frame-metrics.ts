import { Histogram, type Registry } from 'prom-client';
import type { CallMeters } from '../call/meters.ts';
import { FixedHistogram } from './fixed-histogram.ts';

const NAME = 'offhook_frame_latency_seconds';
const HELP =
  'From reading a frame on one side to writing its audio on the other (down: first audio of a turn).';
const BOUNDS_SECONDS = [0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1];
const LEGS = ['up', 'down'] as const;

/**
 * The meters that see every frame of every call. prom-client hashes a label set for each value; here a value is a few
 * comparisons, and the form that Prometheus wants is put together when it asks.
 */
export function createFrameMeters(registry: Registry): CallMeters {
  const histograms = { up: new FixedHistogram(BOUNDS_SECONDS), down: new FixedHistogram(BOUNDS_SECONDS) };
  new FrameLatency(registry, histograms);
  return {
    frameLatency: (leg, ms) => histograms[leg].observe(ms / 1000),
  };
}

class FrameLatency extends Histogram<'leg'> {
  readonly #legs: Readonly<Record<(typeof LEGS)[number], FixedHistogram>>;

  constructor(registry: Registry, legs: Readonly<Record<(typeof LEGS)[number], FixedHistogram>>) {
    super({
      name: NAME,
      help: HELP,
      labelNames: ['leg'],
      buckets: BOUNDS_SECONDS,
      registers: [registry],
    });
    this.#legs = legs;
  }

  /** prom-client's registry asks this of a histogram; not in its published types. `get` of the base class uses it too. */
  async getForPromString(): Promise<object> {
    return { name: NAME, help: HELP, type: 'histogram', aggregator: 'sum', values: this.#values() };
  }

  #values(): object[] {
    return LEGS.flatMap((leg) => {
      const histogram = this.#legs[leg];
      const steps = histogram.cumulative();
      return [
        ...steps.map(({ bound, count }) => ({
          metricName: `${NAME}_bucket`,
          labels: { le: bound === Infinity ? '+Inf' : bound, leg },
          value: count,
        })),
        { metricName: `${NAME}_sum`, labels: { leg }, value: histogram.sum },
        { metricName: `${NAME}_count`, labels: { leg }, value: steps.at(-1)?.count ?? 0 },
      ];
    });
  }
}
