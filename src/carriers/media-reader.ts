import { decodeBase64 } from './base64-bytes.ts';

/**
 * The media message of the carriers that speak Twilio's dialect, read from its bytes: it comes fifty times a second in
 * every call. In which order a carrier writes the members is not documented and depends on its language, so any order is
 * taken. Whatever is not plain (escapes, other members, one that comes twice) is no match and goes the long way, which
 * must give the same event.
 */
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const SPACE = 0x20;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
/** So that numbers stay exact. */
const MAX_DIGITS = 15;

const ascii = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));
const EVENT_MEDIA = ascii('media');
const TRACK_INBOUND = ascii('inbound');

/** Which members of the message a literal names, as bits. */
const EVENT = 1;
const SEQUENCE = 2;
const STREAM = 4;
const MEDIA = 8;
const TRACK = 1;
const CHUNK = 2;
const TIMESTAMP = 4;
const PAYLOAD = 8;
const INNER: readonly (readonly [Uint8Array, number])[] = [
  [ascii('payload'), PAYLOAD],
  [ascii('timestamp'), TIMESTAMP],
  [ascii('chunk'), CHUNK],
  [ascii('track'), TRACK],
];

/** One per stream; what it found is read from its fields until the next message. */
export class MediaReader {
  payload: Buffer = Buffer.alloc(0);
  /** The carrier's numbers, or null where the message has none. */
  timestamp: number | null = null;
  chunk: number | null = null;
  sequence: number | null = null;

  readonly #streamId: Uint8Array;
  readonly #outer: readonly (readonly [Uint8Array, number])[];
  #data: Buffer = Buffer.alloc(0);
  #at = 0;
  #number: number | null = null;

  /** @param names how the carrier calls the stream's id and the message's number; `streamId` as plain ASCII */
  constructor(names: { readonly stream: string; readonly sequence: string }, streamId: string) {
    this.#streamId = ascii(streamId);
    this.#outer = [
      [EVENT_MEDIA, MEDIA],
      [ascii('event'), EVENT],
      [ascii(names.sequence), SEQUENCE],
      [ascii(names.stream), STREAM],
    ];
  }

  /** True when it is a media message of this stream and of the caller's track, with a payload. Never throws. */
  read(data: Buffer): boolean {
    this.#data = data;
    this.#at = 0;
    this.timestamp = null;
    this.chunk = null;
    this.sequence = null;
    if (!this.#take(OPEN)) return false;
    let seen = 0;
    do {
      const member = this.#name(this.#outer);
      if (member === 0 || (seen & member) !== 0) return false;
      seen |= member;
      if (!this.#outerValue(member)) return false;
    } while (this.#take(COMMA));
    return this.#take(CLOSE) && this.#at === data.length && (seen & (EVENT | MEDIA)) === (EVENT | MEDIA);
  }

  #outerValue(member: number): boolean {
    switch (member) {
      case EVENT:
        return this.#text(EVENT_MEDIA);
      case STREAM:
        return this.#text(this.#streamId);
      case SEQUENCE:
        if (!this.#digits()) return false;
        this.sequence = this.#number;
        return true;
      default:
        return this.#media();
    }
  }

  #media(): boolean {
    if (!this.#take(OPEN)) return false;
    let seen = 0;
    do {
      const member = this.#name(INNER);
      if (member === 0 || (seen & member) !== 0) return false;
      seen |= member;
      if (!this.#innerValue(member)) return false;
    } while (this.#take(COMMA));
    return this.#take(CLOSE) && (seen & PAYLOAD) !== 0;
  }

  #innerValue(member: number): boolean {
    switch (member) {
      case TRACK:
        return this.#text(TRACK_INBOUND);
      case CHUNK:
        if (!this.#digits()) return false;
        this.chunk = this.#number;
        return true;
      case TIMESTAMP:
        if (!this.#digits()) return false;
        this.timestamp = this.#number;
        return true;
      default:
        return this.#base64();
    }
  }

  #base64(): boolean {
    if (!this.#take(QUOTE)) return false;
    const to = this.#data.indexOf(QUOTE, this.#at);
    const payload = to === -1 ? null : decodeBase64(this.#data, this.#at, to);
    if (payload === null) return false;
    this.payload = payload;
    this.#at = to + 1;
    return true;
  }

  /** A whole number, bare or in quotes. */
  #digits(): boolean {
    const data = this.#data;
    const quoted = this.#take(QUOTE);
    const start = this.#at;
    let value = 0;
    for (; ; this.#at += 1) {
      const digit = (data[this.#at] as number) - ZERO;
      if (!(digit >= 0 && digit <= 9)) break;
      value = value * 10 + digit;
    }
    const length = this.#at - start;
    if (length === 0 || length > MAX_DIGITS) return false;
    // JSON has no bare number such as 007.
    if (!quoted && length > 1 && data[start] === ZERO) return false;
    this.#number = value;
    if (!quoted) return true;
    if (data[this.#at] !== QUOTE) return false;
    this.#at += 1;
    return true;
  }

  /** Exactly this string. */
  #text(literal: Uint8Array): boolean {
    if (!this.#take(QUOTE)) return false;
    for (let i = 0; i < literal.length; i++) if (this.#data[this.#at + i] !== literal[i]) return false;
    this.#at += literal.length;
    if (this.#data[this.#at] !== QUOTE) return false;
    this.#at += 1;
    return true;
  }

  /** The member's bit and the colon behind its name, or 0 for one that is not known. */
  #name(names: readonly (readonly [Uint8Array, number])[]): number {
    const data = this.#data;
    if (!this.#take(QUOTE)) return 0;
    const start = this.#at;
    let end = start;
    while (end < data.length && data[end] !== QUOTE) {
      if (data[end] === BACKSLASH) return 0;
      end += 1;
    }
    for (const [name, member] of names) {
      if (name.length !== end - start || !matches(data, start, name)) continue;
      this.#at = end + 1;
      return this.#take(COLON) ? member : 0;
    }
    return 0;
  }

  /** This character, behind spaces or not. */
  #take(character: number): boolean {
    while (this.#data[this.#at] === SPACE) this.#at += 1;
    if (this.#data[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }
}

function matches(data: Buffer, at: number, literal: Uint8Array): boolean {
  for (let i = 0; i < literal.length; i++) if (data[at + i] !== literal[i]) return false;
  return true;
}
