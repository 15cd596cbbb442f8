import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PCMA, PCMU } from '../../src/audio/g711.ts';
import { interleave, mixToMono, parseWav, WavError, wavHeader, writeWav } from '../../src/audio/wav.ts';
import { noise } from './signals.ts';

/** A WAV file put together by hand, chunk by chunk. */
function riff(...chunks: readonly (readonly [string, Uint8Array, number?])[]): Buffer {
  const parts = chunks.map(([id, body, declared]) => {
    const head = Buffer.alloc(8);
    head.write(id, 'latin1');
    head.writeUInt32LE(declared ?? body.length, 4);
    return Buffer.concat([head, body, Buffer.alloc(body.length % 2)]);
  });
  const all = Buffer.concat(parts);
  const head = Buffer.from('RIFF....WAVE', 'latin1');
  head.writeUInt32LE(all.length + 4, 4);
  return Buffer.concat([head, all]);
}

function format(encoding: number, channels: number, sampleRate: number, bits: number): Buffer {
  const body = Buffer.alloc(16);
  body.writeUInt16LE(encoding, 0);
  body.writeUInt16LE(channels, 2);
  body.writeUInt32LE(sampleRate, 4);
  body.writeUInt32LE((sampleRate * channels * bits) / 8, 8);
  body.writeUInt16LE((channels * bits) / 8, 12);
  body.writeUInt16LE(bits, 14);
  return body;
}

function float32(...values: number[]): Buffer {
  const body = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => {
    body.writeFloatLE(value, i * 4);
  });
  return body;
}

describe('every encoding is read', () => {
  test.each([
    ['8 bits', format(1, 1, 8_000, 8), Buffer.from([0, 128, 255, 129]), [-32_768, 0, 32_512, 256]],
    ['16 bits', format(1, 1, 8_000, 16), Buffer.from([0x34, 0x12, 0x00, 0x80]), [0x1234, -32_768]],
    [
      '24 bits',
      format(1, 1, 8_000, 24),
      Buffer.from([0x7f, 0x34, 0x12, 0x80, 0xff, 0x7f, 0, 0, 0x80]),
      [0x1234, 32_767, -32_768],
    ],
    [
      'float',
      format(3, 1, 8_000, 32),
      float32(0.5, -1, 1, 9, Number.NaN),
      [16_384, -32_768, 32_767, 32_767, 0],
    ],
    [
      'mu-law',
      format(7, 1, 8_000, 8),
      Buffer.from([0xff, 0x00, 0x80]),
      [...PCMU.decode(Uint8Array.of(0xff, 0, 0x80))],
    ],
    [
      'A-law',
      format(6, 1, 8_000, 8),
      Buffer.from([0xd5, 0x2a, 0xaa]),
      [...PCMA.decode(Uint8Array.of(0xd5, 0x2a, 0xaa))],
    ],
  ] as const)('%s', (_name, fmt, data, expected) => {
    expect([...parseWav(riff(['fmt ', fmt], ['data', data])).channels[0]!]).toEqual(expected);
  });

  test('the extensible form names its encoding further behind', () => {
    const body = Buffer.concat([format(0xfffe, 1, 16_000, 16), Buffer.alloc(24)]);
    body.writeUInt16LE(22, 16);
    body.writeUInt16LE(1, 24);
    expect(parseWav(riff(['fmt ', body], ['data', Buffer.from([5, 0])])).sampleRate).toBe(16_000);
  });
});

test('what was written is read back: any rate, any number of channels', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(8_000, 11_025, 16_000, 24_000, 44_100, 48_000),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 0, max: 3_000 }),
      (sampleRate, count, samples) => {
        const channels = Array.from({ length: count }, (_, c) => noise(samples, 32_767, c + 1));
        expect(parseWav(writeWav(sampleRate, channels))).toEqual({ sampleRate, channels });
      },
    ),
    { numRuns: 50 },
  );
});

