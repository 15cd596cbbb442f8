import { expect, it } from 'vitest';
import { samplesToBytes } from '../../../src/audio/pcm.ts';
import { EmulatedService } from '../../../src/lab/emulator/service.ts';
import type { EmulatorOutput } from '../../../src/lab/emulator/session.ts';
import { parseLiveAddress } from '../../../src/lab/emulator/wire.ts';
import { writeCounted } from '../../../src/lab/laboratory/counters.ts';
import { labScenario } from '../../../src/lab/laboratory/plan.ts';

const ADDRESS = parseLiveAddress(
  '/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=k',
)!;
const SETUP = JSON.stringify({
  setup: { model: 'models/gemini-3.8-live', generationConfig: { responseModalities: ['AUDIO'] } },
});

/** A sentence of 1.2 s after half a second, and the silence behind it. */
const speech = (): Int16Array => {
  const samples = new Int16Array(16 * 4_000);
  writeCounted(samples.subarray(16 * 500, 16 * 1_700), 0);
  return samples;
};

/** Everything that a session says and records when it gets the caller's frames in one way or the other. */
function outcome(frame: (samples: Int16Array) => string | Int16Array): {
  outputs: EmulatorOutput[];
  record: object;
} {
  const service = new EmulatedService({ scenario: labScenario({}) });
  const session = service.connect(ADDRESS, 0);
  const outputs: EmulatorOutput[] = [...session.tick(0), ...session.receive(SETUP, 10)];
  const samples = speech();
  for (let ms = 1_000; ms < 9_000; ms += 20) {
    const at = (ms - 1_000) * 16;
    if (at < samples.length) outputs.push(...session.receive(frame(samples.slice(at, at + 320)), ms));
    else outputs.push(...session.tick(ms));
  }
  return { outputs, record: service.sessions[0]!.toJson() };
}

it('audio without its wire has the effects and the record of audio in JSON', () => {
  const onTheWire = outcome((samples) =>
    JSON.stringify({
      realtimeInput: {
        audio: { data: samplesToBytes(samples).toString('base64'), mimeType: 'audio/pcm;rate=16000' },
      },
    }),
  );
  const typed = outcome((samples) => samples);
  expect(typed).toEqual(onTheWire);
  expect(JSON.stringify(typed.outputs)).toContain('turnComplete');
});

it('audio without its wire is refused where audio in JSON would be', () => {
  const service = new EmulatedService({ scenario: labScenario({}) });
  const session = service.connect(ADDRESS, 0);
  session.tick(0);
  expect(session.receive(new Int16Array(320), 5)).toMatchObject([{ close: 1007 }]);
});
