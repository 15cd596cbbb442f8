import { describe, expect, it } from 'vitest';
import { parseServerMessage } from '../../../../src/gemini/events.ts';
import { tonePhrase } from '../../../../src/lab/clip.ts';
import { type FaultFile, makeFaults } from '../../../../src/lab/emulator/faults/catalogue.ts';
import { makeReply, makeScenario, type Scenario } from '../../../../src/lab/scenario.ts';
import { chat, Line } from '../line.ts';

const RATE = 24_000;
const faulty = (faults: FaultFile[], model: Partial<Scenario['model']> = {}, ms = 3000): Scenario => ({
  ...chat(model, ms),
  faults: makeFaults(faults),
});
/** One question, and all the time that its answer needs. */
const asked = (faults: FaultFile[], model: Partial<Scenario['model']> = {}, afterMs = 8000): Line =>
  new Line(faulty(faults, model)).open('2.5').silence(300).speak(700).silence(afterMs);
const ANSWER = Buffer.from(tonePhrase('one', 3000).samples.buffer);
const sizes = (line: Line): number[] =>
  line.record.sent.filter((sent) => sent.kind === 'audio').map((sent) => Number(sent.detail));
const chunks = (line: Line) => line.received.filter((entry) => entry.message.serverContent?.modelTurn);
const completed = (line: Line) => line.received.filter((entry) => entry.message.serverContent?.turnComplete);

describe('the audio of an answer', () => {
  it('stalls, and comes in a burst: nothing of it is lost', () => {
    const plain = asked([], { pace: 1 });
    const line = asked([{ at: 'turn', fault: 'stall', afterMs: 500, forMs: 4000 }], { pace: 1 }, 12_000);
    const first = chunks(line)[0]!.atMs;
    expect(first).toBe(chunks(plain)[0]!.atMs);
    const offsets = chunks(line).map((entry) => entry.atMs - first);
    expect(offsets.filter((offset) => offset >= 500 && offset < 4500)).toEqual([]);
    const dueInStall = chunks(plain).filter((entry) => entry.atMs - first >= 500).length;
    expect(dueInStall).toBeGreaterThan(3);
    expect(offsets.filter((offset) => offset === 4500)).toHaveLength(dueInStall);
    expect(line.audioBytes()).toEqual(ANSWER);
    expect(line.kinds()).toEqual(plain.kinds());
    expect(
      line.of('outputTranscription').some((entry) => entry.atMs - first > 500 && entry.atMs - first < 4500),
    ).toBe(false);
  });

  it('comes slower than it plays', () => {
    const line = asked([{ at: 'turn', fault: 'slow-audio', pace: 0.5 }], {}, 12_000);
    const all = chunks(line);
    const wallMs = all.at(-1)!.atMs - all[0]!.atMs;
    const playedMs = (sizes(line).reduce((sum, size) => sum + size, 0) / 2 / RATE) * 1000;
    // All but the first chunk, which came with the second, and the last, which nothing follows.
    const [head, tail] = [sizes(line)[0]!, sizes(line).at(-1)!].map((size) => (size / 2 / RATE) * 1000);
    expect(wallMs).toBeCloseTo((playedMs - head! - tail!) / 0.5, 5);
    expect(line.audioBytes()).toEqual(ANSWER);
  });

  it('comes in pieces of any size, which cut samples in two', () => {
    const bytes = [2, 1, 3, 2401];
    const line = asked([{ at: 'turn', fault: 'odd-chunks', bytes }]);
    expect(line.audioBytes()).toEqual(ANSWER);
    const found = sizes(line).slice(0, -1);
    expect(new Set(found)).toEqual(new Set(bytes));
  });

  it('is of full length and near to nothing, and may say why', () => {
    const line = asked([{ at: 'turn', fault: 'near-silent', reason: 'RESPONSE_REJECTED' }]);
    const bytes = line.audioBytes();
    expect(bytes.length).toBe(ANSWER.length);
    const samples = new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    expect(samples.some((sample) => sample !== 0)).toBe(true);
    expect(samples.every((sample) => Math.abs(sample) <= 1)).toBe(true);
    expect(completed(line)[0]!.message.serverContent.turnCompleteReason).toBe('RESPONSE_REJECTED');
    expect(line.text('outputTranscription')).toBe('We open at nine.');
  });

  it('is cut short, as though that were all', () => {
    const line = asked([{ at: 'turn', fault: 'cut-sentence', afterMs: 900 }]);
    const { length } = line.audioBytes();
    const heardMs = (length / 2 / RATE) * 1000;
    expect(heardMs).toBeGreaterThanOrEqual(900);
    // The chunk in which the cut lies is the last, and sent whole.
    expect(heardMs - (sizes(line).at(-1)! / 2 / RATE) * 1000).toBeLessThan(900);
    expect(line.audioBytes()).toEqual(ANSWER.subarray(0, length));
    expect(line.kinds()).toEqual(['setupComplete', 'audio', 'generationComplete', 'turnComplete']);
    expect(line.text('outputTranscription').length).toBeLessThan('We open at nine.'.length);
    expect(completed(line)[0]!.atMs - chunks(line)[0]!.atMs).toBeCloseTo(heardMs, 0);
  });

  it('is near to nothing once, and the same clip is sound the next time', () => {
    const line = asked([{ at: 'turn:3', fault: 'near-silent' }], { pace: 'burst' }, 4000);
    for (let n = 0; n < 3; n++) line.speak(700).silence(4000);
    const sorry = Buffer.from(tonePhrase('sorry', 500).samples.buffer);
    const last = line.audioBytes().subarray(-2 * sorry.length);
    expect(last.subarray(sorry.length)).toEqual(sorry);
    expect(last.subarray(0, sorry.length)).not.toEqual(sorry);
  });

  it('is all wrong at once, and only in that turn', () => {
    const line = asked([
      { at: 'turn', fault: 'odd-chunks', bytes: [4801] },
      { at: 'turn', fault: 'stall', afterMs: 0, forMs: 2000 },
      { at: 'turn', fault: 'text-before-audio' },
    ]);
    line.silence(300).speak(700).silence(6000);
    const [first, second] = [line.record.sent.slice(0, 40), line.record.sent.slice(40)].map((part) =>
      part.filter((sent) => sent.kind === 'audio').map((sent) => sent.detail),
    );
    expect(new Set(first!.slice(0, 29))).toEqual(new Set([4801]));
    expect(second).not.toContain(4801);
  });
});

