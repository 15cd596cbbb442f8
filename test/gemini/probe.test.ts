import { afterAll, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { createConnector } from '../../src/gemini/connect.ts';
import { type ProbeReport, runProbe } from '../../src/gemini/probe.ts';
import { type Json, type Peer, ScriptedLiveServer } from '../support/scripted-live-server.ts';

const servers: ScriptedLiveServer[] = [];
afterAll(() => Promise.all(servers.map((server) => server.close())));

async function listen(onPeer: Parameters<typeof ScriptedLiveServer.listen>[0]): Promise<string> {
  const server = await ScriptedLiveServer.listen(onPeer);
  servers.push(server);
  return server.baseUrl;
}

/** How the endpoint at hand answers the probe's questions. */
interface Endpoint {
  readonly refusal: readonly [code: number, reason: string];
  readonly waitsForPlayback: boolean;
  readonly lateTranscript: boolean;
  readonly textInterrupts: boolean;
  readonly stale: number;
  readonly answersNotes: boolean;
  readonly besideIsRefused: boolean;
  readonly unknownToolCloses: boolean;
  readonly audioStreamEnd: boolean;
}

const second = (): Json => ({
  serverContent: {
    modelTurn: {
      parts: [
        { inlineData: { mimeType: 'audio/pcm;rate=24000', data: Buffer.alloc(48_000).toString('base64') } },
      ],
    },
  },
});
const content = (fields: Json): Json => ({ serverContent: fields });

async function serve(endpoint: Endpoint): Promise<string> {
  let talking: Peer | null = null;
  let handles = 0;
  const onText = (peer: Peer, text: string) => {
    if (text.startsWith('Count')) {
      if (!endpoint.lateTranscript) peer.say(content({ outputTranscription: { text: 'one' } }));
      peer.say(second());
      peer.say(content({ generationComplete: true }));
      const end = () => {
        peer.say({ ...content({ turnComplete: true }), usageMetadata: { totalTokenCount: 1 } });
        if (endpoint.lateTranscript) peer.say(content({ outputTranscription: { text: 'one' } }));
        for (let i = 0; i < 3; i++)
          peer.say({ sessionResumptionUpdate: { newHandle: `h${handles++}`, resumable: true } });
      };
      if (endpoint.waitsForPlayback) setTimeout(end, 700);
      else end();
    } else if (text.startsWith('Tell')) {
      peer.say(second());
    } else if (text.startsWith('Stop') && endpoint.textInterrupts) {
      peer.say(content({ interrupted: true }));
      for (let i = 0; i < endpoint.stale; i++) peer.say(second());
      peer.say(content({ turnComplete: true }));
    } else if (text.startsWith('(') && endpoint.answersNotes) {
      peer.say(second());
      peer.say(content({ turnComplete: true }));
    }
  };
  return listen(async (peer) => {
    const setup = (await peer.frame(0))['setup'] as { sessionResumption: { handle?: string } };
    const { handle } = setup.sessionResumption;
    if (handle !== undefined && !/^h\d$/.test(handle)) return peer.ws.close(...endpoint.refusal);
    if (handle !== undefined && talking?.ws.readyState === 1 && endpoint.besideIsRefused) {
      return peer.ws.close(1011, 'Internal error encountered.');
    }
    peer.say({ setupComplete: {} });
    if (handle === undefined) talking = peer;
    for (let i = 1; ; i++) {
      const frame = (await peer.frame(i)) as {
        realtimeInput?: { text?: string; audioStreamEnd?: boolean };
        toolResponse?: Json;
      };
      if (frame.realtimeInput?.text !== undefined) onText(peer, frame.realtimeInput.text);
      if (frame.realtimeInput?.audioStreamEnd && endpoint.audioStreamEnd) peer.say(second());
      if (frame.toolResponse !== undefined && endpoint.unknownToolCloses) peer.ws.close(1007, 'unknown id');
    }
  });
}

async function probe(baseUrl: string, budgetMs = 20_000): Promise<ProbeReport> {
  const connect = createConnector({ baseUrl, clock: systemClock });
  return runProbe(connect, { clock: systemClock, patienceMs: 250, budgetMs, speech: new Int16Array(3_200) });
}

const valuesOf = (report: ProbeReport) =>
  Object.fromEntries(report.findings.map(({ id, value }) => [id, value]));

test.concurrent('finds what the endpoint does', async () => {
  const report = await probe(
    await serve({
      refusal: [1008, 'BidiGenerateContent session not found'],
      waitsForPlayback: true,
      lateTranscript: false,
      textInterrupts: true,
      stale: 2,
      answersNotes: true,
      besideIsRefused: true,
      unknownToolCloses: false,
      audioStreamEnd: true,
    }),
  );
  expect(report).toMatchObject({ family: '3.8', problem: null });
  expect(valuesOf(report)).toEqual({
    notFoundCode: '1008-session',
    turnCompleteWaitsForPlayback: true,
    outputTranscriptOrder: 'leads-audio',
    usageReports: 'turn-totals',
    updateWhileGenerating: 'none',
    interruptionOfTextTrigger: true,
    turnCompleteFollowsInterrupted: true,
    interruptedMayFollowTurnComplete: null,
    interruptedSharesMessage: false,
    staleChunksAfterInterrupt: 1,
    textNoteIsAnswered: true,
    oldSocketOpenRefused: true,
    unknownToolId: 'ignored',
    earlierHandlesUsable: 'all',
    gapCountsAsSilence: false,
    audioStreamEndEndsTurn: true,
  });
  expect(report.findings.every(({ evidence }) => evidence.length > 0)).toBe(true);
});

test.concurrent('finds the opposite where the endpoint does the opposite', async () => {
  const report = await probe(
    await serve({
      refusal: [1007, 'Invalid session handle'],
      waitsForPlayback: false,
      lateTranscript: true,
      textInterrupts: false,
      stale: 0,
      answersNotes: false,
      besideIsRefused: false,
      unknownToolCloses: true,
      audioStreamEnd: false,
    }),
  );
  expect(valuesOf(report)).toMatchObject({
    notFoundCode: '1007-handle',
    turnCompleteWaitsForPlayback: false,
    outputTranscriptOrder: 'after-turn',
    interruptionOfTextTrigger: false,
    textNoteIsAnswered: false,
    oldSocketOpenRefused: false,
    unknownToolId: 'close-1007',
    audioStreamEndEndsTurn: false,
  });
});

test.concurrent('an endpoint that says nothing costs no more than the budget, and the report says what was wrong', async () => {
  const report = await probe(await listen(() => {}), 150);
  expect(report.findings).toEqual([]);
  expect(report.problem).toContain('found no answer within');
});
