/** What the streams have in common whose messages are JSON in text frames, with audio as base64. Nothing here throws. */
import { z } from 'zod';
import type { MediaEvent } from './carrier.ts';
import {
  fault,
  fieldOf,
  isObject,
  type Message,
  nameForPeople,
  parseMessage,
  WholeNumber,
} from './json-messages.ts';
import { keyOf } from './keypad.ts';

const MAX_MARK_CHARACTERS = 256;
const NOTHING = { as: 'fault', events: [] } as const;

export interface TextStream<Decode> {
  /** How messages call the stream's id. Dialects that were copied from others leave it out. */
  readonly idName: string;
  /** Null until the stream has started. */
  readonly id: string | null;
  readonly stopped: boolean;
  /** What may be said at any time, and means nothing. */
  readonly greeting: string | null;
  /** By the name of the event, but for the start. */
  readonly decoders: ReadonlyMap<string, Decode>;
}

/** `fault`: with no events where there is nothing to be said of it. */
export type Sorted<Decode> =
  | { readonly as: 'start'; readonly message: Message }
  | { readonly as: 'known'; readonly message: Message; readonly decode: Decode }
  | { readonly as: 'fault'; readonly events: readonly MediaEvent[] };

/** What a message is, and whether it may come now. */
export function sortMessage<Decode>(
  data: Buffer,
  isBinary: boolean,
  stream: TextStream<Decode>,
): Sorted<Decode> {
  const left = (...found: Parameters<typeof fault>): Sorted<Decode> => ({
    as: 'fault',
    events: fault(...found),
  });
  if (isBinary) return left('unexpected-binary', `a binary message of ${data.length} bytes`);
  const message = parseMessage(data);
  if (message === null)
    return left('bad-json', `a message of ${data.length} bytes is no JSON object of a carrier's size`);
  const event = message['event'];
  if (event === stream.greeting) return NOTHING;
  if (event === 'start') {
    if (stream.id === null) return { as: 'start', message };
    return left('second-start', 'another "start" on a started stream');
  }
  const decode = typeof event === 'string' ? stream.decoders.get(event) : undefined;
  if (decode === undefined) return left('unknown-event', nameForPeople(event));
  if (stream.id === null) return left('before-start', `"${event}" before "start"`);
  if (stream.stopped) return left('out-of-order', `"${event}" after "stop"`);
  const id = message[stream.idName];
  if (id !== undefined && id !== stream.id) return left('wrong-stream', `"${event}" of another stream`);
  return { as: 'known', message, decode };
}

/**
 * The audio of a media message, maybe empty. Checked by hand rather than by a schema: where no faster reader knows it,
 * it comes fifty times a second.
 */
export function audioOf(
  message: Message,
):
  | { readonly payload: Buffer; readonly media: Message }
  | { readonly payload: null; readonly events: readonly MediaEvent[] } {
  const none = (...found: Parameters<typeof fault>) => ({ payload: null, events: fault(...found) });
  const media = message['media'];
  if (!isObject(media)) return none('bad-payload', '"media" without a body');
  const { payload, track } = media;
  // Should somebody ask the carrier for both tracks, ours must not come back as the caller's voice.
  if (typeof track === 'string' && track.startsWith('outbound'))
    return none('unknown-event', '"media" of the outbound track');
  if (typeof payload !== 'string') return none('bad-payload', '"media" without a payload');
  // Lenient: white space, missing padding and the URL alphabet all decode to what was meant.
  const bytes = Buffer.from(payload, 'base64');
  if (bytes.length === 0 && payload !== '') return none('bad-payload', 'a payload that is no base64');
  return { payload: bytes, media };
}

export function decodeDtmf(message: Message): readonly MediaEvent[] {
  const digit = keyOf(fieldOf(message, 'dtmf', 'digit'));
  return digit === null ? fault('bad-payload', '"dtmf" without one digit') : [{ type: 'dtmf', digit }];
}

/** Null where it is none that we would have sent. */
export function markNameOf(name: unknown): string | null {
  return typeof name === 'string' && name !== '' && name.length <= MAX_MARK_CHARACTERS ? name : null;
}

/** What a start says of the audio. */
export const DeclaredFormat = z.object({
  encoding: z.string(),
  sampleRate: WholeNumber,
  channels: WholeNumber.default(1),
});
export type DeclaredFormat = z.infer<typeof DeclaredFormat>;

export const formatForPeople = ({ encoding, sampleRate, channels }: DeclaredFormat): string =>
  `${nameForPeople(encoding)} at ${sampleRate} Hz with ${channels} channels`;

/** The fields of a start that cannot be used. */
export const unusableFields = ({ issues }: z.ZodError): readonly string[] => [
  ...new Set(issues.map((issue) => issue.path.join('.') || 'start')),
];

/** Messages of `head`, a payload of at most `maxBytes`, and the end of two objects. */
export function inMessages(head: string, bytes: Buffer, maxBytes: number): readonly string[] {
  if (bytes.length > 0 && bytes.length <= maxBytes) return [`${head}${bytes.toString('base64')}"}}`];
  const messages: string[] = [];
  for (let at = 0; at < bytes.length; at += maxBytes) {
    messages.push(`${head}${bytes.toString('base64', at, at + maxBytes)}"}}`);
  }
  return messages;
}
