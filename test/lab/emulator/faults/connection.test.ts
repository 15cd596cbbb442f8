import { describe, expect, it } from 'vitest';
import { classifyClose } from '../../../../src/gemini/closes.ts';
import type { CloseClass } from '../../../../src/gemini/live-session.ts';
import { type FaultFile, makeFaults } from '../../../../src/lab/emulator/faults/catalogue.ts';
import { CLOSE_NAMES, CLOSE_ROWS, type CloseName } from '../../../../src/lab/emulator/faults/close-rows.ts';
import { cutReason } from '../../../../src/lab/emulator/wire.ts';
import type { Scenario } from '../../../../src/lab/scenario.ts';
import { audioMessage, chat, Line, setupFor, voice } from '../line.ts';

const RESUMABLE = { sessionResumption: {} };
const faulty = (...faults: FaultFile[]): Scenario => ({ ...chat({}, 2000), faults: makeFaults(faults) });
const struck = (line: Line) => line.record.faults.map(({ atMs, at, fault }) => ({ atMs, at, fault }));
const refusalOf = (line: Line) => line.socket.map((entry) => entry.output)[0];
const handleOf = (line: Line): string =>
  line.of('sessionResumptionUpdate').findLast((entry) => entry.message.sessionResumptionUpdate.newHandle)!
    .message.sessionResumptionUpdate.newHandle;
/** Hangs up and takes the session up again. */
const resumed = (line: Line, scenario: Scenario = chat()) => {
  const handle = handleOf(line);
  line.session.disconnected(true, 1000, line.nowMs);
  return new Line(scenario, { after: line }).open('2.5', { sessionResumption: { handle } });
};

describe('an upgrade', () => {
  it.each([409, 429, 503])('is refused with %d, and the one after it let in', (status) => {
    const line = new Line(faulty({ at: 'connect', fault: 'refuse', status }));
    expect(line.socket).toEqual([{ atMs: 0, output: { refuse: status } }]);
    expect(line.session.closed).toBe(true);
    expect(line.session.nextDueMs).toBeNull();
    expect(line.send(setupFor()).wait(60_000).received).toEqual([]);
    expect(line.record).toMatchObject({
      closed: { by: 'server', code: status },
      faults: [{ atMs: 0, at: 'connect', fault: 'refuse', params: { status } }],
    });
    expect(new Line(chat(), { after: line }).open().of('setupComplete')).toHaveLength(1);
  });

  it('is refused by its number, and as many after it as were asked for', () => {
    let line = new Line(faulty({ at: 'connect:2', fault: 'refuse', times: 3 }));
    const refused = [refusalOf(line)];
    for (let n = 2; n <= 6; n++) {
      line = new Line(chat(), { after: line });
      refused.push(refusalOf(line));
    }
    const no = { refuse: 503 };
    expect(refused).toEqual([undefined, no, no, no, undefined, undefined]);
  });

  it('is refused by chance, in the given share', () => {
    const scenario = faulty({ at: 'connect', fault: 'refuse', times: 'always', share: 0.3 });
    let line = new Line(scenario);
    let refused = 0;
    for (let n = 0; n < 1000; n++) {
      if (refusalOf(line) !== undefined) refused++;
      line.session.disconnected(true, 1000, line.nowMs);
      line = new Line(scenario, { after: line });
    }
    // 300 expected; four standard deviations of a binomial with p = 0.3 are 58.
    expect(refused).toBeGreaterThan(242);
    expect(refused).toBeLessThan(358);
  });

  it('is refused within a window of time', () => {
    const scenario = faulty({ at: 'second:20', fault: 'refuse', status: 429, forMs: 5000 });
    let line = new Line(scenario);
    const refusedAt: number[] = [];
    for (let second = 1; second < 30; second++) {
      line = new Line(scenario, { after: line.wait(1000) });
      if (refusalOf(line) !== undefined) refusedAt.push(second);
    }
    expect(refusedAt).toEqual([20, 21, 22, 23, 24]);
  });
});

