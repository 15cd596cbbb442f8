import { describe, expect, it } from 'vitest';
import type { BehaviourValues } from '../../../../src/gemini/behaviours.ts';
import { Conversation } from '../../../../src/lab/emulator/conversation.ts';
import { type FaultFile, makeFaults } from '../../../../src/lab/emulator/faults/catalogue.ts';
import type { Scenario } from '../../../../src/lab/scenario.ts';
import { chat, Line, setupFor } from '../line.ts';

const RESUMABLE = { sessionResumption: {} };
const faulty = (faults: FaultFile[]): Scenario => ({ ...chat({}, 600), faults: makeFaults(faults) });
const handles = (line: Line) =>
  line
    .of('sessionResumptionUpdate')
    .map((entry) => ({ atMs: entry.atMs, handle: entry.message.sessionResumptionUpdate.newHandle as string }))
    .filter((entry) => entry.handle !== undefined);
const resume = (line: Line, handle = handles(line).at(-1)!.handle) => {
  line.session.disconnected(true, 1000, line.nowMs);
  return new Line(chat(), { after: line }).open('2.5', { sessionResumption: { handle } });
};
/** What had come when, at that instant, the service acted: frames of the very instant come after it. */
const samplesBefore = (line: Line, atMs: number): number =>
  line.record.arrivals
    .filter((arrival) => arrival.atMs < atMs)
    .reduce((sum, arrival) => sum + arrival.samples, 0);
const ask = (line: Line) => line.silence(300).speak(700).silence(4000);
const words = (line: Line) =>
  line.service.conversation(line.record.conversation!)!.history.map((entry) => `${entry.who}: ${entry.text}`);

describe('a resumption', () => {
  it('poisoned transcribes, and never speaks again, however often it is resumed', () => {
    const line = ask(new Line(faulty([{ at: 'resume', fault: 'poisoned' }])).open('2.5', RESUMABLE));
    expect(line.text('outputTranscription')).toBe('We open at nine.');
    let next = line;
    for (let n = 0; n < 2; n++) {
      next = ask(resume(next))
        .send({ realtimeInput: { text: 'hello?' } })
        .silence(4000);
      expect(next.text('inputTranscription')).toBe('And on Sunday?');
      expect(next.audioBytes()).toHaveLength(0);
      expect(next.kinds()).toEqual(['setupComplete']);
    }
    expect(next.record.resumed).toBe(true);
    next.session.disconnected(true, 1000, next.nowMs);
    const fresh = ask(new Line(chat(), { after: next }).open('2.5'));
    expect(fresh.audioBytes().length).toBeGreaterThan(0);
  });

  it('that forgets begins the conversation anew', () => {
    const line = ask(new Line(faulty([{ at: 'resume', fault: 'forgotten' }])).open('2.5', RESUMABLE));
    const next = ask(resume(line));
    expect(next.record.resumed).toBe(true);
    expect(next.text('outputTranscription')).toBe('We open at nine.');
    expect(words(next)).toEqual(['caller: What are your hours please?', 'model: We open at nine.']);
    expect(next.record.faults.map(({ at, fault }) => [at, fault])).toEqual([['resume', 'forgotten']]);
  });

  it('is struck by its number', () => {
    const line = ask(new Line(faulty([{ at: 'resume:2', fault: 'forgotten' }])).open('2.5', RESUMABLE));
    const second = ask(resume(line));
    expect(second.text('outputTranscription')).toBe('We are closed.');
    expect(ask(resume(second)).text('outputTranscription')).toBe('We open at nine.');
  });
});

