/**
 * Base64 straight from a message's bytes: making a string of a payload first costs more than all that is done with its
 * audio, fifty times a second in every call.
 */
const PADDING = 0x3d;
const INVALID = 0xff;

const VALUES = new Uint8Array(256).fill(INVALID);
for (const [value, character] of Buffer.from(
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
  'latin1',
).entries()) {
  VALUES[character] = value;
}

/** @returns null for anything but whole groups of four with their padding: what is written another way goes the long way */
export function decodeBase64(data: Buffer, from: number, to: number): Buffer | null {
  const length = to - from;
  if (length <= 0 || length % 4 !== 0) return null;
  const padding = data[to - 1] !== PADDING ? 0 : data[to - 2] === PADDING ? 2 : 1;
  const payload = Buffer.allocUnsafe((length / 4) * 3 - padding);
  const whole = padding === 0 ? to : to - 4;
  let out = 0;
  let seen = 0;
  for (let at = from; at < whole; at += 4) {
    const a = VALUES[data[at] as number] as number;
    const b = VALUES[data[at + 1] as number] as number;
    const c = VALUES[data[at + 2] as number] as number;
    const d = VALUES[data[at + 3] as number] as number;
    seen |= a | b | c | d;
    payload[out] = (a << 2) | (b >> 4);
    payload[out + 1] = (b << 4) | (c >> 2);
    payload[out + 2] = (c << 6) | d;
    out += 3;
  }
  if (padding > 0) {
    const a = VALUES[data[whole] as number] as number;
    const b = VALUES[data[whole + 1] as number] as number;
    const c = padding === 1 ? (VALUES[data[whole + 2] as number] as number) : 0;
    seen |= a | b | c;
    payload[out] = (a << 2) | (b >> 4);
    if (padding === 1) payload[out + 1] = (b << 4) | (c >> 2);
  }
  // A value above 63 came of a character outside the alphabet.
  return seen > 63 ? null : payload;
}
