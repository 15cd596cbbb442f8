import { decodeBase64 } from '../base64-bytes.ts';

/**
 * The media message comes fifty times a second and always looks the same, but for three numbers and the payload. What it
 * looks like is not documented to the byte (the order of its members, what `extra_headers` repeats), so it is learned
 * from the first one that was read the long way. Anything that differs goes the long way again, which must give the same
 * event.
 */
const COUNTERS = /"(?:sequenceNumber|chunk|timestamp)"\s*:\s*("?)(\d{1,15})(?!\d)/g;
const PLAIN = /^[\x20-\x7e]*$/;
/** `extra_headers` has at most 512 bytes. */
const MAX_FRAME_CHARACTERS = 2048;
const MAX_DIGITS = 15;
const QUOTE = 0x22;
const ZERO = 0x30;

/** Text that must come again byte for byte; between two of them stands a whole number. */
type Shape = readonly Uint8Array[];

export class LearnedMedia {
  #head: Shape | null = null;
  #tail: Shape = [];

  /** `text` is a media message of this stream and of the caller's track, as JSON, that gave audio. */
  learn(text: string): void {
    const [head, rest] = text.split(/(?<="payload"\s*:\s*")/);
    const end = rest?.indexOf('"') ?? -1;
    if (head === undefined || rest === undefined || end === -1) return;
    const tail = rest.slice(end);
    if (head.length + tail.length > MAX_FRAME_CHARACTERS || !PLAIN.test(head + tail)) return;
    this.#head = shapeOf(head);
    this.#tail = shapeOf(tail);
  }

  /** The payload of a message of the learned shape; null for any other. Never throws. */
  read(data: Buffer): Buffer | null {
    if (this.#head === null) return null;
    const from = follows(data, 0, this.#head);
    if (from < 0) return null;
    const to = data.indexOf(QUOTE, from);
    if (to < 0 || follows(data, to, this.#tail) !== data.length) return null;
    return decodeBase64(data, from, to);
  }
}

function shapeOf(text: string): Shape {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const match of text.matchAll(COUNTERS)) {
    const end = match.index + match[0].length;
    parts.push(Uint8Array.from(Buffer.from(text.slice(at, end - (match[2] as string).length), 'latin1')));
    at = end;
  }
  parts.push(Uint8Array.from(Buffer.from(text.slice(at), 'latin1')));
  return parts;
}

/** The index behind the shape, which must stand at `at`; -1 when it does not. */
function follows(data: Buffer, at: number, shape: Shape): number {
  let index = at;
  for (let part = 0; part < shape.length; part++) {
    if (part > 0) {
      index = behindNumber(data, index);
      if (index < 0) return -1;
    }
    const literal = shape[part] as Uint8Array;
    for (let i = 0; i < literal.length; i++) if (data[index + i] !== literal[i]) return -1;
    index += literal.length;
  }
  return index;
}

/** JSON has no bare number such as 007; none that is written like this is taken at all. */
function behindNumber(data: Buffer, at: number): number {
  let end = at;
  while ((data[end] as number) >= ZERO && (data[end] as number) <= ZERO + 9) end += 1;
  const digits = end - at;
  if (digits === 0 || digits > MAX_DIGITS || (digits > 1 && data[at] === ZERO)) return -1;
  return end;
}
