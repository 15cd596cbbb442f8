/**
 * What the gateway says of the call itself, read from its journal as plain data: the laboratory stands outside and
 * shares no types with it, so whatever is missing or different is simply not reported.
 */
import { z } from 'zod';

const bargeIn = z.object({
  type: z.literal('barge-in'),
  by: z.string(),
  bargeInMs: z.number().nullable(),
  gatewayMs: z.number().nullable(),
});
const turnAudible = z.object({
  type: z.literal('turn-audible'),
  turnGapMs: z.number().nullable(),
  addedLatencyMs: z.number(),
});
const callEnded = z.object({
  type: z.literal('call-ended'),
  reason: z.object({ who: z.string(), how: z.string() }),
});
const known = z.discriminatedUnion('type', [bargeIn, turnAudible, callEnded]);

/** From a histogram: the upper bounds of the steps that hold the median and the 99th percentile. */
export interface LatencyBounds {
  readonly frames: number;
  readonly medianBelowMs: number;
  readonly p99BelowMs: number;
}

export interface GatewayView {
  readonly bargeIns: readonly { by: string; bargeInMs: number | null; gatewayMs: number | null }[];
  /** First audio of a turn read to its first frame written, one per turn. */
  readonly addedDownMs: readonly number[];
  /** Carrier message read to its audio written to the model, over all frames; null when not reported. */
  readonly addedUp: LatencyBounds | null;
  readonly turnGapsMs: readonly number[];
  readonly ended: { readonly who: string; readonly how: string } | null;
}

/** Entries that are not understood are skipped. Never throws. */
export function readGatewayView(
  entries: readonly unknown[],
  addedUp: LatencyBounds | null = null,
): GatewayView {
  const read = entries.flatMap((entry) => {
    const parsed = known.safeParse(entry);
    return parsed.success ? [parsed.data] : [];
  });
  const audible = read.filter((entry) => entry.type === 'turn-audible');
  return {
    bargeIns: read.filter((entry) => entry.type === 'barge-in'),
    addedDownMs: audible.map((entry) => entry.addedLatencyMs),
    addedUp,
    turnGapsMs: audible.flatMap((entry) => (entry.turnGapMs === null ? [] : [entry.turnGapMs])),
    ended: read.findLast((entry) => entry.type === 'call-ended')?.reason ?? null,
  };
}

const BUCKET = /^offhook_frame_latency_seconds_bucket\{([^}]*)\} (\d+)$/;

/** Reads one leg's frame latency from the gateway's metrics (Prometheus text); null when it is not there. */
export function readFrameLatency(metrics: string, leg: 'up' | 'down'): LatencyBounds | null {
  const steps = metrics.split('\n').flatMap((line) => {
    const [, labels = '', count] = BUCKET.exec(line) ?? [];
    const bound = /le="([^"]+)"/.exec(labels)?.[1];
    if (count === undefined || bound === undefined || !labels.includes(`leg="${leg}"`)) return [];
    return [
      { belowMs: bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound) * 1_000, count: Number(count) },
    ];
  });
  const frames = steps.at(-1)?.count ?? 0;
  if (frames === 0) return null;
  const below = (part: number): number => steps.find(({ count }) => count >= frames * part)!.belowMs;
  return { frames, medianBelowMs: below(0.5), p99BelowMs: below(0.99) };
}
