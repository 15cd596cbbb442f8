import { describe, expect, it } from 'vitest';
import type { BehaviourValues } from '../../../src/gemini/behaviours.ts';
import { chat, Line, setupFor } from './line.ts';

const RESUMABLE = { sessionResumption: {} };
const handles = (line: Line): string[] =>
  line
    .of('sessionResumptionUpdate')
    .map((entry) => entry.message.sessionResumptionUpdate.newHandle)
    .filter((handle) => handle !== undefined);

/** A line that has been through one turn and was closed by its client. */
function finished(behaviours: Partial<BehaviourValues> = {}): Line {
  const line = new Line(chat({}, 600), { behaviours }).open('2.5', RESUMABLE);
  line.silence(300).speak(700).silence(4000);
  return line;
}
const hangUp = (line: Line, clean = true): Line => {
  line.session.disconnected(clean, clean ? 1005 : 1006, line.nowMs);
  return line;
};
const takeUp = (line: Line, handle: string | undefined, waitMs = 0): Line => {
  line.wait(waitMs);
  return new Line(chat(), { after: line }).open('2.5', { sessionResumption: { handle } });
};

describe('handles', () => {
  it('are given out about every second and after a turn, each a new one; none unless asked for', () => {
    const line = finished();
    const given = handles(line);
    expect(new Set(given).size).toBe(given.length);
    expect(given.length).toBeGreaterThanOrEqual(4);
    expect(handles(new Line(chat()).open('2.5').silence(5000))).toEqual([]);
  });

  it.each([
    ['not-resumable', [{ resumable: false }]],
    ['empty', [{}]],
    ['none', []],
  ] as const)('are withheld while the model speaks: %s', (updateWhileGenerating, expected) => {
    const line = finished({ updateWhileGenerating });
    const first = line.of('audio')[0]!.atMs;
    const last = line.of('turnComplete')[0]!.atMs;
    const during = line
      .of('sessionResumptionUpdate')
      .filter((entry) => entry.atMs >= first && entry.atMs <= last)
      .map((entry) => entry.message.sessionResumptionUpdate);
    expect(during.slice(0, 1)).toEqual(expected);
    expect(during.every((update) => update.newHandle === undefined)).toBe(true);
  });

  it.each([true, false])('come while the caller speaks: %s', (updatesWhileCallerSpeaks) => {
    const line = new Line(chat(), { behaviours: { updatesWhileCallerSpeaks } }).open('2.5', RESUMABLE);
    line.silence(300).speak(200);
    const before = handles(line).length;
    line.speak(3000);
    expect(handles(line).length > before).toBe(updatesWhileCallerSpeaks);
  });

  it('bring the conversation back: the next utterance gets the next reply', () => {
    const line = finished();
    const next = takeUp(hangUp(line), handles(line).at(-1));
    expect(next.record.resumed).toBe(true);
    expect(next.record.conversation).toBe(1);
    next.silence(300).speak(700).silence(4000);
    expect(next.text('outputTranscription')).toBe('We are closed.');
  });

  it('of an earlier moment bring back that moment', () => {
    const line = finished();
    const next = takeUp(hangUp(line), handles(line)[0]);
    next.silence(300).speak(700).silence(4000);
    expect(next.text('outputTranscription')).toBe('We open at nine.');
  });

  it.each([
    ['all', [true, true, true]],
    ['last-two', [true, true, false]],
    ['newest', [true, false, false]],
  ] as const)('are taken: %s', (earlierHandlesUsable, expected) => {
    const taken = [-1, -2, -3].map((index) => {
      const line = finished({ earlierHandlesUsable });
      return takeUp(hangUp(line), handles(line).at(index)).closed === null;
    });
    expect(taken).toEqual(expected);
  });

  it.each([600_000, 7_200_000] as const)('expire %d ms after their connection', (handleLifetimeMs) => {
    const early = finished({ handleLifetimeMs });
    expect(takeUp(hangUp(early), handles(early).at(-1), handleLifetimeMs - 1000).closed).toBeNull();
    const late = finished({ handleLifetimeMs });
    expect(takeUp(hangUp(late), handles(late).at(-1), handleLifetimeMs + 1000).closed?.code).toBe(1008);
  });

  it.each([
    ['1008-session', 1008, 'BidiGenerateContent session not found'],
    ['1008-entity', 1008, 'Requested entity was not found.'],
    ['1007-handle', 1007, 'Invalid session handle'],
  ] as const)('that are unknown are refused: %s', (notFoundCode, code, reason) => {
    const line = new Line(chat(), { behaviours: { notFoundCode } });
    line.open('2.5', { sessionResumption: { handle: 'never-heard-of' } });
    expect(line.closed).toMatchObject({ code, reason });
    expect(line.of('setupComplete')).toHaveLength(0);
  });

  it('are refused with 1011 while the old connection is open, or let in', () => {
    const line = finished();
    expect(takeUp(line, handles(line).at(-1)).closed?.code).toBe(1011);
    const open = finished({ oldSocketOpenRefused: false });
    expect(takeUp(open, handles(open).at(-1)).closed).toBeNull();
  });

  it('are refused for a while after a cut, and at once taken after a close', () => {
    const cut = hangUp(finished({ oldSocketGraceMs: 2000 }), false);
    expect(takeUp(cut, handles(cut).at(-1), 1900).closed?.code).toBe(1011);
    const waited = hangUp(finished({ oldSocketGraceMs: 2000 }), false);
    expect(takeUp(waited, handles(waited).at(-1), 2000).closed).toBeNull();
    const closed = hangUp(finished({ oldSocketGraceMs: 2000 }));
    expect(takeUp(closed, handles(closed).at(-1)).closed).toBeNull();
  });

  it.each([true, false])('hold an utterance that was open: %s', (handleHoldsOpenUtterance) => {
    const line = new Line(chat(), { behaviours: { handleHoldsOpenUtterance } }).open('2.5', RESUMABLE);
    line.silence(300).speak(2500);
    const next = takeUp(hangUp(line), handles(line).at(-1)).silence(3000);
    expect(next.of('audio').length > 0).toBe(handleHoldsOpenUtterance);
  });

  it.each([true, false])('bring audio that was not delivered: %s', (resumeReplaysUndelivered) => {
    const line = new Line(chat({ pace: 1 }, 5000), { behaviours: { resumeReplaysUndelivered } });
    line.open('2.5', RESUMABLE).silence(300).speak(700).silence(3000);
    const delivered = line.audioBytes().length;
    const next = takeUp(hangUp(line), handles(line).at(-1)).silence(6000);
    expect(next.audioBytes().length).toBe(resumeReplaysUndelivered ? 240_000 - delivered : 0);
  });
});

