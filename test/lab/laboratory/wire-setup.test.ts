import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { createConnector } from '../../../src/gemini/connect.ts';
import { FAMILY_IDS, familyOf } from '../../../src/gemini/families.ts';
import type { LiveSetup } from '../../../src/gemini/setup.ts';
import { MODELS } from '../../../src/lab/laboratory/plan.ts';
import { wireSetup } from '../../../src/lab/laboratory/wire-setup.ts';
import { RecordingHandlers } from '../../support/live-handlers.ts';
import { type Json, ScriptedLiveServer } from '../../support/scripted-live-server.ts';

let server: ScriptedLiveServer;
beforeAll(async () => {
  server = await ScriptedLiveServer.listen((peer) => peer.completeSetup());
});
afterAll(() => server.close());

/** What the SDK writes as the first frame. */
async function bySdk(setup: LiveSetup): Promise<Json> {
  const connectLive = createConnector({ apiKey: 'k', baseUrl: server.baseUrl, clock: systemClock });
  const connection = await connectLive(setup, new RecordingHandlers(), {
    signal: new AbortController().signal,
    deadlineMs: 5_000,
    need: 'new-call',
  });
  const frame = await server.peers.at(-1)!.frame(0);
  await connection.close(0);
  return frame;
}

test.each(FAMILY_IDS)(
  'the first frame of the laboratory is the one that the SDK would write (%s)',
  async (id) => {
    const setup: LiveSetup = {
      model: MODELS[id],
      systemInstruction: 'You answer line 7.',
      voice: 'Kore',
      language: 'it-IT',
      temperature: 0.5,
      mediaResolution: 'low',
      thinking: { level: 'low', budget: 3 },
      resumption: { handle: 'HANDLE-1' },
      vad: { mode: 'auto', interruptions: false },
      tools: [
        {
          name: 'hang_up',
          description: 'Ends.',
          parameters: { type: 'object', properties: {} },
          behaviour: 'blocking',
        },
      ],
    };
    for (const each of [
      setup,
      { ...setup, vad: { mode: 'manual', interruptions: true }, resumption: null } as const,
    ]) {
      expect(JSON.parse(wireSetup(each, familyOf(each.model).family).frame)).toEqual(await bySdk(each));
    }
  },
);