describe('an answer', () => {
  it.each([undefined, 'RESPONSE_REJECTED'] as const)('has nothing in it but its ends: %s', (reason) => {
    const fault: FaultFile = { at: 'utterance', fault: 'empty-turn', ...(reason ? { reason } : {}) };
    const line = asked([fault]);
    expect(line.kinds().filter((kind) => kind !== 'turnCompleteReason')).toEqual([
      'setupComplete',
      'generationComplete',
      ...(reason ? [] : ['turnComplete']),
    ]);
    expect(completed(line)).toHaveLength(1);
    expect(completed(line)[0]!.message.serverContent.turnCompleteReason).toBe(reason);
    expect(line.audioBytes()).toHaveLength(0);
    expect(line.text('inputTranscription')).toBe('What are your hours please?');
  });

  it('is slow to come, and the reply is not used up when the caller asks again meanwhile', () => {
    const plain = asked([]);
    const faults: FaultFile[] = [{ at: 'turn', fault: 'slow-answer', delayMs: 9000 }];
    const line = asked(faults, {}, 14_000);
    expect(chunks(line)[0]!.atMs - chunks(plain)[0]!.atMs).toBe(9000);
    const impatient = asked(faults, {}, 4000).speak(700).silence(6000);
    expect(impatient.text('outputTranscription')).toBe('We open at nine.');
  });

  it('never completes, and the next utterance is answered all the same', () => {
    const line = asked([{ at: 'turn', fault: 'no-turn-complete' }], {}, 20_000);
    expect(line.of('generationComplete')).toHaveLength(1);
    expect(completed(line)).toEqual([]);
    line.speak(700).silence(8000);
    expect(line.text('outputTranscription')).toBe('We open at nine.We are closed.');
    expect(completed(line)).toHaveLength(1);
  });

  it('completes late', () => {
    const plain = asked([]);
    const line = asked([{ at: 'turn', fault: 'no-turn-complete', lateByMs: 5000 }], {}, 20_000);
    expect(completed(line)[0]!.atMs - completed(plain)[0]!.atMs).toBe(5000);
  });

  it('is struck by its number', () => {
    const line = asked([{ at: 'turn:2', fault: 'empty-turn' }], { pace: 'burst' }, 4500);
    line.speak(700).silence(4500).speak(700).silence(4500);
    expect(line.text('outputTranscription')).toBe('We open at nine.Sorry?');
    expect(line.record.faults).toHaveLength(1);
    expect(completed(line)).toHaveLength(3);
  });

  it('is struck by the utterance that it answers, after a greeting that is a turn as well', () => {
    const greeted = (at: string) =>
      new Line(faulty([{ at, fault: 'empty-turn' }], {}, 600))
        .open('2.5')
        .send({ realtimeInput: { text: 'begin' } })
        .silence(3000)
        .speak(700)
        .silence(3000)
        .text('outputTranscription');
    expect(greeted('utterance:1')).toBe('Hello there, how can I help you today?');
    expect(greeted('turn:1')).toBe('We open at nine.');
  });

  it('is struck from a second on, as often as was asked for', () => {
    const line = asked([{ at: 'second:8', fault: 'empty-turn', times: 2 }], { pace: 'burst' }, 4500);
    for (let n = 0; n < 3; n++) line.speak(700).silence(4500);
    // The second turn begins after eight seconds; so it and the third are struck, and the fourth is not.
    expect(line.text('outputTranscription')).toBe('We open at nine.Sorry?');
    expect(line.record.faults.map((fault) => fault.fault)).toEqual(['empty-turn', 'empty-turn']);
    expect(line.record.faults.every((fault) => fault.atMs >= 8000)).toBe(true);
  });
});

