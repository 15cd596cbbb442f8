/** Shows a running call: what state it is in, and both transcripts as they come. */
import type { TimelineEntry } from '../lab/caller/call-run.ts';
import { joinTranscript, type ServerEvent } from '../lab/report/transcript.ts';
import { type Progress, spokenLine } from './progress.ts';

const LOOK_MS = 250;

const STATES: Readonly<Record<string, string>> = {
  ringing: 'ringing',
  answered: 'answered',
  'stream-started': 'talking',
  audio: 'talking',
  clear: 'interrupted',
  'recording-over': 'the caller has said everything',
  'stream-closed': 'the gateway hung up',
  ended: 'over',
};

/** Timeline entries of the simulated caller, as they happen. */
export function stateOf(entry: TimelineEntry): string | null {
  return STATES[entry.what] ?? null;
}

/**
 * Prints each line of the transcript once it is complete.
 * @param events the model's side, read again and again
 * @returns a function that prints what is left and ends the watch
 */
export function followTranscript(
  events: () => readonly ServerEvent[],
  originMs: number,
  progress: Progress,
): () => void {
  let printed = 0;
  const print = (all: boolean): void => {
    const lines = joinTranscript(events(), originMs);
    while (printed < lines.length && (all || lines[printed]!.complete)) {
      progress.say(spokenLine(lines[printed]!));
      printed += 1;
    }
  };
  const timer = setInterval(() => print(false), LOOK_MS);
  return () => {
    clearInterval(timer);
    print(true);
  };
}
