import { describe, expect, test } from 'vitest';
import { botSchema } from '../../src/bots/bot.ts';
import type { Conversation } from '../../src/call/conversation.ts';
import type { HandleRecord } from '../../src/call/handles.ts';
import { Journal, type JournalEntry } from '../../src/call/journal.ts';
import { ConversationMemory } from '../../src/call/memory.ts';
import { Recovery } from '../../src/call/recovery.ts';
import type { SessionLink } from '../../src/call/session-link.ts';
import type { ToolDesk } from '../../src/call/tool-desk.ts';
import { emptyTotals } from '../../src/call/totals.ts';
import type { Uplink } from '../../src/call/uplink.ts';
import { VirtualClock } from '../../src/lab/virtual-clock.ts';

/** A recovery whose surroundings say what the test wants. Everything was over 10 s ago, and the handle is 5 s old. */
class Desk {
  readonly clock = new VirtualClock({ startMs: 100_000 });
  readonly entries: JournalEntry[] = [];
  readonly totals = emptyTotals();
  readonly tools = { pending: 0, openTools: () => [] };
  readonly conversation = {
    callerSpeaking: false,
    generating: false,
    lastModelAtMs: 90_000,
    openTurn: null,
    onSessionLost: () => null,
    accountHeard: () => {},
  };
  readonly uplink = {
    sentTo: 800_000,
    position: 800_000,
    keptMs: 30_000,
    heldMs: 0,
    resentMs: 0,
    needed: null as number | null,
    rewound: null as number | null,
    close() {},
    needFrom(position: number | null) {
      this.needed = position;
    },
    rewind(position: number) {
      this.rewound = position;
      return (this.sentTo - position) / 8;
    },
  };
  readonly link = { handleAtMs: 95_000 as number | null };
  lastSpeechAtMs: number | null = 90_000;
  readonly recovery: Recovery;

  constructor() {
    const { clock, totals } = this;
    this.recovery = new Recovery({
      bot: { ...botSchema.parse({}), name: 'b', prompt: '' },
      clock,
      journal: new Journal(
        { ref: 'r', carrier: 'twilio', carrierCallId: 'CA1', bot: 'b', model: 'm' },
        () => clock.now(),
        [(entry) => this.entries.push(structuredClone(entry))],
      ),
      totals,
      memory: new ConversationMemory(),
      tools: this.tools as unknown as ToolDesk,
    });
    this.recovery.attach({
      uplink: this.uplink as unknown as Uplink,
      conversation: this.conversation as unknown as Conversation,
      samplesPerMs: 8,
    });
  }

  get quiet(): boolean {
    return this.recovery.isQuiet(this.link as SessionLink, this.lastSpeechAtMs, this.clock.now());
  }
}

/** A handle that came when so many samples of the caller had been sent. */
const handleOf = (uplinkPosition: number): HandleRecord => ({
  handle: 'h1',
  atMs: 99_000,
  epochMs: 0,
  under: 'nothing',
  uplinkPosition,
  epoch: 1,
  consumedIndex: null,
});

describe('a quiet moment', () => {
  test('is one in which nothing is going on', () => {
    expect(new Desk().quiet).toBe(true);
  });

  test.each<[string, (desk: Desk) => void]>([
    [
      'the caller is being heard to speak',
      (desk) => Object.assign(desk.conversation, { callerSpeaking: true }),
    ],
    [
      'the caller was silent for less than 300 ms',
      (desk) =>
        Object.assign(desk, {
          lastSpeechAtMs: 99_720,
          link: Object.assign(desk.link, { handleAtMs: 99_900 }),
        }),
    ],
    [
      'an utterance waits for its answer',
      (desk) => {
        desk.recovery.callerBegan(790_000, 90_000);
        desk.recovery.callerEnded(795_000, 600);
      },
    ],
    [
      'the model is making a turn',
      (desk) =>
        Object.assign(desk.conversation, { generating: true, lastModelAtMs: 97_100 }) &&
        Object.assign(desk.link, { handleAtMs: 99_000 }),
    ],
    ['a tool is at work', (desk) => Object.assign(desk.tools, { pending: 1 })],
    ['the newest update was no handle', (desk) => Object.assign(desk.link, { handleAtMs: null })],
    [
      'the handle is older than the last word of the model',
      (desk) => Object.assign(desk.conversation, { lastModelAtMs: 95_001 }),
    ],
    [
      'the handle is older than the last sound of the caller',
      (desk) => Object.assign(desk, { lastSpeechAtMs: 95_001 }),
    ],
    [
      'a text was not answered yet, though a handle came after it',
      (desk) => {
        desk.recovery.textSent();
        desk.link.handleAtMs = 100_000;
      },
    ],
    [
      'what a tool found was not answered yet, though a handle came after it',
      (desk) => {
        desk.recovery.toolAnswered();
        desk.link.handleAtMs = 100_000;
      },
    ],
  ])('is none while %s', (_what, change) => {
    const desk = new Desk();
    change(desk);
    expect(desk.quiet).toBe(false);
  });

  test('is one again when a text has been answered, or was not for 6 s, and a handle is newer', () => {
    const answered = new Desk();
    answered.recovery.textSent();
    answered.recovery.turnBegan(1);
    expect(answered.quiet).toBe(false);
    answered.link.handleAtMs = 100_000;
    expect(answered.quiet).toBe(true);
    const ignored = new Desk();
    ignored.recovery.textSent();
    ignored.link.handleAtMs = 100_001;
    ignored.clock.runUntil(105_999);
    expect(ignored.quiet).toBe(false);
    ignored.clock.runUntil(106_000);
    expect(ignored.quiet).toBe(true);
  });

  test('comes although a turn was never ended, 3 s after the last of it', () => {
    const desk = new Desk();
    Object.assign(desk.conversation, { generating: true, lastModelAtMs: 97_000 });
    desk.link.handleAtMs = 99_000;
    expect(desk.quiet).toBe(true);
  });
});

