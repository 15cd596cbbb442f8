import { readdirSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import type { MediaEvent } from '../../src/carriers/carrier.ts';

/** One message of a stream, as the fixtures have it. `base64` instead of `text` for a binary one. */
const Line = z.union([
  z.strictObject({ dir: z.literal('in'), text: z.string(), events: z.array(z.string()) }),
  z.strictObject({ dir: z.literal('in'), base64: z.base64(), events: z.array(z.string()) }),
  z.strictObject({ dir: z.literal('out'), text: z.string() }),
  z.strictObject({ dir: z.literal('out'), base64: z.base64() }),
]);

export type TraceLine =
  | { readonly dir: 'in'; readonly message: string | Buffer; readonly events: readonly string[] }
  | { readonly dir: 'out'; readonly message: string | Buffer };

/** All traces of a folder, by file name without its ending. */
export function readTraces(folder: URL): [name: string, lines: TraceLine[]][] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl'))
    .map((name) => [name.replace(/\.jsonl$/, ''), readTrace(new URL(name, folder))]);
}

function readTrace(file: URL): TraceLine[] {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  return lines.map((text) => {
    const line = Line.parse(JSON.parse(text));
    const message = 'text' in line ? line.text : Buffer.from(line.base64, 'base64');
    return line.dir === 'in' ? { dir: 'in', message, events: line.events } : { dir: 'out', message };
  });
}

/** An event in a few words: how the traces write down what a message means. */
export function eventInWords(event: MediaEvent): string {
  switch (event.type) {
    case 'started':
      return `started ${event.start.callId}`;
    case 'audio':
      return `audio ${event.payload.length} at ${event.mediaTimeMs}`;
    case 'dtmf':
      return `dtmf ${event.digit}`;
    case 'mark':
      return `mark ${event.name} ${event.outcome}`;
    case 'flow':
      return event.paused ? 'paused' : 'resumed';
    case 'unusable':
      return `unusable ${event.closeCode}`;
    case 'fault':
      return `fault ${event.kind}`;
    case 'reply':
    case 'cleared':
    case 'stopped':
      return event.type;
  }
}