describe('messages of an answer', () => {
  it('hold transcripts twice', () => {
    const line = asked([{ at: 'utterance', fault: 'doubled-transcripts' }]);
    for (const kind of ['inputTranscription', 'outputTranscription'] as const) {
      const texts = line.of(kind).map((entry) => entry.message.serverContent[kind].text);
      expect(texts.filter((_, index) => index % 2 === 0)).toEqual(
        texts.filter((_, index) => index % 2 === 1),
      );
      expect(texts.length).toBeGreaterThan(2);
    }
    expect(line.audioBytes()).toEqual(ANSWER);
  });

  it('hold several fields, up to the last chunk with the end of the turn', () => {
    const line = asked([{ at: 'turn', fault: 'merged-fields' }]);
    const all = chunks(line);
    expect(Object.keys(all[0]!.message.serverContent)).toEqual(['modelTurn', 'outputTranscription']);
    expect(all.at(-1)!.message).toMatchObject({
      serverContent: { modelTurn: {}, generationComplete: true, turnComplete: true },
      usageMetadata: {},
    });
    expect(completed(line)).toHaveLength(1);
    expect(line.of('generationComplete')).toHaveLength(0);
    expect(line.audioBytes()).toEqual(ANSWER);
    expect(all[0]!.message.serverContent.outputTranscription.text).toBe('We open at nine.');
    line.speak(700).silence(6000);
    expect(completed(line)).toHaveLength(2);
  });

  it('hold fields that nobody has heard of, at every level', () => {
    const plain = chunks(asked([]))[0]!.message;
    const { message } = chunks(asked([{ at: 'turn', fault: 'unknown-fields' }]))[0]!;
    const more = (a: object, b: object) =>
      Object.keys(a).filter((key) => !Object.keys(b).includes(key)).length;
    const content = message.serverContent;
    expect(more(message, plain)).toBe(1);
    expect(more(content, plain.serverContent)).toBe(1);
    expect(more(content.modelTurn, plain.serverContent.modelTurn)).toBe(1);
    expect(more(content.modelTurn.parts[0], plain.serverContent.modelTurn.parts[0])).toBe(1);
    expect(message).toMatchObject(plain);
  });

  it('hold a text before the audio, or no parts at all', () => {
    const text = chunks(asked([{ at: 'turn', fault: 'text-before-audio' }]));
    expect(
      text[0]!.message.serverContent.modelTurn.parts.map((part: object) => Object.keys(part)[0]),
    ).toEqual(['text', 'inlineData']);
    const bare = chunks(asked([{ at: 'turn', fault: 'empty-parts' }]));
    expect(bare.slice(0, 3).map((entry) => entry.message.serverContent.modelTurn)).toEqual([
      {},
      { role: 'model', parts: [] },
      { parts: [{}] },
    ]);
    expect(bare[3]!.message.serverContent.modelTurn.parts[0].inlineData).toBeDefined();
  });

  it.each([
    'doubled-transcripts',
    'merged-fields',
    'unknown-fields',
    'text-before-audio',
    'empty-parts',
    'odd-chunks',
  ] as const)('as %s bring the same audio through a tolerant reader', (fault) => {
    const line = asked([{ at: 'turn', fault }]);
    const heard = line.received.flatMap((entry) => parseServerMessage(entry.message));
    const audio = heard.flatMap((event) => (event.type === 'audio' ? [event.bytes] : []));
    expect(Buffer.concat(audio)).toEqual(ANSWER);
    expect(heard.filter((event) => event.type === 'turn-complete')).toHaveLength(1);
  });
});

