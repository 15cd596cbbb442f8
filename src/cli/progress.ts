/** A call that runs in real time, as a person watches it: a bar on a terminal, plain lines anywhere else. */
import type { TranscriptLine } from '../lab/report/transcript.ts';
import type { CliIo } from './io.ts';

const BAR_WIDTH = 28;
const REDRAW_MS = 200;
const ERASE_LINE = '\r\u001b[2K';

export interface Progress {
  /** A line that stays. */
  say(line: string): void;
  setState(state: string): void;
  start(): void;
  stop(): void;
}

export function createProgress(io: CliIo, totalMs: number): Progress {
  let state = '';
  let timer: NodeJS.Timeout | null = null;
  let startedAtMs = 0;
  const draw = (): void => {
    const elapsedMs = Math.min(performance.now() - startedAtMs, totalMs);
    const filled = Math.round((elapsedMs / totalMs) * BAR_WIDTH);
    const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
    const line = `${bar}  ${(elapsedMs / 1_000).toFixed(1)} of ${(totalMs / 1_000).toFixed(1)} s  ${state}`;
    io.draw(`${ERASE_LINE}${line.slice(0, Math.max(20, io.columns - 1))}`);
  };
  return {
    say(line) {
      if (timer === null) io.out(line);
      else {
        io.draw(ERASE_LINE);
        io.out(line);
        draw();
      }
    },
    setState(next) {
      state = next;
    },
    start() {
      startedAtMs = performance.now();
      if (io.isTerminal) timer = setInterval(draw, REDRAW_MS);
    },
    stop() {
      if (timer === null) return;
      clearInterval(timer);
      timer = null;
      io.draw(ERASE_LINE);
    },
  };
}

export const spokenLine = ({ atMs, who, text }: Omit<TranscriptLine, 'complete'>): string =>
  `${(atMs / 1_000).toFixed(1).padStart(6)} s  ${who.padEnd(6)}  ${text}`;
