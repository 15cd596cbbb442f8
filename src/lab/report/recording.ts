/** The call as a recording: what the caller said on the left, what the caller heard on the right. */
import { convertOffline } from '../../audio/offline.ts';
import { writeWav } from '../../audio/wav.ts';
import type { CallRun } from '../caller/call-run.ts';

/** Where the two have different rates, at the higher one. */
export function recordingOf(run: CallRun): Buffer {
  const sentRate = run.sentRate ?? run.sampleRate;
  const rate = Math.max(run.sampleRate, sentRate);
  return writeWav(rate, [at(rate, run.sent, sentRate), at(rate, run.heard, run.sampleRate)]);
}

const at = (wanted: number, samples: Int16Array, rate: number): Int16Array =>
  rate === wanted ? samples : convertOffline(samples, rate, wanted);