describe('quotas', () => {
  const QUOTA = { code: 1011, reason: expect.stringMatching(/^You exceeded your current quota/) };

  it('hold so many sessions at once; one that has ended makes room', () => {
    const first = new Line(chat({ maxSessions: 2 })).open();
    const second = new Line(chat(), { after: first }).open();
    const third = new Line(chat(), { after: second }).open();
    expect(third.closed).toMatchObject(QUOTA);
    expect(third.of('setupComplete')).toHaveLength(0);
    expect(third.record.refusals[0]!.detail).toContain('"2"');
    first.session.disconnected(true, 1000, third.nowMs);
    const fourth = new Line(chat(), { after: third }).open();
    expect(fourth.closed).toBeNull();
    expect(second.closed).toBeNull();
  });

  it('let in so many sessions within any minute', () => {
    const letIn: number[] = [];
    let line = new Line(chat({ connectsPerMinute: 3 }));
    for (let second = 0; second < 130; second += 10) {
      line.open();
      if (line.closed === null) letIn.push(second);
      else expect(line.closed).toMatchObject(QUOTA);
      line.session.disconnected(true, 1000, line.nowMs);
      line = new Line(chat(), { after: line.wait(9700) });
    }
    expect(letIn).toEqual([0, 10, 20, 60, 70, 80, 120]);
  });
});

describe('setup', () => {
  it('may never complete', () => {
    const line = new Line(faulty({ at: 'setup', fault: 'never-complete' })).open('2.5');
    expect(line.wait(3_600_000).received).toEqual([]);
    expect(line.closed).toBeNull();
    expect(struck(line)).toEqual([{ atMs: 0, at: 'setup', fault: 'never-complete' }]);
  });

  it('may be slow', () => {
    const line = new Line(faulty({ at: 'setup', fault: 'slow-setup', delayMs: 12_000 })).open('2.5');
    expect(line.wait(20_000).of('setupComplete')[0]!.atMs).toBe(12_200);
  });

  it('may hang for a resumption alone', () => {
    const line = new Line(faulty({ at: 'resume', fault: 'never-complete' })).open('2.5', RESUMABLE);
    expect(line.wait(2000).of('setupComplete')).toHaveLength(1);
    expect(resumed(line).wait(60_000).of('setupComplete')).toHaveLength(0);
  });
});

/** What the gateway should make of each, written down from the list of failures and not from the code. */
const MEANING: Record<CloseName, CloseClass> = {
  'invalid-argument': 'config',
  'unknown-field': 'config',
  'key-not-valid': 'auth',
  'key-expired': 'auth',
  'handle-invalid': 'handle-refused',
  'media-chunks': 'config',
  'user-location': 'config',
  'thinking-level': 'config',
  'content-type': 'config',
  scheduling: 'config',
  'model-not-found': 'config',
  'not-implemented': 'aborted',
  'session-not-found': 'handle-refused',
  'entity-not-found': 'handle-refused',
  aborted: 'aborted',
  'key-leaked': 'auth',
  unregistered: 'auth',
  internal: 'overload',
  unavailable: 'overload',
  deadline: 'deadline',
  quota: 'quota',
};