describe('an interruption out of nowhere', () => {
  const phantom = (fault: Partial<FaultFile> = {}, at = 'turn') =>
    asked([{ at, fault: 'phantom-interrupted', afterMs: 300, ...fault } as FaultFile], { pace: 1 });
  const interrupted = (line: Line) =>
    line.received.filter((entry) => entry.message.serverContent?.interrupted);

  it('may change nothing: the answer goes on to its end', () => {
    const line = phantom();
    expect(interrupted(line)).toHaveLength(1);
    expect(interrupted(line)[0]!.atMs - chunks(line)[0]!.atMs).toBe(300);
    expect(line.audioBytes()).toEqual(ANSWER);
    expect(completed(line)).toHaveLength(1);
  });

  it('may share its message with audio, which is sent once', () => {
    const line = phantom({ withAudio: true });
    const { message } = interrupted(line)[0]!;
    expect(Object.keys(message.serverContent)).toEqual(['modelTurn', 'interrupted']);
    expect(line.audioBytes()).toEqual(ANSWER);
  });

  it('may be the last that is heard of the answer, and the next utterance is answered', () => {
    const line = phantom({ model: 'stops' });
    expect(completed(line)).toEqual([]);
    expect(line.of('generationComplete')).toEqual([]);
    expect(line.audioBytes().length).toBeLessThan(ANSWER.length);
    expect(line.audioBytes()).toEqual(ANSWER.subarray(0, line.audioBytes().length));
    expect(chunks(line).every((entry) => entry.atMs <= interrupted(line)[0]!.atMs)).toBe(true);
    expect(line.speak(700).silence(6000).text('outputTranscription')).toContain('We are closed.');
  });

  it('may end the answer as a true one does', () => {
    const line = phantom({ model: 'completes' });
    expect(line.kinds()).toEqual(['setupComplete', 'audio', 'interrupted', 'audio', 'turnComplete']);
  });

  it('may come when nobody speaks', () => {
    const line = phantom({ model: 'completes' }, 'second:0.5');
    expect(line.kinds().slice(0, 3)).toEqual(['setupComplete', 'interrupted', 'turnComplete']);
    expect(line.audioBytes()).toEqual(ANSWER);
  });
});

