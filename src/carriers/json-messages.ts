import { z } from 'zod';
import type { MediaEvent, MediaFault } from './carrier.ts';

/** What the adapters of JSON protocols share in reading messages that anybody may have written. Nothing here throws. */
export type Message = Readonly<Record<string, unknown>>;

/** RFC 6455, section 7.4.1: "a type of data it cannot accept" and "protocol error". */
export const CLOSE_UNSUPPORTED = 1003;
export const CLOSE_PROTOCOL = 1002;

const MAX_PARAMETERS = 64;
const MAX_NUMBER = /^[0-9]{1,15}$/;

/**
 * What no message of a stream exceeds: the largest known is a start with all its parameters, under 8 KiB, and none nests
 * deeper than five. JSON.parse takes 3 ms for 64 KiB of opening brackets, and all calls of the process wait meanwhile.
 */
const MAX_MESSAGE_BYTES = 16 * 1024;
const MAX_DEPTH = 16;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;

/** A stream's message as an object; null where it is none, or larger or deeper than any that a carrier sends. */
export function parseMessage(data: Buffer): Message | null {
  return data.length <= MAX_MESSAGE_BYTES && isFlatObject(data) ? parseObject(data) : null;
}

/** Whether it may be an object that never nests too deep; what it really is, the parser finds out. */
function isFlatObject(data: Buffer): boolean {
  // White space may stand before an object, and nothing else.
  const first = data[0];
  if (first === undefined || (first > SPACE && first !== OPEN)) return false;
  let depth = 0;
  let inString = false;
  for (let at = 0; at < data.length; at += 1) {
    const byte = data[at] as number;
    if (inString) {
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (byte === OPEN || byte === OPEN_LIST) depth += 1;
    else if (byte === CLOSE || byte === CLOSE_LIST) depth -= 1;
    if (depth > MAX_DEPTH) return false;
  }
  return true;
}

/** The message as an object, or null where it is none. */
export function parseObject(data: Buffer): Message | null {
  try {
    const value: unknown = JSON.parse(data.toString('utf8'));
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

export function isObject(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function fieldOf(message: Message, part: string, field: string): unknown {
  const body = message[part];
  return isObject(body) ? body[field] : undefined;
}

/** A whole number of at most 15 digits, written as a number or as a string; null for anything else. */
export function wholeNumber(value: unknown): number | null {
  if (typeof value === 'string') return MAX_NUMBER.test(value) ? Number(value) : null;
  return typeof value === 'number' && value >= 0 && value < 1e15 && Number.isInteger(value) ? value : null;
}

/** The same as a schema. */
export const WholeNumber = z.union([z.number(), z.string()]).transform(wholeNumber).pipe(z.number());

/** Those parameters of a stream that are text, and no more of them than anybody sends. */
export function textParameters(custom: Message): Record<string, string> {
  const texts = Object.entries(custom).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return Object.fromEntries(texts.slice(0, MAX_PARAMETERS));
}

/** What may be shown of a name that a peer chose: nothing that is not a plain short word. */
export function nameForPeople(name: unknown): string {
  return typeof name === 'string' && /^[A-Za-z0-9._/-]{1,32}$/.test(name) ? `"${name}"` : 'no plain name';
}

export function fault(kind: MediaFault, detail: string): readonly MediaEvent[] {
  return [{ type: 'fault', kind, detail }];
}

export function unusable(closeCode: number, detail: string): readonly MediaEvent[] {
  return [{ type: 'unusable', closeCode, detail }];
}