describe('a connection', () => {
  const open = (behaviours: Partial<BehaviourValues>) =>
    new Line(chat(), { behaviours }).open('2.5', RESUMABLE);

  it.each([
    ['50s', 540_000, { timeLeft: '50s' }],
    ['60s', 530_000, { timeLeft: '60s' }],
    ['10s', 580_000, { timeLeft: '10s' }],
    ['17.250s', 572_750, { timeLeft: '17.25s' }],
    ['no-time-left', 540_000, {}],
  ] as const)('says goAway %s before its end', (goAwayLead, atMs, message) => {
    const line = open({ goAwayLead }).wait(600_000);
    expect(line.of('goAway')).toEqual([{ atMs, message: { goAway: message } }]);
    expect(line.closed).toMatchObject({ atMs: 590_000, code: 1011 });
  });

  it('may say 300 s at its start, and keeps to that', () => {
    const line = open({ goAwayLead: '300s-at-start' }).wait(600_000);
    expect(line.of('goAway')).toEqual([{ atMs: 1000, message: { goAway: { timeLeft: '300s' } } }]);
    expect(line.closed?.atMs).toBe(301_000);
  });

  it('may end without a word', () => {
    const line = open({ goAwayLead: 'none' }).wait(600_000);
    expect(line.of('goAway')).toHaveLength(0);
    expect(line.closed?.atMs).toBe(590_000);
  });

  it.each([
    ['1011-deadline', 1011, 'Deadline expired before operation could complete.'],
    ['1008-aborted', 1008, 'The operation was aborted.'],
    ['1006-cut', 1006, ''],
  ] as const)('ends as %s', (connectionEndClose, code, reason) => {
    expect(open({ connectionEndClose }).wait(600_000).closed).toMatchObject({ code, reason });
  });

  it('may fall silent after goAway', () => {
    const line = open({ silentAfterGoAway: true }).wait(589_000);
    const spoken = line.received.length;
    expect(line.received.at(-1)!.message).toHaveProperty('goAway');
    line.send({ realtimeInput: { text: 'hello?' } }).wait(900);
    expect(line.received.length).toBe(spoken);
  });

  it.each([1007, 1008, 1011] as const)(
    'ends with %d when a session without compression had its time',
    (code) => {
      const scenario = chat({ connectionMs: 1_000_000 });
      const line = new Line(scenario, { behaviours: { fifteenMinuteCapCode: code } }).open('2.5');
      expect(line.wait(899_000).closed).toBeNull();
      expect(line.wait(2000).closed?.code).toBe(code);
      const compressed = new Line(scenario).open('2.5', { contextWindowCompression: { slidingWindow: {} } });
      expect(compressed.wait(950_000).closed).toBeNull();
    },
  );

  it('counts tokens, and compresses what was asked to be compressed', () => {
    const compression = {
      contextWindowCompression: { triggerTokens: 400, slidingWindow: { targetTokens: 100 } },
    };
    const prompts = (compressionWorks: boolean) => {
      const line = new Line(chat({}, 600), { behaviours: { compressionWorks } }).open('2.5', compression);
      for (let n = 0; n < 6; n++) line.silence(300).speak(700).silence(4000);
      return line.of('turnComplete').map((entry) => entry.message.usageMetadata.promptTokenCount);
    };
    const growing = prompts(false);
    expect(growing).toEqual([...growing].sort((a, b) => a - b));
    expect(growing.at(-1)).toBeGreaterThan(600);
    // One round is five seconds of audio, 125 tokens, and the answer's 15.
    expect(Math.max(...prompts(true))).toBeLessThan(400 + 150);
  });

  it('leaves nothing to do behind', () => {
    const line = open({}).silence(300).speak(700).silence(1200);
    line.session.disconnected(true, 1000, line.nowMs);
    expect(line.session.nextDueMs).toBeNull();
    expect(line.record.closed).toMatchObject({ by: 'client', code: 1000 });
  });
});

it('on Vertex the path and the model have other names, and transparent is taken', () => {
  const setup = setupFor('2.5', { sessionResumption: { transparent: true } });
  setup.setup.model = 'publishers/google/models/gemini-live-2.5-flash-native-audio';
  const line = new Line(chat(), { vertex: true }).send(setup).wait(300);
  expect(line.of('setupComplete')).toHaveLength(1);
});
