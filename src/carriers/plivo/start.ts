import { z } from 'zod';
import type { MediaEvent, StreamStart } from '../carrier.ts';
import {
  CLOSE_PROTOCOL,
  CLOSE_UNSUPPORTED,
  isObject,
  type Message,
  parseObject,
  textParameters,
  unusable,
} from '../json-messages.ts';
import { DeclaredFormat, formatForPeople, unusableFields } from '../text-stream.ts';
import { formatOf } from './settings.ts';

/** Plivo allows 512 bytes. */
const MAX_EXTRA_CHARACTERS = 4096;

const Start = z.object({
  streamId: z.string().min(1).max(128),
  callId: z.string().max(128).nullish(),
  mediaFormat: DeclaredFormat,
});

export type StartReading =
  | { readonly ok: true; readonly start: StreamStart }
  | { readonly ok: false; readonly events: readonly MediaEvent[] };

/** Plivo, "Audio streaming: start event". What it says of the format counts, whatever was asked for. */
export function readStart(message: Message): StartReading {
  const parsed = Start.safeParse(message['start']);
  if (!parsed.success) {
    const fields = unusableFields(parsed.error).join(', ');
    return refusal(CLOSE_PROTOCOL, `reading "start": found no usable ${fields}`);
  }
  const { streamId, callId, mediaFormat } = parsed.data;
  const { encoding, sampleRate, channels } = mediaFormat;
  const format = channels === 1 ? formatOf(encoding, sampleRate) : null;
  if (format === null) {
    const found = formatForPeople(mediaFormat);
    const wanted = 'audio/x-mulaw at 8000 Hz or audio/x-l16 at 8000, 16000 or 24000 Hz, with 1';
    return refusal(CLOSE_UNSUPPORTED, `starting a stream: found ${found}, wanted ${wanted}`);
  }
  const parameters = parametersOf(message['extra_headers']);
  return {
    ok: true,
    start: { callId: callId ?? null, streamId, parameters, receive: format, send: format },
  };
}

/** Pairs behind commas or semicolons (the documents differ), or JSON, as Plivo's imitators write it. */
function parametersOf(extra: unknown): Record<string, string> {
  if (isObject(extra)) return textParameters(extra);
  if (typeof extra !== 'string' || extra.length > MAX_EXTRA_CHARACTERS) return {};
  if (extra.trimStart().startsWith('{')) return textParameters(parseObject(Buffer.from(extra)) ?? {});
  const pairs = extra.split(/[,;]/).flatMap((pair): [string, string][] => {
    const at = pair.indexOf('=');
    return at < 1 ? [] : [[pair.slice(0, at).trim(), pair.slice(at + 1).trim()]];
  });
  return textParameters(Object.fromEntries(pairs));
}

function refusal(closeCode: number, detail: string): StartReading {
  return { ok: false, events: unusable(closeCode, detail) };
}