describe('a close', () => {
  const stages = {
    connect: { line: (line: Line) => line, atMs: 0 },
    setup: { line: (line: Line) => line.open(), atMs: 0 },
    'second:1': { line: (line: Line) => line.open().silence(3000), atMs: 1000 },
    utterance: { line: (line: Line) => line.open().silence(300).speak(2000), atMs: null },
    turn: { line: (line: Line) => line.open().silence(300).speak(700).silence(3000), atMs: null },
  } as const;

  it.each(
    CLOSE_NAMES.flatMap((close) =>
      (Object.keys(stages) as (keyof typeof stages)[]).map((at) => [close, at] as const),
    ),
  )('%s can come at %s', (close, at) => {
    const stage = stages[at];
    const line = stage.line(new Line(faulty({ at, fault: 'close', close })));
    const { code, reason } = CLOSE_ROWS[close];
    expect(line.closed).toMatchObject({ code, reason });
    if (stage.atMs !== null) expect(line.closed!.atMs).toBe(stage.atMs);
    expect(struck(line)).toEqual([{ atMs: line.closed!.atMs, at, fault: 'close' }]);
    expect(line.session.nextDueMs).toBeNull();
    expect(line.record.closed).toMatchObject({ by: 'server', code });
  });

  it.each(CLOSE_NAMES)('%s reads as what it means, also cut to what a close frame holds', (close) => {
    const { code, reason } = CLOSE_ROWS[close];
    const cut = cutReason(reason);
    expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(123);
    expect(reason.startsWith(cut)).toBe(true);
    expect(classifyClose(code, cut)).toBe(MEANING[close]);
  });

  it('the longest of them do not fit, and are really cut', () => {
    expect(
      CLOSE_NAMES.filter((name) => cutReason(CLOSE_ROWS[name].reason) !== CLOSE_ROWS[name].reason),
    ).toEqual(['model-not-found', 'unregistered', 'quota']);
  });

  it('can have any code and text', () => {
    const close = { code: 1013, reason: 'try again' };
    expect(new Line(faulty({ at: 'setup', fault: 'close', close })).open().closed).toMatchObject(close);
  });

  it('comes so long after its moment as was asked for', () => {
    const line = new Line(faulty({ at: 'utterance', fault: 'close', close: 'aborted', afterMs: 700 })).open();
    line.silence(300).speak(2000);
    const noticed = line.record.faults[0]!.atMs;
    const start = line.record.speech[0]!.atMs;
    // Speech is recognised a little after it began, and within a frame of 20 ms.
    expect(noticed - start).toBeGreaterThanOrEqual(700);
    expect(noticed - start).toBeLessThan(1000);
  });

  it('at a turn comes in the midst of it, and the handle from before leads back', () => {
    const line = new Line(faulty({ at: 'turn', fault: 'close', close: 'aborted', afterMs: 400 })).open(
      '2.5',
      RESUMABLE,
    );
    line.silence(300).speak(700).silence(4000);
    expect(line.closed!.atMs - line.of('audio')[0]!.atMs).toBe(400);
    expect(line.of('generationComplete')).toHaveLength(0);
    expect(resumed(line).silence(300).speak(700).silence(4000).text('outputTranscription')).toBe(
      'We open at nine.',
    );
  });
});

describe('a cut', () => {
  it('ends without a close, and is over', () => {
    const line = new Line(faulty({ at: 'second:2', fault: 'cut' })).open().wait(10_000);
    expect(line.closed).toMatchObject({ atMs: 2000, code: 1006 });
  });

  it('at a second when nobody is connected strikes nobody', () => {
    const scenario = faulty({ at: 'second:2', fault: 'cut' });
    const line = new Line(scenario).open();
    line.session.disconnected(true, 1000, line.nowMs);
    const next = new Line(scenario, { after: line.wait(5000) }).open().wait(30_000);
    expect(next.closed).toBeNull();
    expect(next.record.faults).toEqual([]);
  });

  it('strikes one of two connections, not both', () => {
    const scenario = faulty({ at: 'second:2', fault: 'cut' });
    const first = new Line(scenario).open();
    const second = new Line(scenario, { after: first }).open();
    first.wait(5000);
    second.wait(5000);
    expect([first.closed?.code, second.closed?.code]).toEqual([1006, undefined]);
  });
});

describe('a connection that is half open', () => {
  it('neither says nor hears anything, and is never closed', () => {
    const line = new Line(faulty({ at: 'second:3', fault: 'half-open' }))
      .open('2.5', RESUMABLE)
      .silence(2600);
    const before = line.received.length;
    line.silence(300).speak(700).silence(60_000);
    expect(line.received.slice(before).filter((entry) => entry.atMs > 3000)).toEqual([]);
    expect(line.closed).toBeNull();
    expect(line.socket).toEqual([{ atMs: 3000, output: { freeze: 'both', forever: true } }]);
    expect(line.session.nextDueMs).toBeNull();
    expect(line.record.speech).toEqual([]);
  });

  it('is taken for open for the grace of a cut, and can then be resumed from elsewhere', () => {
    const scenario = faulty({ at: 'second:3', fault: 'half-open' });
    const resume = (afterMs: number) => {
      const line = new Line(scenario, { behaviours: { oldSocketGraceMs: 2000 } }).open('2.5', RESUMABLE);
      const handle = handleOf(line.wait(2700));
      line.wait(afterMs);
      return new Line(scenario, { after: line }).open('2.5', { sessionResumption: { handle } });
    };
    // Three seconds in it froze.
    expect(resume(1900).closed).toMatchObject({ code: 1011 });
    expect(resume(2100).closed).toBeNull();
  });
});

