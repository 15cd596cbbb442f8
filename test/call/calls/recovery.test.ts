import { describe, expect, it } from 'vitest';
import { interruption, noise, payloadOf, positionsIn, question } from '../../support/call-audio.ts';
import { CallBench } from '../../support/call-bench.ts';
import type { SimulatedCarrier } from '../../support/call-carrier.ts';
import { fails, ready } from '../../support/call-live.ts';
import { exchange, giveHandle, SlowTool } from '../../support/call-talk.ts';
import {
  expectHeardFromOnset,
  expectNothingLostOrDoubled,
  onsetFrame,
  spokenBy,
} from '../../support/call-uplink.ts';

const positionsOf = (source: Int16Array, carrier: SimulatedCarrier): number[] =>
  [...positionsIn(payloadOf(source), carrier.heard())].filter((at) => at >= 0);

/** Every sample of it was heard once, in order. */
function expectHeardOnce(source: Int16Array, carrier: SimulatedCarrier): void {
  const positions = positionsOf(source, carrier);
  expect(positions.findIndex((at, index) => at !== index)).toBe(-1);
  expect(positions).toHaveLength(payloadOf(source).length);
}

const WAYS_TO_GO = [
  { code: 1006, closeClass: 'network' },
  { code: 1008, closeClass: 'quota' },
  { code: 1011, closeClass: 'overload' },
] as const;

describe('a connection that breaks in the middle of an utterance', () => {
  it.each(WAYS_TO_GO)('with $code: the next one hears it from its onset on', async ({ code, closeClass }) => {
    for (const afterMs of [150, 700, 1_900, 2_600]) {
      const bench = new CallBench({ live: [ready(), ready()] });
      const carrier = await bench.answerAndGreet();
      await exchange(bench, carrier, 'h1');
      carrier.says(question());
      await bench.run(afterMs);
      bench.model.lose(closeClass, code);
      await bench.run(7_000);
      expect(bench.model.setup.resumption).toEqual({ handle: 'h1' });
      expectHeardFromOnset(bench, carrier, bench.model, 1);
      // At most the utterance was sent twice, with what goes before its onset.
      const sentBefore = bench.live.connections[0]!.audio.length / 320;
      expect(bench.of('rotated')).toMatchObject([{ planned: false, how: 'resumed' }]);
      const resentMs = bench.of('rotated')[0]!.resentMs;
      expect(resentMs).toBeGreaterThanOrEqual((sentBefore - onsetFrame(bench, 1)) * 20);
      expect(resentMs).toBeLessThanOrEqual((sentBefore - onsetFrame(bench, 1)) * 20 + 240 + 20);
      expect(bench.live.connections.map(({ texts }) => texts.length)).toEqual([1, 0]);
    }
  });

  it('loses no word at whatever moment it breaks, also before anybody could know it for one', async () => {
    for (let breaksMs = 0; breaksMs <= 400; breaksMs += 20) {
      const bench = new CallBench({ live: [ready(), ready(60)] });
      const carrier = await bench.answerAndGreet();
      giveHandle(bench.model, 'h1');
      await bench.run(3_000);
      carrier.says(question());
      await bench.run(breaksMs);
      bench.model.lose();
      await bench.run(6_000);
      const sentFrames = Math.round(bench.live.connections[0]!.audio.length / 320);
      // Either it was sent again from its onset on, or nothing of that had been sent before.
      if (sentFrames > onsetFrame(bench, 0) - 12) expectHeardFromOnset(bench, carrier, bench.model, 0);
      else expectNothingLostOrDoubled(bench, carrier);
    }
  });

  it('before any handle came: a session that is told what was said hears it', async () => {
    const bench = new CallBench({ live: [ready(), ready()] });
    const carrier = await bench.answerAndGreet();
    carrier.says(question());
    await bench.run(900);
    bench.model.lose();
    await bench.run(7_000);
    const { setup, texts } = bench.model;
    expect(setup.resumption).toEqual({ handle: null });
    expect(setup.systemInstruction).toContain('You: words');
    expect(setup.systemInstruction).toContain('as sound');
    expect(texts).toEqual([]);
    expectHeardFromOnset(bench, carrier, bench.model, 0);
  });

  it('twice: the third connection hears all of it as well', async () => {
    const bench = new CallBench({ live: [ready(), ready(), ready()] });
    const carrier = await bench.answerAndGreet();
    giveHandle(bench.model, 'h1');
    await bench.run(5_000);
    carrier.says(question());
    await bench.run(900);
    bench.model.lose();
    await bench.until(() => bench.live.connections.length === 2, 2_000);
    await bench.run(300);
    bench.model.lose();
    await bench.run(8_000);
    expect(bench.live.connections).toHaveLength(3);
    expectHeardFromOnset(bench, carrier, bench.model, 0);
  });

  it('does not send what was answered again', async () => {
    const bench = new CallBench({ live: [ready(), ready()] });
    const carrier = await bench.answerAndGreet();
    await exchange(bench, carrier, 'h1');
    await bench.run(1_000);
    const before = bench.live.connections[0]!.audio.length;
    bench.model.lose();
    await bench.run(3_000);
    expect(before + bench.model.audio.length).toBeLessThanOrEqual(spokenBy(carrier).length);
    expect(bench.model.audio.every((sample) => Math.abs(sample) <= 64)).toBe(true);
    expect(bench.of('rotated')).toMatchObject([{ resentMs: 0 }]);
    expect(bench.model.texts).toEqual([]);
  });

  it('sends what is caught up on at no more than twice real time', async () => {
    const bench = new CallBench({ live: [ready(), ready(3_000)] });
    const carrier = await bench.answerAndGreet();
    giveHandle(bench.model, 'h1');
    carrier.says(question());
    carrier.says(interruption());
    await bench.run(1_500);
    bench.model.lose();
    await bench.run(12_000);
    const pieces = bench.model.sent.flatMap((each) => (each.type === 'audio' ? [each] : []));
    let sentMs = 0;
    for (const { atMs, samples } of pieces) {
      sentMs += samples.length / 16;
      expect(sentMs).toBeLessThanOrEqual(2 * (atMs - pieces[0]!.atMs) + 2 * 20 + 20);
    }
    expectHeardFromOnset(bench, carrier, bench.model, 0);
  });
});