test('the header is the canonical 44 bytes', () => {
  const file = writeWav(8_000, [Int16Array.of(1), Int16Array.of(-1)]);
  expect(file.toString('hex')).toBe(
    '524946462800000057415645666d7420100000000100020040' +
      '1f0000007d000004001000646174610400000001' +
      '00ffff',
  );
});

test('channels of unequal length are filled up with silence', () => {
  expect([...interleave([Int16Array.of(1, 2), Int16Array.of(3)])]).toEqual([1, 3, 2, 0]);
});

test('a mix is the mean of the channels; one channel stays what it is', () => {
  const left = Int16Array.of(100, -32_768, 32_767);
  const mono = mixToMono({ sampleRate: 8_000, channels: [left, Int16Array.of(200, -32_768, 32_767)] });
  expect([...mono]).toEqual([150, -32_768, 32_767]);
  expect(mixToMono({ sampleRate: 8_000, channels: [left] })).toBe(left);
});

test('chunks of other kinds, also of odd length, are passed over', () => {
  const file = riff(
    ['LIST', Buffer.from('abc')],
    ['fmt ', format(1, 1, 8_000, 16)],
    ['fact', Buffer.alloc(4)],
    ['data', Buffer.from([7, 0])],
  );
  expect([...parseWav(file).channels[0]!]).toEqual([7]);
});

test.each([0, 0xffff_ffff])(
  'a recording that broke off (%i data bytes declared) is read to its end',
  (dataBytes) => {
    const header = wavHeader({ sampleRate: 8_000, channels: 1, dataBytes });
    expect([...parseWav(Buffer.concat([header, Buffer.from([1, 0, 2, 0, 3])])).channels[0]!]).toEqual([1, 2]);
  },
);

test('a view of a larger buffer, at an odd offset, is read within its bounds', () => {
  const file = writeWav(8_000, [Int16Array.of(1, 2, 3)]);
  const padded = Buffer.concat([Buffer.from([9]), file, Buffer.from([9, 9])]);
  expect([...parseWav(padded.subarray(1, 1 + file.length)).channels[0]!]).toEqual([1, 2, 3]);
});

describe('what is no such file is refused with what was found', () => {
  test.each([
    ['nothing', Buffer.alloc(0), '""'],
    ['an mp3', Buffer.from('ID3\x04 and so on and on'), '"ID3. and so o"'.slice(0, 12)],
    ['no format', riff(['data', Buffer.alloc(2)]), '"data"'],
    ['no data', riff(['fmt ', format(1, 1, 8_000, 16)]), '"data"'],
    ['no chunk at all', riff(), '"fmt "'],
    ['a short format', riff(['fmt ', Buffer.alloc(10)]), '"10"'],
    ['another encoding', riff(['fmt ', format(0x55, 1, 8_000, 16)]), '"85"'],
    ['another width', riff(['fmt ', format(1, 1, 8_000, 12)]), '"12"'],
    ['no channels', riff(['fmt ', format(1, 0, 8_000, 16)]), '"0"'],
    ['too many channels', riff(['fmt ', format(1, 9, 8_000, 16)]), '"9"'],
    ['a rate too low', riff(['fmt ', format(1, 1, 4_000, 16)]), '"4000"'],
    ['a rate too high', riff(['fmt ', format(1, 1, 96_000, 16)]), '"96000"'],
  ])('%s', (_name, bytes, found) => {
    expect(() => parseWav(bytes)).toThrow(WavError);
    expect(() => parseWav(bytes)).toThrow(found);
  });

  test('no file, however damaged, does anything but parse or throw a WavError', () => {
    const file = writeWav(8_000, [noise(50, 9_000)]);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: 60 }), fc.integer({ min: 0, max: 255 })), { maxLength: 8 }),
        fc.nat({ max: file.length }),
        (damage, length) => {
          const bytes = Buffer.from(file);
          for (const [at, value] of damage) bytes[at] = value;
          try {
            const { channels } = parseWav(bytes.subarray(0, length));
            expect(channels.reduce((sum, c) => sum + c.length, 0)).toBeLessThanOrEqual(length);
          } catch (caught) {
            expect(caught).toBeInstanceOf(WavError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