describe('the words of the caller', () => {
  test('are kept from 240 ms before the onset of what is not safe', () => {
    const desk = new Desk();
    desk.recovery.callerBegan(790_000, 90_000);
    expect(desk.uplink.needed).toBe(790_000 - 240 * 8);
    desk.recovery.callerEnded(795_000, 600);
    desk.recovery.turnBegan(1);
    expect(desk.uplink.needed).toBe(790_000 - 240 * 8);
    desk.recovery.turnOver(1);
    expect(desk.uplink.needed).toBeNull();
  });

  test('are sent again from there after a loss, and the gap is told', () => {
    const desk = new Desk();
    desk.recovery.taken();
    desk.recovery.callerBegan(790_000, 90_000);
    desk.recovery.interrupted(false);
    desk.clock.runUntil(101_000);
    desk.recovery.rewind('resumed', { queuedMs: 70, setupMs: 250 });
    desk.recovery.taken();
    expect(desk.uplink.rewound).toBe(790_000 - 240 * 8);
    expect(desk.entries).toMatchObject([
      {
        type: 'rotated',
        planned: false,
        how: 'resumed',
        gapMs: 1_000,
        queuedMs: 70,
        setupMs: 250,
        resentMs: 1_490,
      },
    ]);
    expect(desk.totals).toMatchObject({ rotations: 0, forcedRotations: 1 });
  });

  test.each([
    { what: 'from 240 ms before them', handleAt: 700_000, from: 800_000 - 240 * 8 },
    { what: 'from the handle on', handleAt: 799_000, from: 799_000 },
  ])('that began after a connection had been left are sent $what', ({ handleAt, from }) => {
    const desk = new Desk();
    desk.recovery.taken();
    desk.recovery.interrupted(true);
    desk.recovery.callerBegan(800_000, 100_100);
    desk.recovery.rewind('resumed', { queuedMs: 0, setupMs: 250 }, handleOf(handleAt));
    desk.recovery.taken();
    expect(desk.uplink.rewound).toBe(from);
    expect(desk.entries).toMatchObject([{ type: 'rotated', planned: true, resentMs: (800_000 - from) / 8 }]);
    expect(desk.totals).toMatchObject({ rotations: 1, forcedRotations: 0 });
  });

  test('that were held are caught up on, and that is told once', () => {
    const desk = new Desk();
    desk.recovery.taken();
    desk.recovery.interrupted(false);
    desk.recovery.callerBegan(800_000, 100_100);
    expect(desk.recovery.hasCaughtUp(100_000)).toBe(false);
    desk.recovery.rewind('resumed', { queuedMs: 0, setupMs: 250 }, handleOf(799_000));
    desk.uplink.heldMs = 1_240;
    expect(desk.recovery.hasCaughtUp(100_020)).toBe(false);
    desk.uplink.heldMs = 40;
    expect(desk.recovery.hasCaughtUp(101_240)).toBe(true);
    expect(desk.recovery.hasCaughtUp(101_260)).toBe(false);
    expect(desk.entries).toMatchObject([{ type: 'caught-up', afterMs: 1_240 }]);
  });

  test('that were not caught up on before the next loss are not said to be', () => {
    const desk = new Desk();
    desk.recovery.interrupted(false);
    desk.recovery.rewind('resumed', { queuedMs: 0, setupMs: 250 });
    desk.recovery.interrupted(false);
    expect(desk.recovery.hasCaughtUp(100_500)).toBe(false);
    desk.recovery.rewind('first', { queuedMs: 0, setupMs: 250 });
    expect(desk.recovery.hasCaughtUp(100_500)).toBe(false);
  });

  test('are sent again from before the handle where a connection broke', () => {
    const desk = new Desk();
    desk.recovery.callerBegan(799_500, 99_900);
    desk.recovery.interrupted(false);
    desk.recovery.rewind('resumed', { queuedMs: 0, setupMs: 250 }, handleOf(799_000));
    expect(desk.uplink.rewound).toBe(799_500 - 240 * 8);
  });

  test('never from before the call', () => {
    const desk = new Desk();
    desk.recovery.callerBegan(100, 90_000);
    desk.recovery.interrupted(false);
    desk.recovery.rewind('resumed', { queuedMs: 70, setupMs: 250 });
    expect(desk.uplink.rewound).toBe(0);
  });
});

describe('a handle', () => {
  test.each([
    { under: 'tool', tools: 1, generating: true, asks: true },
    { under: 'turn', tools: 0, generating: true, asks: true },
    { under: 'utterance', tools: 0, generating: false, asks: true },
    { under: 'nothing', tools: 0, generating: false, asks: false },
  ])('knows that it was given under $under', ({ under, tools, generating, asks }) => {
    const desk = new Desk();
    desk.tools.pending = tools;
    desk.conversation.generating = generating;
    if (asks) desk.recovery.callerBegan(790_000, 90_000);
    expect(desk.recovery.handleContext()).toEqual({ under, uplinkPosition: 800_000 });
  });
});
