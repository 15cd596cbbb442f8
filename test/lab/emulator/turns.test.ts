import { describe, expect, it } from 'vitest';
import { clipMs, tonePhrase } from '../../../src/lab/clip.ts';
import { makeReply, makeScenario } from '../../../src/lab/scenario.ts';
import { audioMessage, chat, Line, voice } from './line.ts';

const bytesOf = (samples: Int16Array) => Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);

describe('a turn', () => {
  it('begins the set time after the detector has heard the end of the utterance', () => {
    const line = new Line(chat({ firstAudioMs: 650 })).open();
    line.silence(500).speak(1000).silence(3000);
    const end = line.record.speech.find((entry) => entry.kind === 'end')!;
    expect(line.of('audio')[0]!.atMs - end.atMs).toBeCloseTo(650, 6);
    // 800 ms is the documented default silence, and the end is known with the message that holds it.
    const spokenUntilMs = 300 + 500 + 1000;
    expect(end.atMs - spokenUntilMs).toBeGreaterThanOrEqual(800);
    expect(end.atMs - spokenUntilMs).toBeLessThanOrEqual(860);
  });

  it('sends the whole clip, then generationComplete, and turnComplete with usage after the assumed playback', () => {
    const line = new Line(chat()).open('2.5', { sessionResumption: {} });
    line.silence(200).speak(800).silence(8000);
    const clip = tonePhrase('one', 3000);
    expect(line.audioBytes().equals(bytesOf(clip.samples))).toBe(true);
    const kinds = line.kinds();
    expect(kinds).toEqual(['setupComplete', 'audio', 'generationComplete', 'turnComplete']);
    const first = line.of('audio')[0]!.atMs;
    const complete = line.of('turnComplete')[0]!;
    expect(complete.atMs - first).toBeCloseTo(clipMs(clip), 0);
    expect(complete.message.usageMetadata.responseTokenCount).toBe(75);
    // Three times as fast as it plays.
    const generated = line.of('generationComplete')[0]!.atMs - first;
    expect(generated).toBeGreaterThan(700);
    expect(generated).toBeLessThan(1100);
    const after = line.received.filter((entry) => entry.atMs > complete.atMs);
    expect(after[0]!.message.sessionResumptionUpdate.resumable).toBe(true);
    expect(after[0]!.message.sessionResumptionUpdate.newHandle).toBeTruthy();
  });

  it.each([
    ['burst', 0, 20],
    ['realtime', 2500, 3020],
    [6, 300, 550],
  ] as const)('at the pace "%s" takes its time', (pace, leastMs, mostMs) => {
    const line = new Line(chat({ pace })).open();
    line.silence(200).speak(800).silence(6000);
    const chunks = line.of('audio');
    const tookMs = chunks.at(-1)!.atMs - chunks[0]!.atMs;
    expect(tookMs).toBeGreaterThanOrEqual(leastMs);
    expect(tookMs).toBeLessThanOrEqual(mostMs);
  });

  it('starts with two chunks back to back, of the sizes in the plan', () => {
    const line = new Line(chat({ chunkBytes: [1920, 7680] })).open();
    line.silence(200).speak(800).silence(6000);
    const chunks = line.of('audio');
    expect(chunks[1]!.atMs).toBe(chunks[0]!.atMs);
    expect(chunks[2]!.atMs).toBeGreaterThan(chunks[1]!.atMs);
    const sizes = chunks.map(
      (chunk) => Buffer.from(chunk.message.serverContent.modelTurn.parts[0].inlineData.data, 'base64').length,
    );
    expect(new Set(sizes.slice(0, -1))).toEqual(new Set([1920, 7680]));
  });

  it('answers the n-th utterance with the n-th reply, and then asks back in turn', () => {
    const line = new Line(chat({}, 400)).open();
    for (let n = 0; n < 4; n++) line.silence(300).speak(700).silence(3500);
    expect(line.text('outputTranscription')).toBe('We open at nine.We are closed.Sorry?Sorry?');
    expect(line.text('inputTranscription')).toBe('What are your hours please?And on Sunday?');
  });

  it('greets at the first text, and at later ones says what matches', () => {
    const scenario = makeScenario({
      ...chat(),
      onText: [
        { match: '5', reply: makeReply({ text: 'You pressed five.', clip: tonePhrase('five', 300) }) },
      ],
    });
    const line = new Line(scenario, { behaviours: { textNoteIsAnswered: false } }).open('3.1');
    line.send({ realtimeInput: { text: 'The call is connected: greet the caller.' } }).wait(3000);
    line.send({ realtimeInput: { text: 'The caller pressed 5' } }).wait(3000);
    line.send({ realtimeInput: { text: 'Nothing to say about' } }).wait(3000);
    expect(line.text('outputTranscription')).toBe('Hello there, how can I help you today?You pressed five.');
    expect(line.record.texts.map((text) => text.via)).toEqual([
      'realtimeInput',
      'realtimeInput',
      'realtimeInput',
    ]);
  });

  it('answers clientContent where the family takes it, and waits for turnComplete', () => {
    const line = new Line(chat()).open('2.5');
    const turns = [{ role: 'user', parts: [{ text: 'Greet the caller' }] }];
    line.send({ clientContent: { turns, turnComplete: false } }).wait(2000);
    expect(line.of('audio')).toHaveLength(0);
    line.send({ clientContent: { turns, turnComplete: true } }).wait(2000);
    expect(line.text('outputTranscription')).toContain('Hello there');
  });

  it('keeps an utterance open while no audio comes, and ends it when silence does', () => {
    const line = new Line(chat()).open();
    line.silence(300).speak(700).wait(20_000);
    expect(line.of('audio')).toHaveLength(0);
    line.silence(2000);
    expect(line.of('audio').length).toBeGreaterThan(0);
  });

  it.each([
    ['2.5', true],
    ['3.1', true],
    ['3.8', false],
    ['3.8-extended-thinking', false],
  ] as const)('on %s audioStreamEnd ends the utterance: %s', (family, ends) => {
    const line = new Line(chat()).open(family);
    line
      .silence(300)
      .speak(700)
      .send({ realtimeInput: { audioStreamEnd: true } })
      .wait(3000);
    expect(line.of('audio').length > 0).toBe(ends);
  });

  it('honours silenceDurationMs, on 3.1 only up to two seconds', () => {
    const tuned = (silenceDurationMs: number) => ({
      realtimeInputConfig: { automaticActivityDetection: { silenceDurationMs } },
    });
    const endAfter = (family: '2.5' | '3.1', silenceDurationMs: number) => {
      const line = new Line(chat()).open(family, tuned(silenceDurationMs));
      line.silence(300).speak(700).silence(8000);
      return line.record.speech.find((entry) => entry.kind === 'end')!.atMs - 1300;
    };
    expect(endAfter('2.5', 300)).toBeLessThan(380);
    expect(endAfter('2.5', 6000)).toBeGreaterThan(5990);
    expect(endAfter('3.1', 6000)).toBeLessThan(2080);
  });

  it('listens between the client signals alone when detection is off, and answers at once', () => {
    const off = { realtimeInputConfig: { automaticActivityDetection: { disabled: true } } };
    const line = new Line(chat({ firstAudioMs: 400 })).open('2.5', off);
    line.speak(1000).silence(3000);
    expect(line.of('audio')).toHaveLength(0);
    line.send({ realtimeInput: { activityStart: {} } }).speak(500);
    const markedMs = line.nowMs;
    line.send({ realtimeInput: { activityEnd: {} } }).wait(2000);
    expect(line.of('audio')[0]!.atMs - markedMs).toBeCloseTo(400, 6);
  });

  it('says nothing when it has no reply left', () => {
    const line = new Line(makeScenario({})).open();
    line.silence(300).speak(700).silence(4000);
    expect(line.kinds()).toEqual(['setupComplete']);
  });

  it('tells on extended thinking that no further turn follows', () => {
    const line = new Line(chat({}, 300)).open('3.8-extended-thinking');
    line.silence(300).speak(700).silence(4000);
    expect(line.of('interactionStatus')[0]!.message.serverContent.turnComplete).toBe(true);
  });
});

