import { CAPABILITIES } from '../lab-carrier.ts';
import type { Broken, Invariant } from './invariant.ts';

/** The lead, what was put before a turn against a rough line, and what a late message holds back. */
const MOST_QUEUED_MS = 2 * CAPABILITIES.maxLeadMs + 1_000;
const MOST_BUFFERED_BYTES = 2 * 1024 * 1024;

export const bounded: Invariant = {
  name: 'bounded',
  sentence: 'No queue of a call grows beyond its bound: at the carrier, or before the model.',
  check({ longestQueueMs, mostBufferedBytes }) {
    const broken: Broken[] = [];
    if (longestQueueMs > MOST_QUEUED_MS)
      broken.push({ atMs: null, detail: `the carrier held ${Math.round(longestQueueMs)} ms of audio` });
    if (mostBufferedBytes > MOST_BUFFERED_BYTES)
      broken.push({ atMs: null, detail: `${mostBufferedBytes} bytes waited before the model` });
    return broken;
  },
};