describe('a connection that stands still', () => {
  it('holds back what it says and hears, and lets it all through at once', () => {
    const scenario = faulty({ at: 'second:3.5', fault: 'freeze', forMs: 10_000 });
    const line = new Line(scenario).open('2.5').silence(1200).speak(700).silence(14_000);
    const still = new Line(chat({}, 2000)).open('2.5').silence(1200).speak(700).silence(14_000);
    const times = line.received.map((entry) => entry.atMs).filter((atMs) => atMs > 3500);
    expect(times[0]).toBe(13_500);
    expect(times.filter((atMs) => atMs === 13_500).length).toBeGreaterThan(3);
    expect(line.audioBytes()).toEqual(still.audioBytes());
    expect(line.record.audio.toSamples()).toEqual(still.record.audio.toSamples());
    expect(line.socket.map((entry) => [entry.atMs, entry.output])).toEqual([
      [3500, { freeze: 'both', forever: false }],
      [13_500, { thaw: true }],
    ]);
  });

  it('may stop reading alone: it talks on, and hears late what was said', () => {
    const scenario = faulty({ at: 'second:0.7', fault: 'stop-reading', forMs: 6000 });
    const line = new Line(scenario).open('2.5', RESUMABLE).silence(500).speak(700).silence(5000);
    expect(line.record.speech).toEqual([]);
    expect(line.of('sessionResumptionUpdate').filter((entry) => entry.atMs > 1000).length).toBeGreaterThan(3);
    line.silence(2000);
    expect(line.record.speech.map((entry) => entry.kind)).toEqual(['start', 'end']);
    expect(line.record.audio.length).toBe(8200 * 16);
  });

  it('is over when two of them that overlap are over', () => {
    const line = new Line(
      faulty(
        { at: 'second:1', fault: 'freeze', forMs: 2000 },
        { at: 'second:2', fault: 'freeze', forMs: 5000 },
      ),
    ).open('2.5', RESUMABLE);
    line.wait(20_000);
    expect(line.socket.map((entry) => entry.atMs)).toEqual([1000, 7000]);
  });

  it('loses a client that sends on and on', () => {
    const line = new Line(faulty({ at: 'second:1', fault: 'stop-reading', forMs: 60_000 })).open().wait(1000);
    const megabyte = `{"realtimeInput":{"text":"${'x'.repeat(1_000_000)}"}}`;
    let sent = 0;
    while (line.closed === null && sent < 20) {
      line.sendRaw(megabyte);
      sent++;
    }
    expect(line.closed?.code).toBe(1006);
    expect(sent).toBe(9);
  });

  it('has its end held back no longer than it comes', () => {
    const line = new Line(
      faulty(
        { at: 'second:1', fault: 'freeze', forMs: 60_000 },
        { at: 'second:5', fault: 'close', close: 'internal' },
      ),
    ).open('2.5', RESUMABLE);
    line.wait(10_000);
    expect(line.closed).toMatchObject({ atMs: 5000, code: 1011 });
    expect(line.of('sessionResumptionUpdate').filter((entry) => entry.atMs === 5000).length).toBeGreaterThan(
      3,
    );
  });
});

