import { z } from 'zod';
import type { MediaEvent, MediaFault } from './carrier.ts';

/** What the adapters of JSON protocols share in reading messages that anybody may have written. Nothing here throws. */
export type Message = Readonly<Record<string, unknown>>;

/** RFC 6455, section 7.4.1: "a type of data it cannot accept" and "protocol error". */
export const CLOSE_UNSUPPORTED = 1003;
export const CLOSE_PROTOCOL = 1002;

const MAX_PARAMETERS = 64;
const MAX_NUMBER = /^[0-9]{1,15}$/;

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
