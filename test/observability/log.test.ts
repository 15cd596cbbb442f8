import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CallIdentity, JournalEntry, JournalFact } from '../../src/call/journal.ts';
import { emptyTotals } from '../../src/call/totals.ts';
import { journalLogger } from '../../src/observability/journal-log.ts';
import { createLog } from '../../src/observability/log.ts';
import { createScrubber } from '../../src/observability/scrub.ts';

const CALL: CallIdentity = {
  ref: 'r1',
  carrier: 'twilio',
  carrierCallId: 'CA1',
  bot: 'front-desk',
  model: 'gemini-3.8-live',
};

function logTo(level: string, secrets: string[] = []) {
  const lines: Record<string, unknown>[] = [];
  const texts: string[] = [];
  const destination = {
    write: (line: string) => {
      texts.push(line);
      lines.push(JSON.parse(line));
    },
  };
  return { lines, texts, log: createLog({ level, secrets, destination }) };
}

describe('what never comes out', () => {
  test('personal data, at any depth of a line', () => {
    const { log, texts } = logTo('trace');
    const pii = { from: '+15550100001' };
    log.info({ pii }, 'a');
    log.info({ entry: { pii } }, 'b');
    log.info({ a: { b: { pii } } }, 'c');
    log.child({ pii }).info('d');
    expect(texts).toHaveLength(4);
    expect(texts.join('')).not.toContain('5550100001');
  });

  test('a secret, wherever it stands and however it is written', () => {
    const secret = 'k3y/with+odd="chars"\nand a line';
    const { log, texts } = logTo('trace', [secret]);
    log.info({ url: `wss://host/path?x=${encodeURIComponent(secret)}` }, `said ${secret}`);
    log.error({ err: new Error(`broken by ${secret}`) }, 'failed');
    log.info({ [secret]: 1 }, 'as a key');
    expect(texts).toHaveLength(3);
    for (const text of texts) {
      expect(text).toContain('[redacted]');
      expect(text).not.toContain('k3y');
    }
  });

  test('any secret in any place: the line stays JSON and the secret is gone', () => {
    const marker = fc.stringMatching(/^[a-zA-Z0-9_-]{12,60}$/);
    fc.assert(
      fc.property(marker, fc.string({ unit: 'binary', maxLength: 50 }), (secret, around) => {
        const { log, lines, texts } = logTo('info', [secret]);
        log.info({ value: around + secret + around, list: [{ secret }] }, 'constant');
        return lines.length === 1 && !texts.join('').includes(secret);
      }),
    );
  });

  test.each([
    ['wss://host/v1?key=AIzaSyUnknown&alt=ws', 'AIzaSyUnknown', '&alt=ws'],
    ['https://host/?access_token=ya29.unknown', 'ya29.unknown', 'https://host/'],
    ['authorization: Bearer abcdefgh12345678', 'abcdefgh12345678', 'Bearer'],
    ['authorization: Basic QUM6c2VjcmV0c2VjcmV0', 'QUM6c2VjcmV0c2VjcmV0', 'Basic'],
    [`wss://host/twilio/media/1${'0a'.repeat(42)}`, '0a0a0a', '/twilio/media/'],
  ])('a credential that nobody told us of: %s', (text, hidden, kept) => {
    const { log, texts } = logTo('info');
    log.info({ detail: text }, 'constant');
    expect(texts[0]).not.toContain(hidden);
    expect(texts[0]).toContain(kept);
  });

  test('a list of secrets is gone as a whole and in parts', () => {
    const scrub = createScrubber(['newer-token', 'newer-token,older-token', 'older-token']);
    expect(scrub('a newer-token,older-token b older-token c')).toBe('a [redacted] b [redacted] c');
  });

  test('a secret too short to be one does not tear up lines', () => {
    expect(createScrubber(['a', ''])('a line about a')).toBe('a line about a');
  });
});

describe('the journal in the log', () => {
  const write = (level: string, facts: JournalFact[]) => {
    const { log, lines, texts } = logTo(level);
    const listener = journalLogger(log);
    for (const fact of facts) listener({ ...fact, atMs: 5 } as JournalEntry, CALL);
    return { lines, text: texts.join('') };
  };

  test('a call is told by its beginning and its end, under our own reference', () => {
    const { lines } = write('info', [
      {
        type: 'call-admitted',
        carrier: 'twilio',
        direction: 'inbound',
        bot: 'front-desk',
        model: 'gemini-3.8-live',
        pii: { from: '+15550100001', to: '+15550100002' },
      },
      { type: 'utterance-started', onsetAtMs: 1, levelDbov: -30 },
      { type: 'bug', where: 'playout', detail: 'x' },
      {
        type: 'call-ended',
        reason: { who: 'caller', how: 'completed', detail: 'hung up' },
        totals: { ...emptyTotals(), turns: 3 },
      },
    ]);
    expect(lines).toMatchObject([
      { level: 'info', msg: 'call admitted', call: 'r1', carrierCall: 'CA1', bot: 'front-desk' },
      { level: 'error', msg: 'bug', call: 'r1', where: 'playout' },
      {
        level: 'info',
        msg: 'call ended',
        call: 'r1',
        reason: { who: 'caller', how: 'completed' },
        totals: { turns: 3 },
      },
    ]);
    expect(lines[1]).not.toHaveProperty('atMs');
  });

  test('no number, word or digit of a caller is written, at any level', () => {
    const { lines, text } = write('trace', [
      {
        type: 'call-admitted',
        carrier: 'twilio',
        direction: 'inbound',
        bot: 'b',
        model: 'm',
        pii: { from: 'HIDDEN', to: 'HIDDEN' },
      },
      { type: 'transcript', speaker: 'caller', turn: 1, pii: { text: 'HIDDEN' } },
      { type: 'turn-ended', turn: 1, how: 'complete', generatedMs: 5, pii: { text: 'HIDDEN' } },
      { type: 'dtmf', pii: { digit: 'HIDDEN' } },
      { type: 'tool-called', name: 'look_up', id: 't1', pii: { args: 'HIDDEN' } },
      {
        type: 'generation-over',
        generation: 1,
        how: 'cleared',
        sentMs: 2,
        heardMs: 1,
        heardBy: 'marks',
        pii: { heardText: 'HIDDEN', uncertainText: 'HIDDEN' },
      },
    ]);
    expect(lines.map((line) => line['msg'])).toEqual([
      'call admitted',
      'turn ended',
      'digit pressed',
      'tool called',
      'generation over',
    ]);
    expect(text).not.toContain('HIDDEN');
  });

  test('an entry of a kind that it does not know is passed over', () => {
    expect(write('trace', [{ type: 'from-the-future' } as unknown as JournalFact]).lines).toEqual([]);
  });
});
