import { describe, expect, it } from 'vitest';
import { type BehaviourCase, everyValue } from '../../../src/gemini/behaviours.ts';
import { tonePhrase } from '../../../src/lab/clip.ts';
import { makeReply, makeScenario } from '../../../src/lab/scenario.ts';
import { type Json, Line } from './line.ts';

const reply = (name: string, ms: number) =>
  makeReply({ hears: `heard ${name} of it`, text: `said ${name} to you`, clip: tonePhrase(name, ms) });

const scenario = makeScenario({
  model: { setupDelayMs: 100 },
  greeting: reply('greeting', 500),
  replies: [
    reply('one', 4000),
    {
      ...reply('two', 800),
      calls: [{ name: 'look_up', args: {}, when: 'before', followUp: null }],
    },
  ],
  otherwise: [reply('more', 500)],
});

/** Greeting, an answer that is barged into, a tool, silence until the connection ends. */
function wholeCall({ family, behaviours }: BehaviourCase): Line {
  const line = new Line(scenario, { behaviours });
  line.open(family, { sessionResumption: {}, tools: [{ functionDeclarations: [{ name: 'look_up' }] }] });
  line.send({ realtimeInput: { text: 'begin' } }).silence(2500);
  line.speak(700).silence(3500).speak(700).silence(2000);
  const call = line.of('toolCall')[0];
  if (call !== undefined && line.closed === null) {
    const { id } = call.message.toolCall.functionCalls[0];
    line.send({ toolResponse: { functionResponses: [{ id, response: {} }] } });
  }
  return line.silence(9000);
}

describe('a whole call', () => {
  it.each([...everyValue()].map((entry) => [entry.family, entry.id, entry.value, entry] as const))(
    'on %s runs with %s = %s',
    (_family, _id, _value, entry) => {
      const line = wholeCall(entry);
      if (entry.behaviours.audioWhileToolPending === 'close-1008' && line.closed !== null) {
        expect(line.closed.code).toBe(1008);
        return;
      }
      expect(line.record.refusals).toEqual([]);
      expect(line.closed).toBeNull();
      expect(line.text('outputTranscription')).toContain('said greeting to you');
      expect(line.of('toolCall')).toHaveLength(1);
      const audioAt = line.received.filter((received: Json) => received.message.serverContent?.modelTurn);
      expect(audioAt.length).toBeGreaterThan(3);
      const { interruptsAssumedPlayback, turnCompleteWaitsForPlayback } = entry.behaviours;
      const everInterrupted = line.received.some((received) => received.message.serverContent?.interrupted);
      // All of the long answer has been sent by then: only its assumed playback can be barged into.
      expect(everInterrupted).toBe(interruptsAssumedPlayback && turnCompleteWaitsForPlayback);
      expect(line.session.nextDueMs).not.toBeNull();
    },
  );
});

describe('values that show on the wire', () => {
  const first = (behaviours: object, kind: string) => {
    const family = '2.5' as const;
    const entry = [...everyValue([family])][0]!;
    return wholeCall({ ...entry, behaviours: { ...entry.behaviours, ...behaviours } }).of(kind);
  };

  it('audioMime', () => {
    const mime = (audioMime: string) =>
      first({ audioMime }, 'audio')[0]!.message.serverContent.modelTurn.parts[0].inlineData.mimeType;
    expect(mime('audio/pcm')).toBe('audio/pcm');
    expect(mime('audio/pcm;rate=24000')).toBe('audio/pcm;rate=24000');
  });

  it('usageReports', () => {
    expect(first({ usageReports: 'turn-totals' }, 'turnComplete')[0]!.message.usageMetadata).toBeDefined();
    expect(first({ usageReports: 'turn-totals' }, 'audio')[0]!.message.usageMetadata).toBeUndefined();
    expect(first({ usageReports: 'chunk-deltas' }, 'turnComplete')[0]!.message.usageMetadata).toBeUndefined();
    expect(first({ usageReports: 'chunk-deltas' }, 'audio')[0]!.message.usageMetadata).toBeDefined();
  });

  it('serverFrameType', () => {
    expect(new Line(scenario, { behaviours: { serverFrameType: 'text' } }).session.frameStyle.frame).toBe(
      'text',
    );
    expect(new Line(scenario).session.frameStyle.frame).toBe('binary');
  });
});

