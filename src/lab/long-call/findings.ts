/** What the long call has shown, and which of its rules were broken. */
import type { JournalEntry } from '../../call/journal.ts';
import { LONGEST_DEAD_AIR_MS } from '../laboratory/invariants/no-dead-air.ts';
import type { Measures } from '../report/measure.ts';
import type { Said } from './caller.ts';
import type { LongCall } from './play.ts';
import type { Blow, PlannedBlow } from './plot.ts';
import { type Rotation, rotationsOf } from './rotations.ts';
import { accountSpeech, type SpeechAccount } from './speech-account.ts';

export interface ToolFigures {
  /** By the model, without those that it had forgotten and asked for again. */
  readonly called: number;
  readonly askedAgain: number;
  readonly answered: number;
}

export interface Findings {
  readonly rotations: readonly Rotation[];
  readonly speech: SpeechAccount;
  /** The longest that the caller heard nothing while an answer was due, and from when on. */
  readonly deadAir: { readonly fromMs: number; readonly forMs: number };
  readonly greetings: number;
  readonly tools: ToolFigures;
  readonly tokens: { readonly prompt: number; readonly response: number };
  readonly sessions: number;
  readonly bugs: readonly string[];
  /** A sentence for each rule that was broken; empty when all is well. */
  readonly broken: readonly string[];
}

export function findingsOf(
  call: LongCall,
  measures: Measures,
  greetingClip: string,
  blows: readonly PlannedBlow[],
): Findings {
  const { journal, run } = call;
  const totals = journal.findLast((entry) => entry.type === 'call-ended')?.totals;
  const clips = measures.turns.flatMap((turn) => turn.clips);
  const found = {
    rotations: rotationsOf(journal, run.originMs),
    speech: accountSpeech(call.said, run.sent, call.heardByModel, call.connections),
    deadAir: longestDeadAir(call.said, measures),
    greetings: clips.filter(({ name, clipFromMs }) => name === greetingClip && clipFromMs < HEAD_MS).length,
    tools: toolsOf(journal),
    tokens: { prompt: totals?.promptTokens ?? 0, response: totals?.responseTokens ?? 0 },
    sessions: call.sessions,
    bugs: journal.flatMap((entry) => (entry.type === 'bug' ? [`${entry.where}: ${entry.detail}`] : [])),
  };
  return { ...found, broken: brokenRules(call, measures, found, new Set(blows.map(({ blow }) => blow))) };
}

/** A clip that begins later was taken up again where it had been stopped. */
const HEAD_MS = 500;

function toolsOf(journal: readonly JournalEntry[]): ToolFigures {
  const count = (type: JournalEntry['type']): number => journal.filter((entry) => entry.type === type).length;
  const askedAgain = count('tool-repeated');
  return { called: count('tool-called') - askedAgain, askedAgain, answered: count('tool-answered') };
}

/** Between the caller's last sound and the first of the last thing that the bot says to it, fillers in between. */
function longestDeadAir(said: readonly Said[], { turns }: Measures): Findings['deadAir'] {
  let longest = { fromMs: 0, forMs: 0 };
  said.forEach(({ toMs }, index) => {
    const untilMs = said[index + 1]?.fromMs ?? Number.POSITIVE_INFINITY;
    let silentFromMs = toMs;
    for (const turn of turns) {
      if (turn.toMs <= toMs || turn.audibleFromMs >= untilMs) continue;
      const forMs = turn.audibleFromMs - silentFromMs;
      if (forMs > longest.forMs) longest = { fromMs: silentFromMs, forMs };
      silentFromMs = Math.max(silentFromMs, turn.toMs);
    }
  });
  return longest;
}

function brokenRules(
  { run, sessions }: LongCall,
  measures: Measures,
  found: Omit<Findings, 'broken'>,
  blows: ReadonlySet<Blow>,
): readonly string[] {
  const { rotations, speech, deadAir, greetings, tools, bugs } = found;
  const { ended } = measures.gateway ?? {};
  const rules: readonly (readonly [holds: boolean, otherwise: string])[] = [
    [
      ended?.who === 'bot' && ended.how === 'completed',
      `The call was ended by ${ended?.who ?? run.end.by} (${ended?.how ?? run.end.how}); the bot is to hang up after the goodbye.`,
    ],
    [rotations.length >= 3, `${rotations.length} rotations were seen; at least 3 are wanted.`],
    [sessions === 1, `${sessions} sessions were opened; one is to outlive all its connections.`],
    [
      rotations.every(({ how }) => how === 'resumed'),
      'A connection began with a new session; all are to resume the old one.',
    ],
    [
      !blows.has('notice') || rotations.some(({ quiet }) => quiet),
      'No connection was replaced at a quiet moment.',
    ],
    [
      !blows.has('broken') || rotations.some(({ cause, resentMs }) => cause === 'broken' && resentMs > 0),
      'The connection that broke while the caller spoke was not followed by what they had said.',
    ],
    [
      !blows.has('interrupted') || rotations.some(({ during }) => during.includes('barge-in')),
      'No interruption fell into a rotation.',
    ],
    [
      !blows.has('tool') || rotations.some(({ during }) => during.includes('tool')),
      'No tool was at work over a rotation.',
    ],
    [
      tools.called === tools.answered,
      `${tools.called} tools were called and ${tools.answered} answers given; each call is to be answered once.`,
    ],
    [speech.lostSamples === 0, `${speech.lostSamples} samples of the caller’s speech reached no connection.`],
    [speech.damagedSamples === 0, `${speech.damagedSamples} samples of the caller’s speech were damaged.`],
    [speech.doubledSamples === 0, `The session heard ${speech.doubledSamples} samples of speech twice.`],
    [greetings === 1, `${greetings} greetings were heard; one is wanted.`],
    [
      deadAir.forMs <= LONGEST_DEAD_AIR_MS,
      `A caller who waited heard nothing for ${(deadAir.forMs / 1_000).toFixed(1)} s; ${LONGEST_DEAD_AIR_MS / 1_000} s are the most.`,
    ],
    [measures.underruns.length === 0, `${measures.underruns.length} turns had a break in them.`],
    [measures.invalidMessages === 0, `${measures.invalidMessages} messages would not do for the carrier.`],
    [bugs.length === 0, `The gateway noted a fault of its own: ${bugs[0] ?? ''}`],
  ];
  return rules.flatMap(([holds, otherwise]) => (holds ? [] : [otherwise]));
}
