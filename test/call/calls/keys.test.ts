import { describe, expect, it } from 'vitest';
import { CallBench } from '../../support/call-bench.ts';
import { ready } from '../../support/call-live.ts';

const keysOf = (text: string): string => text.slice(text.lastIndexOf(' ') + 1);

describe('keys', () => {
  it('are given as one text when # ends them', async () => {
    const bench = new CallBench();
    const carrier = await bench.answerAndGreet();
    for (const digit of ['4', '2', '#']) {
      carrier.press(digit);
      await bench.run(1_400);
    }
    expect(bench.model.texts.slice(1).map(keysOf)).toEqual(['42#']);
  });

  it('are given as one text 1.5 s after the last', async () => {
    const bench = new CallBench();
    const carrier = await bench.answerAndGreet();
    carrier.press('1');
    await bench.run(1_400);
    carrier.press('*');
    await bench.run(1_480);
    expect(bench.model.texts).toHaveLength(1);
    await bench.run(60);
    expect(bench.model.texts.slice(1).map(keysOf)).toEqual(['1*']);
    await bench.run(5_000);
    expect(bench.model.texts).toHaveLength(2);
  });

  it('that are pressed while no connection is there are given to the next one, in one text', async () => {
    const bench = new CallBench({ live: [ready(), ready(4_000)] });
    const carrier = await bench.answerAndGreet();
    bench.model.lose();
    carrier.press('1', '2', '#');
    await bench.run(500);
    carrier.press('3', '#');
    await bench.run(5_000);
    expect(bench.model.texts.map(keysOf)).toEqual(['12#3#']);
  });

  it('that are pressed before the session is there come after the greeting was asked for', async () => {
    const bench = new CallBench({ live: [ready(4_000)] });
    const carrier = await bench.answer();
    await bench.run(100);
    carrier.press('9');
    await bench.run(5_000);
    expect(bench.model.texts[0]).toBe(bench.bot.greeting.instruction);
    expect(bench.model.texts.slice(1).map(keysOf)).toEqual(['9']);
  });

  it('of a call that has ended go nowhere', async () => {
    const bench = new CallBench();
    const carrier = await bench.answerAndGreet();
    carrier.press('1');
    await bench.run(100);
    carrier.stop();
    await bench.run(3_000);
    expect(bench.model.texts).toHaveLength(1);
    bench.expectEnded('caller', 'completed');
  });
});