describe('an utterance', () => {
  it('is swallowed, with its transcript or without, and the caller can say it again', () => {
    for (const transcribe of [false, true]) {
      const line = asked([{ at: 'utterance', fault: 'swallow', transcribe }]);
      expect(line.kinds()).toEqual(['setupComplete']);
      expect(line.text('inputTranscription')).toBe(transcribe ? 'What are your hours please?' : '');
      line.speak(700).silence(6000);
      expect(line.text('outputTranscription')).toBe('We open at nine.');
      expect(line.text('inputTranscription')).toBe('What are your hours please?'.repeat(transcribe ? 2 : 1));
      expect(line.record.faults).toHaveLength(1);
    }
  });

  it('is swallowed only when it is short, where that was asked for', () => {
    const faults: FaultFile[] = [{ at: 'utterance', fault: 'swallow', shorterThanMs: 900, times: 'always' }];
    const said = (ms: number) =>
      new Line(faulty(faults)).open('2.5').silence(300).speak(ms).silence(6000).audioBytes().length > 0;
    expect([said(400), said(700), said(1200)]).toEqual([false, false, true]);
  });
});

describe('a tool call', () => {
  const scenario = (faults: FaultFile[]) =>
    makeScenario({
      replies: [
        makeReply({
          text: 'Done.',
          clip: tonePhrase('done', 400),
          calls: [{ name: 'look_up', args: { id: 7 }, when: 'before', followUp: null }],
        }),
      ],
      faults: makeFaults(faults),
    });
  const called = (faults: FaultFile[]) =>
    new Line(scenario(faults))
      .open('2.5', { tools: [{ functionDeclarations: [{ name: 'look_up' }] }] })
      .silence(300)
      .speak(700)
      .silence(2000);
  const callOf = (line: Line) => line.of('toolCall')[0]!.message.toolCall.functionCalls[0];
  const answer = (line: Line) =>
    line.send({ toolResponse: { functionResponses: [{ id: callOf(line).id, response: {} }] } });

  it.each([['no object'], [null], [[]], [{ '': [null] }]])('has %j for arguments', (args) => {
    const line = called([{ at: 'tool', fault: 'malformed-args', args }]);
    expect(callOf(line).args).toEqual(args);
    expect(callOf(line).name).toBe('look_up');
    answer(line).silence(3000);
    expect(line.text('outputTranscription')).toBe('Done.');
  });

  it('is cancelled when it has been answered, and the answer is spoken all the same', () => {
    const line = called([{ at: 'tool', fault: 'late-cancellation' }]);
    expect(line.of('toolCallCancellation')).toEqual([]);
    const answeredAtMs = line.nowMs;
    answer(line).silence(3000);
    expect(line.of('toolCallCancellation')).toEqual([
      { atMs: answeredAtMs + 200, message: { toolCallCancellation: { ids: [callOf(line).id] } } },
    ]);
    expect(line.text('outputTranscription')).toBe('Done.');
  });

  it('does not come any more when the sentence before it is cut', () => {
    const callsAfter = (faults: FaultFile[]) => {
      const reply = scenario([]).replies[0]!;
      const later = { ...reply, calls: [{ ...reply.calls[0]!, when: 'after' as const }] };
      return new Line({ ...scenario(faults), replies: [later] })
        .open('2.5', { tools: [{ functionDeclarations: [{ name: 'look_up' }] }] })
        .silence(300)
        .speak(700)
        .silence(4000)
        .of('toolCall').length;
    };
    expect(callsAfter([])).toBe(1);
    expect(callsAfter([{ at: 'turn', fault: 'cut-sentence', afterMs: 100 }])).toBe(0);
  });

  it('may be when the connection breaks', () => {
    const line = called([{ at: 'tool', fault: 'cut' }]);
    expect(line.of('toolCall')).toHaveLength(1);
    expect(line.closed).toMatchObject({ atMs: line.of('toolCall')[0]!.atMs, code: 1006 });
  });
});