describe('interruption', () => {
  const bargeIn = (line: Line, answerMs: number) =>
    line
      .silence(300)
      .speak(700)
      .silence(1500 + answerMs);

  it('stops a running answer: interrupted, one stale chunk, turnComplete, and never generationComplete', () => {
    const line = new Line(chat({ pace: 'realtime' }, 8000)).open();
    bargeIn(line, 1500);
    const from = line.received.length;
    const onsetMs = line.nowMs;
    line.speak(600);
    const kinds = line.kinds(from);
    expect(kinds).toEqual(['audio', 'interrupted', 'audio', 'turnComplete']);
    expect(line.of('generationComplete')).toHaveLength(0);
    const interruptedMs = line.of('interrupted')[0]!.atMs;
    expect(interruptedMs - onsetMs).toBeGreaterThanOrEqual(200);
    expect(interruptedMs - onsetMs).toBeLessThanOrEqual(210);
    expect(line.of('audio').filter((chunk) => chunk.atMs > interruptedMs)).toHaveLength(1);
    line.silence(12_000);
    expect(line.text('outputTranscription')).toContain('We are closed.');
  });

  it('counts while everything was sent but playback is assumed to go on', () => {
    const line = new Line(chat({ pace: 'burst' }, 8000)).open();
    bargeIn(line, 1500);
    expect(line.of('generationComplete')).toHaveLength(1);
    const from = line.received.length;
    line.speak(600);
    expect(line.kinds(from)).toEqual(['interrupted', 'turnComplete']);
  });

  it('does not happen after turnComplete', () => {
    const line = new Line(chat({}, 500)).open();
    bargeIn(line, 3000);
    line.speak(600).silence(3000);
    expect(line.of('interrupted')).toHaveLength(0);
    expect(line.of('turnComplete')).toHaveLength(2);
  });

  it('gives the same reply again when it came before the first audio', () => {
    const line = new Line(chat({ firstAudioMs: 900 }, 500)).open();
    line.silence(300).speak(700).silence(1100).speak(700).silence(4000);
    expect(line.kinds()).toEqual([
      'setupComplete',
      'interrupted',
      'turnComplete',
      'audio',
      'generationComplete',
      'turnComplete',
    ]);
    expect(line.text('outputTranscription')).toBe('We open at nine.');
    expect(line.text('inputTranscription')).toBe('What are your hours please?');
  });

  it('is never done to the answer of the very utterance, however short that was', () => {
    const hasty = { realtimeInputConfig: { automaticActivityDetection: { silenceDurationMs: 60 } } };
    const line = new Line(chat({ interruptDelayMs: 400, firstAudioMs: 100 }, 300)).open('2.5', hasty);
    line.silence(300).speak(80).silence(2000);
    expect(line.kinds()).toEqual(['setupComplete', 'audio', 'generationComplete', 'turnComplete']);
  });

  it('is left out under NO_INTERRUPTION, and the speech is answered afterwards', () => {
    const keep = { realtimeInputConfig: { activityHandling: 'NO_INTERRUPTION' } };
    const line = new Line(chat({}, 3000)).open('2.5', keep);
    bargeIn(line, 500);
    line.speak(600).silence(9000);
    expect(line.of('interrupted')).toHaveLength(0);
    expect(line.text('outputTranscription')).toBe('We open at nine.We are closed.');
  });

  it('is done by clientContent in any case, and by text where the row says so', () => {
    const keep = { realtimeInputConfig: { activityHandling: 'NO_INTERRUPTION' } };
    const line = new Line(chat({ pace: 1 }, 6000)).open('2.5', keep);
    bargeIn(line, 500);
    line.send({ clientContent: { turns: [], turnComplete: false } }).wait(100);
    expect(line.of('interrupted')).toHaveLength(1);

    const deaf = new Line(chat({ pace: 1 }, 6000), { behaviours: { interruptionOfTextTrigger: false } }).open(
      '2.5',
    );
    bargeIn(deaf, 500);
    deaf.send({ realtimeInput: { text: 'note' } }).wait(100);
    expect(deaf.of('interrupted')).toHaveLength(0);
  });
});

