/**
 * BidiGenerateContent server messages → LiveEvent lists, pure. The reference promises one kind of content per message,
 * but 3.x models put several into one, so every field is looked at on its own. Nothing in a message can make this throw.
 *
 * The order within one message: interrupted, audio and text parts as they stand, input transcript, output transcript,
 * tool calls, tool cancellations, generation complete, turn complete, waiting for input, resumption, usage, voice
 * activity, go away, unknown fields. So what cuts an answer comes before its stale audio, and what ends one after it.
 */
import type { LiveEvent, ToolCall } from './live-session.ts';

const DEFAULT_RATE = 24_000;
const MAX_UNKNOWN = 8;
const MAX_FIELD_NAME = 64;
const MAX_TOOL_CALLS = 32;
/** Names and ids go into log lines and records. The API allows names of 128 characters; ids that were seen have under 40. */
const MAX_TOOL_NAME = 128;
const MAX_TOOL_ID = 256;
/** Transcripts come in words and phrases; a message may have 4 MB, and the journal keeps hundreds of entries. */
const MAX_TRANSCRIPT = 8_000;

type Json = Readonly<Record<string, unknown>>;

/** Fields that are known and mean nothing to a call, so that they are not reported as unknown. */
const QUIET_MESSAGE = new Set(['setupComplete', 'voiceActivityDetectionSignal']);
const READ_MESSAGE = new Set([
  'serverContent',
  'toolCall',
  'toolCallCancellation',
  'sessionResumptionUpdate',
  'usageMetadata',
  'voiceActivity',
  'goAway',
]);
const READ_CONTENT = new Set([
  'modelTurn',
  'interrupted',
  'inputTranscription',
  'outputTranscription',
  'generationComplete',
  'turnComplete',
  'turnCompleteReason',
  'waitingForInput',
  'interactionStatus',
]);
const QUIET_CONTENT = new Set([
  'groundingMetadata',
  'urlContextMetadata',
  'interimInputTranscription',
  'speechState',
]);

/** Reads one message that was parsed from JSON. Takes the Gemini API's field names and Vertex's. */
export function parseServerMessage(json: unknown): LiveEvent[] {
  const events: LiveEvent[] = [];
  if (!isObject(json)) return events;
  const unknown: string[] = [];

  const content = json['serverContent'];
  if (isObject(content)) readContentStart(content, events, unknown);
  const toolCall = json['toolCall'];
  if (isObject(toolCall)) readToolCalls(toolCall, events);
  const cancellation = json['toolCallCancellation'];
  if (isObject(cancellation)) {
    const ids = listOf(cancellation['ids']).filter((id) => typeof id === 'string');
    if (ids.length > 0) events.push({ type: 'tool-calls-cancelled', ids });
  }
  if (isObject(content)) readContentEnd(content, events);
  const resumption = json['sessionResumptionUpdate'];
  if (isObject(resumption)) events.push(readResumption(resumption));
  const usage = json['usageMetadata'];
  if (isObject(usage)) events.push(readUsage(usage));
  const activity = json['voiceActivity'];
  if (isObject(activity)) {
    const kind = activity['voiceActivityType'] ?? activity['type'];
    if (kind === 'ACTIVITY_START') events.push({ type: 'voice-activity', kind: 'start' });
    else if (kind === 'ACTIVITY_END') events.push({ type: 'voice-activity', kind: 'end' });
  }
  const goAway = json['goAway'];
  if (isObject(goAway)) events.push({ type: 'go-away', timeLeftMs: durationMs(goAway['timeLeft']) });

  noteUnknown(json, READ_MESSAGE, QUIET_MESSAGE, '', unknown);
  for (const field of unknown) events.push({ type: 'unknown', field });
  return events;
}

/** True when the message ends the setup: its own field, with any content. */
export function isSetupComplete(json: unknown): boolean {
  return isObject(json) && isObject(json['setupComplete']);
}

function readContentStart(content: Json, events: LiveEvent[], unknown: string[]): void {
  if (content['interrupted'] === true) events.push({ type: 'interrupted' });
  const turn = content['modelTurn'];
  if (isObject(turn)) {
    for (const part of listOf(turn['parts'])) if (isObject(part)) readPart(part, events, unknown);
  }
  const input = transcriptOf(content['inputTranscription']);
  if (input !== '') events.push({ type: 'input-transcript', text: input });
  const output = transcriptOf(content['outputTranscription']);
  if (output !== '') events.push({ type: 'output-transcript', text: output });
  noteUnknown(content, READ_CONTENT, QUIET_CONTENT, 'serverContent.', unknown);
}

