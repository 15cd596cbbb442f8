import { describe, expect, it } from 'vitest';
import { PCMU } from '../../../src/audio/g711.ts';
import { interruption, noise, question, uplinkOf } from '../../support/call-audio.ts';
import { CallBench } from '../../support/call-bench.ts';
import { ready, type ScriptedConnection } from '../../support/call-live.ts';

const manual = { listening: { mode: 'manual' }, greeting: { mode: 'none' } };

/** The audio of each activity of a connection, in order; what lies outside of one fails the test. */
function activities(connection: ScriptedConnection): { readonly samples: number; readonly ended: boolean }[] {
  const found: { samples: number; ended: boolean }[] = [];
  let open = false;
  for (const each of connection.sent) {
    if (each.type === 'activity') {
      expect(each.kind).toBe(open ? 'end' : 'start');
      open = each.kind === 'start';
      if (open) found.push({ samples: 0, ended: false });
      else found.at(-1)!.ended = true;
    } else if (each.type === 'audio') {
      expect(open).toBe(true);
      found.at(-1)!.samples += each.samples.length;
    }
  }
  return found;
}

/** The loud parts of what was said must all be in what was given. */
function expectWords(given: Int16Array, said: Int16Array): void {
  const loud = (samples: Int16Array) => samples.reduce((sum, each) => sum + each * each, 0);
  const wanted = loud(uplinkOf(Buffer.from(PCMU.encode(said))));
  expect(loud(given) / wanted).toBeGreaterThan(0.99);
  expect(loud(given) / wanted).toBeLessThan(1.01);
}
describe('manual activity', () => {
  it('sends an utterance inside its activity, its beginning included, and nothing else', async () => {
    const bench = new CallBench({ bot: manual });
    const carrier = await bench.answer();
    await bench.run(3_000);
    expect(bench.model.sent).toEqual([]);
    carrier.says(question());
    await bench.run(6_000);
    expect(activities(bench.model)).toMatchObject([{ ended: true }]);
    expectWords(bench.model.audio, question());
    await bench.run(3_000);
    carrier.says(interruption());
    await bench.run(6_000);
    expect(activities(bench.model)).toMatchObject([{ ended: true }, { ended: true }]);
    carrier.stop();
    await bench.run(10);
    bench.expectEnded('caller', 'completed');
  });

  it.each([
    { what: 'spoken to their end before the session is ready', upMs: 8_000 },
    { what: 'in whose middle the session becomes ready', upMs: 1_700 },
  ])('gives the model words $what', async ({ upMs }) => {
    const bench = new CallBench({ bot: manual, live: [ready(upMs)] });
    const carrier = await bench.answer();
    carrier.says(question());
    await bench.until(() => bench.live.connections.length === 1, 9_000);
    await bench.run(6_000);
    expect(activities(bench.model)).toMatchObject([{ ended: true }]);
    expectWords(bench.model.audio, question());
  });

  it.each([
    { what: 'in the middle of an utterance, and back before its end', afterMs: 900, upMs: 300 },
    { what: 'in the middle of an utterance that is over before it is back', afterMs: 900, upMs: 5_000 },
  ])(
    'a connection that is lost $what: all of it is said again, inside one activity',
    async ({ afterMs, upMs }) => {
      const bench = new CallBench({ bot: manual, live: [ready(), ready(upMs)] });
      const carrier = await bench.answer();
      await bench.run(1_000);
      carrier.says(question());
      await bench.run(afterMs);
      bench.model.lose();
      await bench.run(12_000);
      const [before, after] = bench.live.connections.map(activities);
      expect(before).toMatchObject([{ ended: false }]);
      expect(after).toMatchObject([{ ended: true }]);
      expectWords(bench.model.audio, question());
      const given = bench.model.sent.length;
      await bench.run(3_000);
      expect(bench.model.sent).toHaveLength(given);
    },
  );

  it('a connection that is lost between two utterances has nothing to be told of the next one before it is spoken', async () => {
    const bench = new CallBench({ bot: manual, live: [ready(), ready()] });
    const carrier = await bench.answer();
    await bench.run(1_000);
    carrier.says(question());
    await bench.run(4_000);
    bench.model.speak(noise(500, 1));
    await bench.run(1_500);
    bench.model.lose();
    await bench.run(3_000);
    expect(bench.model.sent).toEqual([]);
    carrier.says(interruption());
    await bench.run(5_000);
    expect(activities(bench.model)).toMatchObject([{ ended: true }]);
  });

  it('a connection that is lost before it has answered leaves its utterance to the next one, inside one activity', async () => {
    const bench = new CallBench({ bot: manual, live: [ready(), ready()] });
    const carrier = await bench.answer();
    await bench.run(1_000);
    carrier.says(question());
    await bench.run(5_000);
    bench.model.lose();
    await bench.run(3_000);
    expect(activities(bench.model)).toMatchObject([{ ended: true }]);
    expectWords(bench.model.audio, question());
  });

  it('the last words that a slow connection refuses for a while are sent before the end of their activity', async () => {
    const bench = new CallBench({ bot: manual });
    const carrier = await bench.answer();
    await bench.run(1_000);
    carrier.says(question());
    await bench.run(1_200);
    bench.model.refusesAudio = true;
    await bench.run(4_000);
    expect(activities(bench.model)).toMatchObject([{ ended: false }]);
    bench.model.refusesAudio = false;
    await bench.run(5_000);
    expect(activities(bench.model)).toMatchObject([{ ended: true }]);
    expectWords(bench.model.audio, question());
    expect(bench.live.connections).toHaveLength(1);
  });

  it('words that a dead connection refused are given to the one that replaces it', async () => {
    const bench = new CallBench({ bot: manual, live: [ready(), ready()] });
    const carrier = await bench.answer();
    await bench.run(1_000);
    carrier.says(question());
    await bench.run(1_200);
    bench.model.refusesAudio = true;
    await bench.run(12_000);
    expect(bench.live.connections.map(activities)).toMatchObject([[{ ended: false }], [{ ended: true }]]);
    expectWords(bench.model.audio, question());
  });

  it('a stream that goes away between two utterances sends nothing', async () => {
    const bench = new CallBench({ bot: manual });
    const carrier = await bench.answer();
    await bench.run(1_000);
    carrier.says(question());
    await bench.run(6_000);
    const audio = bench.model.audio.length;
    carrier.drop();
    await bench.run(2_000);
    expect(bench.model.audio).toHaveLength(audio);
    expect(activities(bench.model)).toMatchObject([{ ended: true }]);
  });
});