describe('transcriptions', () => {
  const talk = (behaviours: object, extra: object = {}) => {
    const line = new Line(chat({}, 2000), { behaviours }).open('2.5', extra);
    return line.silence(300).speak(700).silence(8000);
  };
  const times = (line: Line, kind: string) => line.of(kind).map((entry) => entry.atMs);

  it('are fragments that join to the text, each in a message of its own and without `finished`', () => {
    const line = talk({});
    expect(line.text('inputTranscription')).toBe('What are your hours please?');
    expect(line.text('outputTranscription')).toBe('We open at nine.');
    expect(line.of('inputTranscription').length).toBeGreaterThan(1);
    for (const { message } of [...line.of('inputTranscription'), ...line.of('outputTranscription')]) {
      expect(Object.keys(message.serverContent)).toHaveLength(1);
      expect(JSON.stringify(message)).not.toContain('finished');
    }
  });

  it('come only when they were asked for', () => {
    const line = new Line(chat({}, 1000));
    line.send({ setup: { model: 'models/gemini-3.8-live' } }).wait(300);
    line.silence(300).speak(700).silence(4000);
    expect(line.of('inputTranscription').length + line.of('outputTranscription').length).toBe(0);
    expect(line.of('audio').length).toBeGreaterThan(0);
  });

  it('of the caller come before the answer, amid it or after the turn', () => {
    const before = talk({ inputTranscriptOrder: 'before-answer' });
    expect(Math.max(...times(before, 'inputTranscription'))).toBeLessThan(times(before, 'audio')[0]!);
    const amid = talk({ inputTranscriptOrder: 'amid-answer' });
    expect(Math.min(...times(amid, 'inputTranscription'))).toBeGreaterThan(times(amid, 'audio')[0]!);
    expect(Math.min(...times(amid, 'inputTranscription'))).toBeLessThan(times(amid, 'audio').at(-1)!);
    const after = talk({ inputTranscriptOrder: 'after-turn' });
    expect(Math.min(...times(after, 'inputTranscription'))).toBeGreaterThan(times(after, 'turnComplete')[0]!);
    expect(after.text('inputTranscription')).toBe('What are your hours please?');
  });

  it('of the answer run ahead of the audio, behind it, or end after the turn', () => {
    const leads = talk({ outputTranscriptOrder: 'leads-audio' });
    expect(times(leads, 'outputTranscription')[0]).toBeLessThanOrEqual(times(leads, 'audio')[0]!);
    const trails = talk({ outputTranscriptOrder: 'trails-audio' });
    expect(times(trails, 'outputTranscription')[0]! - times(trails, 'audio')[0]!).toBeCloseTo(250, 6);
    const after = talk({ outputTranscriptOrder: 'after-turn' });
    expect(times(after, 'outputTranscription').at(-1)).toBeGreaterThan(times(after, 'turnComplete')[0]!);
    expect(after.text('outputTranscription')).toBe('We open at nine.');
  });
});