describe('the details of an interruption', () => {
  const bargeIn = (behaviours: object, pace: number | 'burst' = 1) => {
    const slow = makeScenario({ ...scenario, greeting: null, model: { ...scenario.model, pace } });
    const line = new Line(slow, { behaviours }).open('2.5').silence(300).speak(700).silence(2500);
    const from = line.received.length;
    line.speak(700);
    return line.received
      .slice(from)
      .map((entry) => entry.message.serverContent)
      .filter((content) => content && !content.outputTranscription);
  };

  it.each([0, 1, 3] as const)('%d stale chunks follow', (staleChunksAfterInterrupt) => {
    const contents = bargeIn({ staleChunksAfterInterrupt });
    const at = contents.findIndex((content) => content.interrupted);
    const rest = contents.slice(at + 1);
    expect(rest.map((content) => Object.keys(content)[0])).toEqual([
      ...Array(staleChunksAfterInterrupt).fill('modelTurn'),
      'turnComplete',
    ]);
  });

  it('interrupted may share its message with audio', () => {
    const contents = bargeIn({ interruptedSharesMessage: true });
    const shared = contents.find((content) => content.interrupted);
    expect(Object.keys(shared)).toEqual(['modelTurn', 'interrupted']);
  });

  it('turnComplete may come first during assumed playback', () => {
    const contents = bargeIn({ interruptedMayFollowTurnComplete: true }, 'burst');
    expect(contents.map((content) => Object.keys(content)[0])).toEqual(['turnComplete', 'interrupted']);
  });

  it('turnComplete may never come', () => {
    expect(bargeIn({ turnCompleteFollowsInterrupted: false }).some((content) => content.turnComplete)).toBe(
      false,
    );
  });
});

describe('the details of listening', () => {
  const plain = makeScenario({ ...scenario, greeting: null });

  it('a gap counts as silence where the row says so', () => {
    const line = new Line(plain, { behaviours: { gapCountsAsSilence: true } }).open('2.5');
    line.silence(300).speak(700).wait(3000);
    expect(line.of('audio').length).toBeGreaterThan(0);
  });

  it('a burst is heard at once, or in real time', () => {
    const endOf = (burstInputClock: 'stream-time' | 'arrival-time') => {
      const line = new Line(plain, { behaviours: { burstInputClock } }).open('2.5');
      const recorded = new Line(plain)
        .open('2.5')
        .silence(500)
        .speak(1000)
        .silence(1500)
        .record.audio.toSamples();
      const fromMs = line.nowMs;
      for (let at = 0; at < recorded.length; at += 320) {
        const samples = recorded.slice(at, at + 320);
        const data = Buffer.from(samples.buffer).toString('base64');
        line.send({ realtimeInput: { audio: { data, mimeType: 'audio/pcm;rate=16000' } } });
      }
      line.wait(5000);
      return line.record.speech.find((entry) => entry.kind === 'end')!.atMs - fromMs;
    };
    expect(endOf('stream-time')).toBe(0);
    expect(endOf('arrival-time')).toBeGreaterThan(2200);
    expect(endOf('arrival-time')).toBeLessThan(2500);
  });

  it('speech under NO_INTERRUPTION is queued or dropped', () => {
    const turns = (speechUnderNoInterruption: 'queued' | 'dropped') => {
      const line = new Line(plain, { behaviours: { speechUnderNoInterruption } });
      line.open('2.5', { realtimeInputConfig: { activityHandling: 'NO_INTERRUPTION' } });
      return line.silence(300).speak(700).silence(2000).speak(700).silence(6000).of('generationComplete')
        .length;
    };
    expect(turns('queued')).toBe(2);
    expect(turns('dropped')).toBe(1);
  });

  it('text without a match is answered or not', () => {
    const spoke = (textNoteIsAnswered: boolean) => {
      const line = new Line(plain, { behaviours: { textNoteIsAnswered } }).open('2.5');
      return (
        line
          .send({ realtimeInput: { text: 'note' } })
          .wait(3000)
          .of('audio').length > 0
      );
    };
    expect([spoke(true), spoke(false)]).toEqual([true, false]);
  });

  it.each([
    ['emptyRealtimeInput', {}],
    ['severalRealtimeFields', { text: 'a', audioStreamEnd: true }],
  ])('%s is accepted or closed', (row, realtimeInput) => {
    const closed = (value: string) =>
      new Line(plain, { behaviours: { [row]: value } }).open('2.5').send({ realtimeInput }).closed?.code;
    expect(closed('close-1007')).toBe(1007);
    expect(closed(row === 'emptyRealtimeInput' ? 'ignored' : 'accepted')).toBeUndefined();
  });
});
