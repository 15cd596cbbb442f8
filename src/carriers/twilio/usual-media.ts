/**
 * The media message exactly as Twilio writes it, read from its bytes: it comes fifty times a second in every call, and
 * making a string, a match and an object of it costs more than all that is done with its audio. Anything that differs by
 * a byte is no match and goes the long way, which must give the same events.
 */

const ascii = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));
const HEAD = ascii('{"event":"media","sequenceNumber":"');
const SID = ascii(',"streamSid":"');
const MEDIA = ascii(',"media":{"track":"inbound","chunk":"');
const TIMESTAMP = ascii('","timestamp":"');
const PAYLOAD = ascii('","payload":"');
const QUOTE = 0x22;
const CLOSE = 0x7d;
const ZERO = 0x30;
const PADDING = 0x3d;
const MAX_TIMESTAMP_DIGITS = 15;
const INVALID = 0xff;

const BASE64 = new Uint8Array(256).fill(INVALID);
for (const [value, character] of ascii(
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
).entries()) {
  BASE64[character] = value;
}

export interface UsualMedia {
  readonly payload: Buffer;
  readonly mediaTimeMs: number;
}

/** @param streamSid bytes of the stream's id. @returns null for everything that is not the usual message of that stream */
export function readUsualMedia(data: Buffer, streamSid: Uint8Array): UsualMedia | null {
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
  return payload === null ? null : { payload, mediaTimeMs };
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

/** Canonical base64 with its padding; null for anything else, the long way is lenient. */
function decodeBase64(data: Buffer, from: number, to: number): Buffer | null {
  const length = to - from;
  if (length % 4 !== 0) return null;
  const padding = data[to - 1] !== PADDING ? 0 : data[to - 2] === PADDING ? 2 : 1;
  const payload = Buffer.allocUnsafe((length / 4) * 3 - padding);
  const whole = padding === 0 ? to : to - 4;
  let out = 0;
  let seen = 0;
  for (let i = from; i < whole; i += 4) {
    const a = BASE64[data[i] as number] as number;
    const b = BASE64[data[i + 1] as number] as number;
    const c = BASE64[data[i + 2] as number] as number;
    const d = BASE64[data[i + 3] as number] as number;
    seen |= a | b | c | d;
    payload[out] = (a << 2) | (b >> 4);
    payload[out + 1] = (b << 4) | (c >> 2);
    payload[out + 2] = (c << 6) | d;
    out += 3;
  }
  if (padding > 0) {
    const a = BASE64[data[whole] as number] as number;
    const b = BASE64[data[whole + 1] as number] as number;
    const c = padding === 1 ? (BASE64[data[whole + 2] as number] as number) : 0;
    seen |= a | b | c;
    payload[out] = (a << 2) | (b >> 4);
    if (padding === 1) payload[out + 1] = (b << 4) | (c >> 2);
  }
  // A value above 63 came of a character outside the alphabet.
  return seen > 63 ? null : payload;
}
