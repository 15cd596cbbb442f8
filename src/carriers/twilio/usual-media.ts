/**
 * The media message exactly as Twilio writes it, read from its bytes: it comes fifty times a second in every call, and
 * making a string, a match and an object of it costs more than all that is done with its audio. Anything that differs by
 * a byte is no match and goes the long way, which must give the same events.
 */
import { decodeBase64 } from '../base64-bytes.ts';
import type { AudioEvent } from '../media-streams.ts';

const ascii = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));
const HEAD = ascii('{"event":"media","sequenceNumber":"');
const SID = ascii(',"streamSid":"');
const MEDIA = ascii(',"media":{"track":"inbound","chunk":"');
const TIMESTAMP = ascii('","timestamp":"');
const PAYLOAD = ascii('","payload":"');
const QUOTE = 0x22;
const CLOSE = 0x7d;
const ZERO = 0x30;
const MAX_TIMESTAMP_DIGITS = 15;

/** @param streamSid bytes of the stream's id. @returns null for everything that is not the usual message of that stream */
export function readUsualMedia(data: Buffer, streamSid: Uint8Array): AudioEvent | null {
  let at = matches(data, 0, HEAD);
  at = digits(data, at);
  if (at < 0 || data[at] !== QUOTE) return null;
  at += 1;
  let named = false;
  const early = stream(data, at, streamSid);
  if (early >= 0) {
    at = early;
    named = true;
  }
  at = matches(data, digits(data, matches(data, at, MEDIA)), TIMESTAMP);
  const stampEnd = digits(data, at);
  if (stampEnd < 0 || stampEnd - at > MAX_TIMESTAMP_DIGITS) return null;
  let mediaTimeMs = 0;
  for (let i = at; i < stampEnd; i++) mediaTimeMs = mediaTimeMs * 10 + (data[i] as number) - ZERO;
  const from = matches(data, stampEnd, PAYLOAD);
  if (from < 0) return null;
  const to = data.indexOf(QUOTE, from);
  if (to <= from || data[to + 1] !== CLOSE) return null;
  at = to + 2;
  if (!named) {
    at = stream(data, at, streamSid);
    if (at < 0) return null;
  }
  if (data[at] !== CLOSE || at + 1 !== data.length) return null;
  const payload = decodeBase64(data, from, to);
  return payload === null ? null : { type: 'audio', payload, mediaTimeMs };
}

/** The index behind `literal`, which must stand at `at`; -1 when it does not, or when `at` is -1 already. */
function matches(data: Buffer, at: number, literal: Uint8Array): number {
  if (at < 0) return -1;
  for (let i = 0; i < literal.length; i++) if (data[at + i] !== literal[i]) return -1;
  return at + literal.length;
}

/** The index behind one or more digits, or -1. */
function digits(data: Buffer, at: number): number {
  if (at < 0) return -1;
  let end = at;
  while ((data[end] as number) >= ZERO && (data[end] as number) <= ZERO + 9) end += 1;
  return end === at ? -1 : end;
}

/** The index behind `,"streamSid":"<this stream's>"`, or -1. */
function stream(data: Buffer, at: number, streamSid: Uint8Array): number {
  const end = matches(data, matches(data, at, SID), streamSid);
  return end >= 0 && data[end] === QUOTE ? end + 1 : -1;
}
