import { expect, it } from 'vitest';
import { parseWav } from '../../../src/audio/wav.ts';
import { htmlReport } from '../../../src/lab/report/html.ts';
import { measureCall } from '../../../src/lab/report/measure.ts';
import { recordingOf } from '../../../src/lab/report/recording.ts';
import { measureRows } from '../../../src/lab/report/rows.ts';
import { textTable } from '../../../src/lab/report/text.ts';
import { heardTranscript, joinTranscript } from '../../../src/lab/report/transcript.ts';
import { babble, makeRun, sequence } from '../../support/call-run.ts';

const run = makeRun({
  sent: sequence(1_000, babble(1_000, 1), 2_000),
  heard: sequence(200, babble(1_000, 2), 2_800),
  runs: [{ generation: 0, fromMs: 200, toMs: 1_200 }],
  generations: [
    {
      generation: 0,
      firstArrivalMs: 190,
      receivedMs: 1_500,
      playedMs: 1_000,
      clearedAtMs: 1_190,
      droppedMs: 500,
    },
  ],
  clears: [{ atMs: 1_190, generation: 0, neverHeard: babble(500, 3) }],
  dtmf: [{ atMs: 3_000, digit: '<' }],
  from: '<script>alert(1)</script>',
  timeline: [{ atMs: 5, what: 'note', detail: '"><img src=x onerror=alert(1)>' }],
  durationMs: 4_000,
});
const measures = measureCall(run);
const page = htmlReport({
  title: 'A <b>bold</b> call',
  description: 'One & only',
  run,
  measures,
  transcript: [{ atMs: 200, who: 'bot', text: 'Hello, <you>', unheard: ' and goodbye' }],
  unmet: ['Two "things" were expected.'],
});

it('the page has the picture with both voices, the interruption, what nobody heard, and keys', () => {
  expect(page.match(/<path class="wave-(caller|bot|ghost)"/g)).toEqual([
    '<path class="wave-caller"',
    '<path class="wave-bot"',
    '<path class="wave-ghost"',
  ]);
  expect(measures.bargeIns.length).toBe(1);
  expect(page.match(/<line class="stop"/g)?.length).toBe(2);
  expect(page.includes('interrupted: 200 ms to silence'), 'interrupted: 200 ms to silence').toBe(true);
  expect(page.includes('sent, never heard: 500 ms'), 'sent, never heard: 500 ms').toBe(true);
  expect(page.includes('class="key"'), 'class="key"').toBe(true);
  expect(page.match(/class="bar-caller"/g)?.length).toBe(1);
  expect(page.match(/class="bar-bot"/g)?.length).toBe(1);
  expect(
    page.includes('<s title="never heard"> and goodbye</s>'),
    '<s title="never heard"> and goodbye</s>',
  ).toBe(true);
  expect(page.includes('prefers-color-scheme: dark'), 'prefers-color-scheme: dark').toBe(true);
});

it('the page has every row of the terminal’s table', () => {
  for (const { rows } of measureRows(measures, run.end)) {
    for (const row of rows) expect(page.includes(`<td>${row.name}</td>`), `<td>${row.name}</td>`).toBe(true);
  }
});

it('the page needs nothing from anywhere, and no text becomes markup', () => {
  expect(page.match(/<script|<img|<b>bold|<you>|https?:|url\((?!#)/gi)).toBeNull();
  expect(page.includes('&#60;script&#62;'), '&#60;script&#62;').toBe(true);
  expect(page.includes('Two &#34;things&#34; were expected.'), 'Two &#34;things&#34; were expected.').toBe(
    true,
  );
});

it('the recording is stereo: said on the left, heard on the right', () => {
  const wav = parseWav(recordingOf(run));
  expect(wav.sampleRate).toBe(8_000);
  expect(wav.channels.length).toBe(2);
  expect(wav.channels[0]).toEqual(run.sent);
  expect(wav.channels[1]).toEqual(run.heard);
});

it('the table is plain text for a file, and coloured for a person', () => {
  const groups = measureRows(measures, run.end);
  expect(textTable(groups, false)).not.toContain('\u001b');
  expect(textTable(groups, true)).toContain('\u001b[');
  expect(textTable(groups, false)).toMatch(/barge-ins +1/);
});

it('transcripts are joined from fragments, whichever order the two sides come in', () => {
  const events = [
    ['outputTranscription', 'Good'],
    ['outputTranscription', ' morning.'],
    ['turnComplete', null],
    ['inputTranscription', 'What are'],
    ['audio', 1_920],
    ['inputTranscription', ' your hours?'],
    ['outputTranscription', 'We are'],
    ['interrupted', null],
    ['outputTranscription', ' Nine.'],
  ].map(([kind, detail], n) => ({
    atMs: 1_000 + n * 100,
    kind: String(kind),
    detail: detail as string | number | null,
  }));
  expect(joinTranscript(events, 1_000)).toEqual([
    { atMs: 0, who: 'bot', text: 'Good morning.', complete: true },
    { atMs: 300, who: 'caller', text: 'What are your hours?', complete: true },
    { atMs: 600, who: 'bot', text: 'We are', complete: true },
    { atMs: 800, who: 'bot', text: 'Nine.', complete: false },
  ]);
});

it('of a turn that was cut, the transcript sets apart what was not heard', () => {
  const text = 'one two three four five six seven eight nine ten';
  const clip = {
    name: 'c',
    fromMs: 200,
    toMs: 1_200,
    clipFromMs: 0,
    clipToMs: 1_000,
    clipMs: 2_000,
    residualDb: -35,
  };
  const cut = { ...measures, turns: [{ ...measures.turns[0]!, cut: true, clips: [clip] }] };
  const [line] = heardTranscript([{ atMs: 150, who: 'bot', text }], { ...run, dtmf: [] }, cut);
  expect(line!.text + line!.unheard).toBe(text);
  // Half of the clip was played, and the middle letter is in "six".
  expect(line!.text).toBe('one two three four five six');
  const whole = { ...measures, turns: [{ ...measures.turns[0]!, cut: false, clips: [clip] }] };
  expect(heardTranscript([{ atMs: 150, who: 'bot', text }], { ...run, dtmf: [] }, whole)[0]!.unheard).toBe(
    '',
  );
});
