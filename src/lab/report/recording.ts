/** The call as a recording: what the caller said on the left, what the caller heard on the right, 8 kHz. */
import { writeWav } from '../../audio/wav.ts';
import type { CallRun } from '../caller/call-run.ts';

export const recordingOf = (run: CallRun): Buffer => writeWav(run.sampleRate, [run.sent, run.heard]);