it('audio declared at 8 kHz, 24 kHz or 44.1 kHz is heard and kept at 16 kHz', () => {
  for (const rate of [8000, 24_000, 44_100]) {
    const line = new Line(chat()).open();
    const seconds = 1.5;
    const step = rate / 50;
    for (let frame = 0; frame < seconds * 50; frame++) {
      const samples = Int16Array.from({ length: step }, (_, index) =>
        Math.round(8000 * Math.sin((2 * Math.PI * 500 * (frame * step + index)) / rate)),
      );
      line.wait(20).send(audioMessage(samples, `audio/pcm;rate=${rate}`));
    }
    const kept = line.record.audio.toSamples();
    expect(Math.abs(kept.length - seconds * 16_000)).toBeLessThanOrEqual(1);
    // A 500 Hz tone crosses zero upwards five hundred times a second.
    const crossings = kept.filter((sample, index) => index > 0 && sample >= 0 && kept[index - 1]! < 0).length;
    expect(Math.abs(crossings - seconds * 500)).toBeLessThanOrEqual(2);
  }
});

it('the record tells how the audio came: amount, gaps, and how far it ran ahead', () => {
  const line = new Line(chat()).open();
  line.silence(1000).wait(730);
  for (let n = 0; n < 50; n++) line.send(audioMessage(voice(n)));
  const { pace } = line.record;
  expect(pace.messages).toBe(100);
  expect(pace.audioMs).toBe(2000);
  expect(pace.maxGapMs).toBe(730);
  expect(line.record.audio.length).toBe(32_000);
  // The pause left it 730 ms behind, but for the frame that is not over; the burst brings 49 frames on top of that.
  expect(pace.maxBehindMs).toBe(710);
  expect(pace.maxAheadMs).toBe(980 - 710);
  expect(line.record.arrivals).toHaveLength(100);
});