function readPart(part: Json, events: LiveEvent[], unknown: string[]): void {
  const inline = part['inlineData'];
  if (isObject(inline)) {
    const data = inline['data'];
    const mime = typeof inline['mimeType'] === 'string' ? inline['mimeType'] : 'audio/pcm';
    if (typeof data !== 'string' || !mime.startsWith('audio/pcm')) {
      note(unknown, `inlineData ${mime}`);
    } else if (data !== '') {
      events.push({ type: 'audio', bytes: Buffer.from(data, 'base64'), sampleRate: rateOf(mime) });
    }
    return;
  }
  const text = part['text'];
  // Thoughts are not what the bot says.
  if (typeof text === 'string' && text !== '' && part['thought'] !== true) {
    events.push({ type: 'model-text', text });
  }
}

function readContentEnd(content: Json, events: LiveEvent[]): void {
  if (content['generationComplete'] === true) events.push({ type: 'generation-complete' });
  if (content['turnComplete'] === true) {
    const reason = content['turnCompleteReason'];
    events.push({
      type: 'turn-complete',
      reason: typeof reason === 'string' ? reason.slice(0, MAX_FIELD_NAME) : null,
      ...(content['interactionStatus'] === 'IN_PROGRESS' ? { moreTurnsFollow: true } : {}),
    });
  }
  if (content['waitingForInput'] === true) events.push({ type: 'waiting-for-input' });
}

/** Calls without a usable name cannot be carried out, calls without such an id not be answered: both are left out. */
function readToolCalls(toolCall: Json, events: LiveEvent[]): void {
  const calls: ToolCall[] = [];
  for (const call of listOf(toolCall['functionCalls'])) {
    if (calls.length === MAX_TOOL_CALLS) break;
    if (!isObject(call)) continue;
    const { id, name } = call;
    if (typeof id !== 'string' || id.length > MAX_TOOL_ID) continue;
    if (typeof name !== 'string' || name.length > MAX_TOOL_NAME) continue;
    calls.push({ id, name, args: isObject(call['args']) ? call['args'] : {} });
  }
  if (calls.length > 0) events.push({ type: 'tool-calls', calls });
}

function readResumption(update: Json): LiveEvent {
  const handle = update['newHandle'];
  return {
    type: 'resumption',
    handle: typeof handle === 'string' && handle !== '' ? handle : null,
    resumable: update['resumable'] === true,
    lastConsumedIndex: integerOf(update['lastConsumedClientMessageIndex']),
  };
}

function readUsage(usage: Json): LiveEvent {
  return {
    type: 'usage',
    usage: {
      promptTokens: integerOf(usage['promptTokenCount']) ?? 0,
      // Vertex says candidates where the Gemini API says response.
      responseTokens: integerOf(usage['responseTokenCount'] ?? usage['candidatesTokenCount']) ?? 0,
      totalTokens: integerOf(usage['totalTokenCount']) ?? 0,
    },
  };
}

/** protobuf's Duration in JSON: `"50s"`, `"17.250s"`. Null for anything else. */
export function durationMs(value: unknown): number | null {
  if (typeof value !== 'string') return null;
  const match = /^(\d{1,9}(?:\.\d{1,9})?)s$/.exec(value);
  return match === null ? null : Number(match[1]) * 1000;
}

/** int64 comes as a string, int32 as a number. Null for what is not a safe integer from 0 upwards. */
function integerOf(value: unknown): number | null {
  const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : null;
}

function transcriptOf(value: unknown): string {
  return isObject(value) && typeof value['text'] === 'string' ? value['text'].slice(0, MAX_TRANSCRIPT) : '';
}

function rateOf(mime: string): number {
  if (mime === 'audio/pcm;rate=24000') return DEFAULT_RATE;
  const match = /;\s*rate=(\d{4,6})\b/.exec(mime);
  return match === null ? DEFAULT_RATE : Number(match[1]);
}

function noteUnknown(
  from: Json,
  read: ReadonlySet<string>,
  quiet: ReadonlySet<string>,
  prefix: string,
  into: string[],
): void {
  for (const field of Object.keys(from)) {
    if (!read.has(field) && !quiet.has(field)) note(into, prefix + field);
  }
}

function note(into: string[], field: string): void {
  if (into.length < MAX_UNKNOWN) into.push(field.slice(0, MAX_FIELD_NAME));
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
