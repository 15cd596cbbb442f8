/** The rotations of a call, read from its journal: when, why, whether anybody could notice, and what went on meanwhile. */
import type { JournalEntry } from '../../call/journal.ts';

export interface Rotation {
  /** Of the stream: the last audio that the old connection took, the first that the new one did. */
  readonly fromMs: number;
  readonly toMs: number;
  /** `age`, `notice`: the gateway left it; `broken`: it broke. */
  readonly cause: 'age' | 'notice' | 'broken';
  /** Left at a quiet moment; otherwise there was none in time. */
  readonly quiet: boolean;
  readonly how: 'resumed' | 'fresh';
  readonly gapMs: number;
  readonly setupMs: number;
  /** Of the caller, sent once more. */
  readonly resentMs: number;
  /** The caller interrupted the bot meanwhile, or a tool was at work over it. */
  readonly during: readonly ('barge-in' | 'tool')[];
}

/** The interruption that begins as the connection is left is recognised a moment later. */
const BARGE_IN_WITHIN_MS = 700;

export function rotationsOf(journal: readonly JournalEntry[], originMs: number): readonly Rotation[] {
  const rotations: Rotation[] = [];
  let cause: Rotation['cause'] = 'age';
  for (const entry of journal) {
    if (entry.type === 'rotation-due') cause = entry.cause === 'go-away' ? 'notice' : 'age';
    if (entry.type === 'session-lost') cause = 'broken';
    if (entry.type !== 'rotated') continue;
    const { planned, how, gapMs, setupMs, resentMs, atMs } = entry;
    const [fromMs, toMs] = [atMs - gapMs, atMs];
    rotations.push({
      fromMs: fromMs - originMs,
      toMs: toMs - originMs,
      cause,
      quiet: planned,
      how,
      gapMs,
      setupMs,
      resentMs,
      during: [
        ...(bargedIn(journal, fromMs, toMs) ? (['barge-in'] as const) : []),
        ...(toolsAcross(journal, fromMs, toMs) ? (['tool'] as const) : []),
      ],
    });
    cause = 'age';
  }
  return rotations;
}

const bargedIn = (journal: readonly JournalEntry[], fromMs: number, toMs: number): boolean =>
  journal.some(
    ({ type, atMs }) => type === 'barge-in' && atMs >= fromMs && atMs <= toMs + BARGE_IN_WITHIN_MS,
  );

/** A tool that was called before has not been answered by then. */
function toolsAcross(journal: readonly JournalEntry[], fromMs: number, toMs: number): boolean {
  const open = new Set<string>();
  for (const entry of journal) {
    if (entry.atMs >= toMs) break;
    if (entry.type === 'tool-called' && entry.atMs < fromMs) open.add(entry.id);
    if (entry.type === 'tool-answered') open.delete(entry.id);
    // The model asks again for what it has forgotten, and waits for that call alone.
    if (entry.type === 'tool-repeated') open.delete(entry.firstId);
  }
  return open.size > 0;
}

/** As it stands at its mark. */
export function rotationLabel({ quiet, cause, gapMs, resentMs, during }: Rotation): string {
  const parts = [
    `${quiet ? 'planned' : 'forced'}, ${CAUSES[cause]}`,
    `gap ${Math.round(gapMs)} ms`,
    ...(resentMs > 0 ? [`${(resentMs / 1_000).toFixed(1)} s resent`] : []),
    ...during.map((what) => (what === 'tool' ? 'a tool at work' : 'barge-in')),
  ];
  return parts.join(' · ');
}

const CAUSES: Readonly<Record<Rotation['cause'], string>> = {
  age: 'by age',
  notice: 'after notice',
  broken: 'it broke',
};
