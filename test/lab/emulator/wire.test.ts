import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tonePhrase } from '../../../src/lab/clip.ts';
import { ChunkStore, dueOffsetsMs } from '../../../src/lab/emulator/chunks.ts';
import { decodeSamples, LinearConverter, parseAudioMime } from '../../../src/lab/emulator/input-audio.ts';
import { seededRandom } from '../../../src/lab/emulator/random.ts';
import { SampleStore } from '../../../src/lab/emulator/record.ts';
import { fragmentsOf } from '../../../src/lab/emulator/transcripts.ts';
import { cutReason, encodeFrame, markReusable, parseLiveAddress } from '../../../src/lab/emulator/wire.ts';
import { chat, Line, setupFor } from './line.ts';

const METHOD = 'ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent';

describe('addresses', () => {
  it.each([
    [`/${METHOD}?key=K`, 'v1beta'],
    [`//${METHOD}?key=K`, 'v1beta'],
    [`/emu/${METHOD}?key=K`, 'v1beta'],
    [`/emu//${METHOD}?key=K`, 'v1beta'],
    [`/emu/two.parts//${METHOD}?key=K`, 'v1beta'],
    [`/${METHOD.replace('v1beta', 'v1')}?key=K`, 'v1'],
    [`/${METHOD.replace('v1beta', 'v1alpha')}Constrained?access_token=K`, 'v1alpha'],
    ['//ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent?key=K', 'v1beta1'],
  ])('%s is the service', (target, apiVersion) => {
    expect(parseLiveAddress(target)).toMatchObject({ apiVersion, key: 'K' });
  });

  it.each([
    '/',
    `/x${METHOD}?key=K`,
    `/${METHOD}x?key=K`,
    `/${METHOD}/?key=K`,
    `/${METHOD.replace('v1beta', 'v2')}?key=K`,
    `/${METHOD.replaceAll('.', 'x')}?key=K`,
    `/nothing?/${METHOD}`,
  ])('%s is not', (target) => {
    expect(parseLiveAddress(target)).toBeNull();
  });

  it('without a key have none', () => {
    expect(parseLiveAddress(`/${METHOD}`)?.key).toBeNull();
    expect(parseLiveAddress(`/${METHOD}?key=`)?.key).toBeNull();
    expect(parseLiveAddress(`/${METHOD}`, { 'x-goog-api-key': 'H' })?.key).toBe('H');
  });

  it('of any length are judged in no time', () => {
    expect(parseLiveAddress(`${'/a'.repeat(20_000)}/${METHOD}x`)).toBeNull();
    expect(parseLiveAddress(`${'/'.repeat(60_000)}x`)).toBeNull();
  });
});

it('close reasons are cut to 123 bytes, never within a character', () => {
  expect(cutReason('short')).toBe('short');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', size: 'max', maxLength: 300 }), (reason) => {
      const cut = cutReason(reason);
      expect(reason.startsWith(cut)).toBe(true);
      expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(123);
      if (cut !== reason) expect(Buffer.byteLength(cut)).toBeGreaterThanOrEqual(120);
    }),
  );
});

it('a shared message is encoded once, any other every time', () => {
  const style = { frame: 'binary', pretty: true } as const;
  const shared = markReusable({ a: 1 });
  expect(encodeFrame(shared, style)).toBe(encodeFrame(shared, style));
  const own = { a: 1 };
  expect(encodeFrame(own, style)).not.toBe(encodeFrame(own, style));
  expect(encodeFrame(shared, { frame: 'text', pretty: false }).toString()).toBe('{"a":1}');
});

it('base64 is taken exactly when it is what an encoder makes of whole samples', () => {
  fc.assert(
    fc.property(fc.uint8Array({ size: 'max', maxLength: 4000 }), (bytes) => {
      const text = Buffer.from(bytes).toString('base64');
      const samples = decodeSamples(text);
      if (bytes.length % 2 === 1) expect(samples).toBeNull();
      else expect(Buffer.from(samples!.buffer).equals(Buffer.from(bytes))).toBe(true);
    }),
  );
  fc.assert(
    fc.property(fc.string({ maxLength: 12, unit: fc.constantFrom(...'AB/+-_= \n') }), (text) => {
      const samples = decodeSamples(text);
      if (samples !== null) expect(text).toMatch(/^[A-Z/+]*={0,2}$/);
    }),
    { numRuns: 2000 },
  );
});