describe('messages out of place', () => {
  it('a frame that is no JSON, before setup or amid the call', () => {
    const line = new Line(
      faulty(
        { at: 'connect', fault: 'not-json', text: 'oops' },
        { at: 'second:2', fault: 'not-json', text: '{"serverContent":' },
      ),
    ).open();
    line.wait(3000);
    expect(line.socket).toEqual([
      { atMs: 0, output: { sendRaw: 'oops' } },
      { atMs: 2000, output: { sendRaw: '{"serverContent":' } },
    ]);
    expect(line.closed).toBeNull();
  });

  it('a message that nobody has heard of', () => {
    const line = new Line(faulty({ at: 'second:2', fault: 'unknown-message' })).open().wait(3000);
    const known = ['setupComplete', 'serverContent', 'sessionResumptionUpdate', 'toolCall', 'goAway'];
    const unknown = line.received.filter((entry) => !known.includes(Object.keys(entry.message)[0]!));
    expect(unknown).toHaveLength(1);
    expect(line.record.sent.map((sent) => sent.kind)).toContain(Object.keys(unknown[0]!.message)[0]);
  });

  it('a goAway of its own, which is kept', () => {
    const scenario = faulty({ at: 'second:4', fault: 'go-away', timeLeftMs: 7500 });
    const line = new Line(scenario, { behaviours: { connectionEndClose: '1008-aborted' } }).open();
    line.wait(60_000);
    expect(line.of('goAway')).toEqual([{ atMs: 4000, message: { goAway: { timeLeft: '7.5s' } } }]);
    expect(line.closed).toMatchObject({ atMs: 11_500, code: 1008 });
  });

  it('pongs are to be late from then on', () => {
    const line = new Line(faulty({ at: 'second:1', fault: 'late-pongs' })).open().wait(2000);
    expect(line.socket).toEqual([{ atMs: 1000, output: { pongDelayMs: 30_000 } }]);
  });
});

describe('what is counted', () => {
  it('goes on over connections, and over conversations', () => {
    const scenario = faulty({ at: 'setup:3', fault: 'close', close: 'internal' });
    const first = new Line(scenario).open('2.5', RESUMABLE).wait(2000);
    const second = resumed(first, scenario);
    second.session.disconnected(true, 1000, second.nowMs);
    const third = new Line(scenario, { after: second }).open();
    expect([first, second, third].map((line) => line.closed?.code)).toEqual([undefined, undefined, 1011]);
  });

  it('begins anew when nobody was connected for more than a minute', () => {
    const scenario = faulty({ at: 'connect', fault: 'refuse' });
    const first = new Line(scenario);
    const soon = new Line(scenario, { after: first.wait(59_000) });
    soon.session.disconnected(true, 1000, soon.nowMs);
    const later = new Line(scenario, { after: soon.wait(61_000) });
    expect([first, soon, later].map(refusalOf)).toEqual([{ refuse: 503 }, undefined, { refuse: 503 }]);
  });
});

it('a scenario for the next conversation stays with it over its resumptions, and is not given to another', () => {
  const usual = new Line(chat({ setupDelayMs: 50 })).open('2.5', RESUMABLE);
  usual.service.setNextScenario(chat({ setupDelayMs: 900 }));
  const other = resumed(usual.wait(2000));
  const next = new Line(chat(), { after: other }).open('2.5', RESUMABLE).wait(3000);
  const again = resumed(next).wait(1000);
  const after = new Line(chat(), { after: again }).open().wait(1000);
  const delays = [other, next, again, after].map(
    (line) => line.of('setupComplete')[0]!.atMs - line.record.openedAtMs,
  );
  expect(delays).toEqual([50, 900, 900, 50]);
});

it('nothing that a client sends after any fault throws or brings another end', () => {
  const sudden: FaultFile[] = [
    { at: 'second:1', fault: 'half-open' },
    { at: 'second:1', fault: 'freeze', forMs: 500 },
    { at: 'second:1', fault: 'cut' },
    { at: 'second:1', fault: 'close', close: 'deadline' },
    { at: 'second:1', fault: 'phantom-interrupted', model: 'stops' },
    { at: 'connect', fault: 'refuse' },
  ];
  for (const fault of sudden) {
    const line = new Line(faulty(fault)).open().wait(800);
    const ended = line.closed;
    for (const frame of ['', 'x', '{}', JSON.stringify(setupFor()), JSON.stringify(audioMessage(voice(0)))]) {
      line.sendRaw(frame).wait(10);
    }
    line.wait(2000);
    if (ended !== null) expect(line.closed).toEqual(ended);
    expect(line.afterTheEnd).toEqual([]);
  }
});