describe('a connection that breaks in the middle of an answer', () => {
  async function asked() {
    const bench = new CallBench({ live: [ready(), ready()] });
    const carrier = await bench.answerAndGreet();
    await exchange(bench, carrier, 'h1');
    carrier.says(question());
    await bench.run(3_400);
    return { bench, carrier };
  }

  it('of which nothing was heard: what was queued is dropped, and the question is asked again', async () => {
    const { bench, carrier } = await asked();
    const answer = noise(4_000, 7);
    bench.model.sayAudio(answer.slice(0, 24 * 1_500));
    bench.model.say({ type: 'output-transcript', text: 'Let me tell you' });
    bench.model.lose();
    await bench.until(() => bench.live.connections.length === 2, 1_000);
    // Some server may send the rest of it on the next connection.
    bench.model.sayAudio(answer.slice(24 * 1_500));
    await bench.run(5_000);
    expect(positionsOf(answer, carrier)).toEqual([]);
    expectHeardFromOnset(bench, carrier, bench.model, 1);
    expect(bench.model.texts).toEqual([]);
    expect(bench.of('turn-given-up')).toMatchObject([{ why: 'session-lost' }]);
    const anew = noise(2_000, 8);
    bench.model.speak(anew);
    await bench.run(3_000);
    expectHeardOnce(anew, carrier);
  });

  it('of which nothing had come: what a server still sends of it is not played, as the question is asked again', async () => {
    const { bench, carrier } = await asked();
    bench.model.lose();
    await bench.until(() => bench.live.connections.length === 2, 1_000);
    const rest = noise(1_000, 7);
    bench.model.sayAudio(rest);
    await bench.run(3_000);
    expect(positionsOf(rest, carrier)).toEqual([]);
    const anew = noise(2_000, 8);
    bench.model.speak(anew);
    await bench.run(3_000);
    expectHeardOnce(anew, carrier);
  });

  it('that was heard in part: the rest of what came is played, and it is asked to go on', async () => {
    const { bench, carrier } = await asked();
    const answer = noise(3_000, 7);
    bench.model.speak(answer, { pace: 3, ends: false, text: 'One two three four five six seven eight' });
    await bench.run(1_020);
    bench.model.lose();
    await bench.run(5_000);
    expectHeardOnce(answer, carrier);
    expect(bench.model.texts).toHaveLength(1);
    expect(bench.model.texts[0]).toMatch(/The caller has heard you say: "One/);
    // The question was answered, if in part: it is not asked again.
    expect(bench.model.audio.every((sample) => Math.abs(sample) <= 64)).toBe(true);
    expect(bench.of('model-told')).toMatchObject([{ what: 'go-on' }]);
    const rest = noise(2_000, 8);
    bench.model.speak(rest);
    await bench.run(3_000);
    expectHeardOnce(rest, carrier);
  });

  it('that was made to its end: it is played to its end, and nobody is asked for anything', async () => {
    const { bench, carrier } = await asked();
    const answer = noise(4_000, 7);
    bench.model.speak(answer, { pace: 20 });
    await bench.run(400);
    bench.model.lose();
    await bench.run(5_000);
    expectHeardOnce(answer, carrier);
    expect(bench.model.texts).toEqual([]);
    expect(bench.model.audio.every((sample) => Math.abs(sample) <= 64)).toBe(true);
  });

  it('into which the caller speaks before the next one is there: the caller has the word', async () => {
    const { bench, carrier } = await asked();
    const answer = noise(6_000, 7);
    bench.model.speak(answer.slice(0, 24 * 4_000), { pace: 4, ends: false });
    await bench.run(900);
    bench.model.lose();
    carrier.says(interruption());
    await bench.run(6_000);
    expect(carrier.clears().length).toBeGreaterThanOrEqual(1);
    expect(bench.model.texts).toEqual([]);
    expectHeardFromOnset(bench, carrier, bench.model, 2);
  });
});

describe('a connection that breaks while it greets', () => {
  it.each([
    { what: 'before a sound of it', heardMs: 0, texts: 1 },
    { what: 'in its middle', heardMs: 800, texts: 1 },
  ])('$what: no greeting is heard twice', async ({ heardMs, texts }) => {
    const bench = new CallBench({ live: [ready(), ready()] });
    const carrier = await bench.answer();
    await bench.until(() => bench.live.connections[0]?.texts.length === 1, 2_000);
    const greeting = noise(1_500, 3);
    bench.model.speak(greeting.slice(0, 24 * 1_200), { ends: false, text: 'Hello, this is the bank.' });
    await bench.run(heardMs);
    bench.model.lose();
    await bench.until(() => bench.live.connections.length === 2, 2_000);
    await bench.run(200);
    expect(bench.model.texts).toHaveLength(texts);
    const again = bench.model.texts[0] === bench.bot.greeting.instruction;
    expect(again).toBe(heardMs === 0);
    if (again) {
      await bench.run(400);
      const anew = noise(1_500, 4);
      bench.model.speak(anew);
      await bench.run(3_000);
      expectHeardOnce(anew, carrier);
      expect(positionsOf(greeting, carrier)).toEqual([]);
    } else {
      await bench.run(2_500);
      expectHeardOnce(greeting.slice(0, 24 * 1_200), carrier);
    }
    await bench.run(8_000);
    expect(bench.of('greeting-clip')).toEqual([]);
    expect(bench.model.texts).toHaveLength(texts);
  });

  it('and again, and again: the greeting is asked for twice, then the clip is played, and no other after it', async () => {
    const bench = new CallBench({ live: [ready(), ready(), ready(), ready()] });
    const carrier = await bench.answer();
    for (const connections of [1, 2, 3]) {
      await bench.until(() => bench.live.connections.length === connections, 5_000);
      await bench.run(300);
      bench.model.lose();
    }
    await bench.until(() => bench.of('greeting-clip').length === 1, 10_000);
    await bench.run(1_000);
    const greeting = noise(1_000, 5);
    bench.model.speak(greeting);
    await bench.run(8_000);
    expect(bench.of('greeting-triggered').map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(bench.of('greeting-clip')).toHaveLength(1);
    expect(positionsOf(greeting, carrier)).toEqual([]);
  });
});

describe('a tool that is at work when the connection breaks', () => {
  async function working(giveAt: 'before' | 'under') {
    const tools = new SlowTool();
    const bench = new CallBench({ live: [ready(), ready()], tools });
    const carrier = await bench.answerAndGreet();
    await exchange(bench, carrier, 'before');
    carrier.says(question());
    await bench.run(3_400);
    bench.model.speak(noise(500, 1));
    await bench.run(1_500);
    bench.model.callTool('lookup', 't1', { what: 'price' });
    if (giveAt === 'under') giveHandle(bench.model, 'under the tool');
    await bench.run(500);
    bench.model.lose();
    return { bench, tools };
  }

  it.each([
    { comes: 'while there is no connection', afterMs: 0 },
    { comes: 'on the next one', afterMs: 3_000 },
  ])('is answered $comes where the handle was given under it', async ({ afterMs }) => {
    const { bench, tools } = await working('under');
    await bench.run(afterMs);
    tools.comesBack('42');
    await bench.until(() => bench.live.connections.length === 2 && bench.model.responses.length > 0, 3_000);
    await bench.run(1_000);
    bench.model.speak(noise(1_000, 3));
    await bench.run(8_000);
    expect(bench.model.setup.resumption).toEqual({ handle: 'under the tool' });
    expect(tools.runs).toEqual(['t1']);
    expect(bench.live.connections[0]!.responses).toEqual([]);
    expect(bench.model.responses).toMatchObject([{ id: 't1', response: { result: '42' } }]);
    expect(bench.model.texts).toEqual([]);
  });

  it('is told as text as well where the handle was given under it, and nothing comes of the answer', async () => {
    const { bench, tools } = await working('under');
    tools.comesBack('42');
    await bench.until(() => bench.live.connections.length === 2 && bench.model.responses.length > 0, 3_000);
    await bench.run(2_400);
    expect(bench.model.texts).toEqual([]);
    await bench.run(200);
    expect(bench.model.texts).toHaveLength(1);
    expect(bench.model.texts[0]).toContain('42');
    expect(tools.runs).toEqual(['t1']);
  });

  it.each([
    { comes: 'while there is no connection', afterMs: 0 },
    { comes: 'on the next one', afterMs: 3_000 },
  ])(
    'is told as text $comes where the session does not know of it, and never answered',
    async ({ afterMs }) => {
      const { bench, tools } = await working('before');
      await bench.run(afterMs);
      tools.comesBack('42');
      await bench.run(3_000);
      expect(bench.model.setup.resumption).toEqual({ handle: 'before' });
      expect(bench.live.connections.flatMap(({ responses }) => responses)).toEqual([]);
      expect(bench.model.texts).toHaveLength(1);
      expect(bench.model.texts[0]).toContain('42');
      expect(tools.runs).toEqual(['t1']);
    },
  );

  it('is not run again when a session that has forgotten asks for the same', async () => {
    const { bench, tools } = await working('before');
    await bench.run(2_000);
    bench.model.callTool('lookup', 't9', { what: 'price' });
    tools.comesBack('42');
    await bench.run(1_000);
    expect(tools.runs).toEqual(['t1']);
    expect(bench.model.responses).toMatchObject([{ id: 't9', response: { result: '42' } }]);
    expect(bench.model.texts).toEqual([]);
  });
});

describe('keys that are pressed while there is no connection', () => {
  it.each([
    { how: 'resumed', handle: 'h1' },
    { how: 'fresh', handle: null },
  ])('are told to a $how session once', async ({ handle }) => {
    const bench = new CallBench({ live: [ready(), ready(3_000)] });
    const carrier = await bench.answerAndGreet();
    if (handle !== null) giveHandle(bench.model, handle);
    await bench.run(5_000);
    bench.model.lose();
    await bench.run(100);
    carrier.press('7', '3', '5', '#');
    await bench.run(6_000);
    expect(bench.model.setup.resumption).toEqual({ handle });
    const everything = [
      bench.model.setup.systemInstruction,
      ...(bench.model.setup.history ?? []).map(({ text }) => text),
      ...bench.model.texts,
    ].join('\n');
    expect(everything.split('735#')).toHaveLength(2);
    expect(bench.model.texts).toHaveLength(1);
  });

  it('are told in the gap of a planned rotation, too', async () => {
    const bench = new CallBench({ live: [ready(), ready(500)] });
    const carrier = await bench.answerAndGreet();
    giveHandle(bench.model, 'h1');
    bench.model.say({ type: 'go-away', timeLeftMs: 50_000 });
    await bench.until(() => bench.live.connections[0]!.closedAtMs !== null, 500);
    carrier.press('7', '#');
    await bench.run(3_000);
    expect(bench.live.connections.map(({ texts }) => texts.length)).toEqual([1, 1]);
    expect(bench.model.texts[0]).toContain('7#');
    expect(bench.model.setup.systemInstruction).not.toContain('7#');
  });

  it('are told once however many attempts it takes', async () => {
    const bench = new CallBench({ live: [ready(), fails('network'), fails('overload'), ready()] });
    const carrier = await bench.answerAndGreet();
    giveHandle(bench.model, 'h1');
    await bench.run(5_000);
    carrier.press('7');
    await bench.run(1_490);
    bench.model.lose();
    await bench.run(6_000);
    expect(bench.model.texts).toHaveLength(1);
    expect(bench.model.setup.systemInstruction).not.toContain('these keys');
  });
});

describe('a refused upgrade', () => {
  it('in an outage is tried again until one comes up, with the same handle', async () => {
    const bench = new CallBench({
      live: [ready(), fails('overload'), fails('network'), fails('quota'), ready()],
    });
    const carrier = await bench.answerAndGreet();
    giveHandle(bench.model, 'h1');
    await bench.run(5_000);
    carrier.says(question());
    await bench.run(700);
    bench.model.lose();
    await bench.run(12_000);
    expect(bench.model.setup.resumption).toEqual({ handle: 'h1' });
    expectHeardFromOnset(bench, carrier, bench.model, 0);
  });
});