it('mime types name PCM and a rate from 8,000 to 48,000', () => {
  expect(parseAudioMime('audio/pcm;rate=8000')).toMatchObject({
    ok: true,
    sampleRate: 8000,
    rateGiven: true,
  });
  expect(parseAudioMime('audio/pcm; rate=48000')).toMatchObject({ ok: true });
  expect(parseAudioMime('audio/pcm')).toMatchObject({ ok: true, sampleRate: 16_000, rateGiven: false });
  for (const mime of [
    'audio/pcm;rate=7999',
    'audio/pcm;rate=48001',
    'audio/wav',
    'audio/pcm;rate=',
    'audio/PCM',
  ]) {
    expect(parseAudioMime(mime).ok).toBe(false);
  }
});

it('converting odd rates does not depend on how the audio is cut', () => {
  const input = Int16Array.from({ length: 5000 }, (_, n) => Math.round(9000 * Math.sin(n / 11)));
  for (const rate of [8000, 11_025, 22_050, 44_100, 48_000]) {
    const whole = new LinearConverter(rate).process(input);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 900 }), { size: 'max', maxLength: 30 }), (sizes) => {
        const converter = new LinearConverter(rate);
        const pieces: number[] = [];
        let at = 0;
        for (const size of [...sizes, input.length]) {
          pieces.push(...converter.process(input.subarray(at, at + size)));
          at += size;
        }
        // The position is a sum of fractions: with other cuts it may round the other way by one.
        expect(Math.abs(pieces.length - whole.length)).toBeLessThanOrEqual(1);
        for (const [n, sample] of whole.subarray(0, pieces.length).entries()) {
          expect(Math.abs(pieces[n]! - sample)).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 10 },
    );
  }
});

it('chunks join to the clip, are the same every time, and are shared', () => {
  const clip = tonePhrase('a', 2345);
  const plan = { seed: 3, chunkBytes: [2, 1920, 9600] };
  const store = new ChunkStore();
  const chunks = store.chunksOf(clip, plan, 'audio/pcm');
  const bytes = Buffer.concat(chunks.map((chunk) => Buffer.from(chunk.part.inlineData.data, 'base64')));
  expect(bytes.equals(Buffer.from(clip.samples.buffer))).toBe(true);
  expect(store.chunksOf(clip, plan, 'audio/pcm')).toBe(chunks);
  expect(new ChunkStore().chunksOf(clip, plan, 'audio/pcm')).toEqual(chunks);
  const offsets = dueOffsetsMs(chunks, 2);
  const lastStartMs = chunks.slice(1, -1).reduce((sum, chunk) => sum + chunk.bytes / 48, 0);
  expect(offsets.at(-1)).toBeCloseTo(lastStartMs / 2, 6);
});

it('fragments join to the text, whatever it is', () => {
  fc.assert(
    fc.property(fc.string({ size: 'max', maxLength: 400 }), fc.nat(), (text, seed) => {
      const joined = fragmentsOf(text, seededRandom(seed)).join('');
      if (text.trim() !== '') expect(joined).toBe(text);
      else expect(joined).toBe('');
    }),
  );
});

it('samples are kept up to half an hour, and then no more', () => {
  const store = new SampleStore();
  const minute = new Int16Array(16_000 * 60).fill(7);
  for (let n = 0; n < 31; n++) store.push(minute);
  expect(store.length).toBe(30 * 60 * 16_000);
  const small = new SampleStore();
  small.push(Int16Array.from({ length: 40_001 }, (_, n) => n % 1000));
  small.push(Int16Array.from([5]));
  expect(small.toSamples()).toEqual(
    Int16Array.from({ length: 40_002 }, (_, n) => (n === 40_001 ? 5 : n % 1000)),
  );
});

describe('whatever a client sends', () => {
  const anything = fc.oneof(
    fc.jsonValue(),
    fc.record({ realtimeInput: fc.jsonValue() }),
    fc.record({ clientContent: fc.jsonValue() }),
    fc.record({ toolResponse: fc.jsonValue() }),
    fc.record({ setup: fc.jsonValue() }),
    fc.record({
      realtimeInput: fc.record({ audio: fc.record({ data: fc.string(), mimeType: fc.string() }) }),
    }),
  );

  it('nothing is thrown, and the end is one close', () => {
    fc.assert(
      fc.property(fc.array(anything, { size: 'max', maxLength: 6 }), fc.boolean(), (messages, early) => {
        const line = new Line(chat());
        if (!early) line.send(setupFor('2.5')).wait(300);
        for (const message of messages) line.sendRaw(JSON.stringify(message) ?? '').wait(100);
        line.sendRaw(Uint8Array.from([0xff, 0xfe, 0x00])).wait(50);
        expect(line.closed?.code).toBe(1007);
      }),
      { numRuns: 200 },
    );
  });

  it('the record stays bounded', () => {
    const line = new Line(chat()).open();
    for (let n = 0; n < 21_000; n++) line.send({ toolResponse: { functionResponses: [{ id: `${n}` }] } });
    expect(line.record.toolResponses).toHaveLength(20_000);
  });
});