describe('what a conversation knows', () => {
  it('goes back to the moment of the handle, and what comes then is put behind it', () => {
    const line = ask(new Line(chat({}, 600)).open('2.5', RESUMABLE));
    const checkpoint = handles(line).at(-1)!;
    line.send({ realtimeInput: { text: 'note' } });
    expect(words(line).at(-1)).toBe('client: note');
    line.silence(100);
    const next = ask(resume(line, checkpoint.handle));
    expect(words(next)).toEqual([
      'caller: What are your hours please?',
      'model: We open at nine.',
      'caller: And on Sunday?',
      'model: We are closed.',
    ]);
  });

  it('holds exactly the audio up to the handle and all of the new connection', () => {
    const line = new Line(chat()).open('2.5', RESUMABLE).silence(1500);
    const checkpoint = handles(line)[0]!;
    const before = samplesBefore(line, checkpoint.atMs);
    const next = resume(line, checkpoint.handle).silence(500).speak(700);
    const known = next.service.heardBy(next.record.conversation!);
    const old = line.record.audio.toSamples();
    expect(before).toBeGreaterThan(0);
    expect(before).toBeLessThan(old.length);
    const expected = [...old.subarray(0, before), ...next.record.audio.toSamples()];
    expect(Buffer.from(known.buffer).equals(Buffer.from(Int16Array.from(expected).buffer))).toBe(true);
  });

  it.each([false, true])(
    'ends before an open utterance unless handles hold it: %s',
    (handleHoldsOpenUtterance) => {
      const behaviours: Partial<BehaviourValues> = { handleHoldsOpenUtterance };
      const line = new Line(chat(), { behaviours }).open('2.5', RESUMABLE).silence(1000).speak(2000);
      const checkpoint = handles(line).at(-1)!;
      const onset = line.record.speech[0]!.atMs;
      expect(checkpoint.atMs).toBeGreaterThan(onset + 500);
      const next = resume(line, checkpoint.handle);
      const knownMs = next.service.heardBy(next.record.conversation!).length / 16;
      // A frame that comes at the onset's instant was spoken before it.
      const untilMs = handleHoldsOpenUtterance ? checkpoint.atMs : onset + 1;
      expect(knownMs).toBe(samplesBefore(line, untilMs) / 16);
    },
  );

  it('can go back again and again, also behind where it has been', () => {
    const line = new Line(chat()).open('2.5', RESUMABLE).silence(4000);
    const [first, second] = handles(line);
    const later = resume(line, second!.handle).silence(2000);
    const again = resume(later, first!.handle).silence(1000);
    expect(again.service.heardBy(1).length).toBe(samplesBefore(line, first!.atMs) + 1000 * 16);
  });

  it('is bounded', () => {
    const conversation = new Conversation(1);
    for (let n = 0; n < 30_000; n++) {
      conversation.note({ atMs: n, session: 1, who: 'client', text: '' });
      conversation.hear(n, 0, 1);
    }
    expect(conversation.history.length).toBe(10_000);
    expect(conversation.heard.length).toBe(10_000);
  });
});

describe('the limits of a session', () => {
  it('fifteen minutes count over all connections of a conversation', () => {
    let line = new Line(chat({ connectionMs: 590_000 })).open('2.5', RESUMABLE);
    line.wait(580_000);
    line = resume(line).wait(310_000);
    // 580 and 310 seconds and the two set-ups: ten are left.
    expect(line.closed).toBeNull();
    expect(line.wait(11_000).closed).toMatchObject({ code: 1011 });
    const late = new Line(chat(), { after: line }).open('2.5', {
      sessionResumption: { handle: handles(line).at(-1)!.handle },
    });
    expect(late.wait(1000).closed).toMatchObject({ code: 1011 });
  });

  it('compression makes the next answer late, once, and the prompt small', () => {
    const compression = {
      contextWindowCompression: { triggerTokens: 100, slidingWindow: { targetTokens: 40 } },
    };
    const delays = (extra: object) => {
      const line = new Line(chat({}, 600)).open('2.5', extra);
      const found: number[] = [];
      for (let n = 0; n < 2; n++) {
        const from = line.received.length;
        ask(line);
        const end = line.record.speech.at(-1)!.atMs;
        found.push(
          line.received.slice(from).find((entry) => entry.message.serverContent?.modelTurn)!.atMs - end,
        );
      }
      return found;
    };
    expect(delays({})).toEqual([700, 700]);
    expect(delays(compression)).toEqual([700, 1200]);
  });

  it('a context that overflows ends the connection with 1007', () => {
    const behaviours = { interruptionOfTextTrigger: false };
    const line = new Line(chat({}, 600), { behaviours }).open('2.5', {
      historyConfig: { initialHistoryInClientContent: true },
    });
    const turn = { role: 'user', parts: [{ text: 'x'.repeat(540_000) }] };
    line.send({ clientContent: { turns: [turn], turnComplete: true } });
    line.silence(300).speak(700).silence(1600);
    // Waits for the end of the answer, and must not be begun after the end of all.
    line.send({ realtimeInput: { text: 'and?' } }).silence(3000);
    expect(line.closed).toMatchObject({ code: 1007 });
    expect(line.record.refusals[0]!.detail).toContain('context window');
    expect(line.session.nextDueMs).toBeNull();
    expect(line.afterTheEnd).toEqual([]);
    const fits = new Line(chat({}, 600)).open('2.5', {
      historyConfig: { initialHistoryInClientContent: true },
    });
    fits.send({
      clientContent: {
        turns: [{ role: 'user', parts: [{ text: 'x'.repeat(500_000) }] }],
        turnComplete: true,
      },
    });
    expect(ask(fits).closed).toBeNull();
  });

  it('a setup that was refused is no session, and leaves the handle as it was', () => {
    const line = ask(new Line(chat({}, 600)).open('2.5', RESUMABLE));
    const { handle } = handles(line).at(-1)!;
    const setup = setupFor('2.5', { sessionResumption: { handle } });
    setup.setup.generationConfig.temperatur = 1;
    line.session.disconnected(true, 1000, line.nowMs);
    const refused = new Line(chat(), { after: line }).send(setup);
    expect(refused.closed?.code).toBe(1007);
    const next = new Line(chat(), { after: refused }).open('2.5', { sessionResumption: { handle } });
    expect(ask(next).text('outputTranscription')).toBe('We are closed.');
  });
});
