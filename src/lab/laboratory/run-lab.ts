/** The laboratory: calls by the hundred on virtual time, under faults by chance, and what was found to be broken. */
import type { JournalEntry } from '../../call/journal.ts';
import { FAMILY_IDS, type FamilyId } from '../../gemini/families.ts';
import { seededRandom } from '../network/random.ts';
import { type Calamity, Exchange, type Sound } from './exchange.ts';
import { invariantsFor, NOTHING_LEFT } from './invariants/all.ts';
import type { LabCall } from './lab-call.ts';
import { ALL_FAULTS, type FaultKind, type Mix, planCall, seedOf } from './plan.ts';
import { addTotals, emptyLabTotals, type LabTotals } from './totals.ts';

export interface LabOptions {
  readonly seed?: number;
  /** How many, unless hours or time end it before. Default 100. */
  readonly calls?: number;
  /** Length of a call, on average. Default 30. */
  readonly minutes?: number;
  /** Default: all. */
  readonly faults?: readonly FaultKind[];
  /** Between two faults of the service, minutes. Default 2. */
  readonly meanMinutes?: number;
  readonly families?: readonly FamilyId[];
  /** Random values of what nobody knows for sure. Default true. */
  readonly behaviours?: boolean;
  readonly sound?: Sound;
  /** Calls that share a process, and its calamities. Default 10. */
  readonly together?: number;
  /** This call alone is judged, in the company that it had. */
  readonly only?: number;
  /** Stops once so many call-hours were simulated. */
  readonly hours?: number;
  /** Stops after so much real time, between two groups or within one. */
  readonly budgetMs?: number;
  readonly onEntry?: (call: number, entry: JournalEntry) => void;
  readonly onProgress?: (progress: LabProgress) => void;
  readonly signal?: AbortSignal;
}

export interface LabProgress {
  readonly callsDone: number;
  readonly callMs: number;
  readonly wallMs: number;
  readonly broken: number;
}

export interface BrokenInvariant {
  readonly invariant: string;
  readonly sentence: string;
  readonly seed: number;
  /** Null: of a whole group. */
  readonly call: number | null;
  readonly atMs: number | null;
  readonly detail: string;
}

export interface LabReport {
  readonly seed: number;
  readonly callMs: number;
  readonly wallMs: number;
  readonly totals: LabTotals;
  readonly broken: readonly BrokenInvariant[];
  /** Megabytes after each group, as the process has it. */
  readonly heapMb: readonly number[];
  /** It was stopped by its time or a signal; the calls of the last group were cut short. */
  readonly cutShort: boolean;
}

/** Virtual time between two looks at the real one. */
const SLICE_MS = 10_000;
/** A caller may stay a third longer than the average, and the last words take their time. */
const LONGEST = 1.4;
const CALAMITY_EVERY_MS = 20 * 60_000;
const AWAY_MS = 20_000;

export async function runLab(options: LabOptions = {}): Promise<LabReport> {
  const { seed = 1, calls = 100, minutes = 30, sound = 'counters', together = 10, only } = options;
  const mix: Mix = {
    seed,
    minutes,
    faults: new Set(options.faults ?? ALL_FAULTS),
    meanMinutes: options.meanMinutes ?? 2,
    families: options.families ?? FAMILY_IDS,
    behaviours: options.behaviours ?? true,
  };
  const startedAtMs = performance.now();
  const wallMs = (): number => performance.now() - startedAtMs;
  const totals = emptyLabTotals();
  const broken: BrokenInvariant[] = [];
  const heapMb: number[] = [];
  const overdue = (): boolean =>
    options.signal?.aborted === true || wallMs() > (options.budgetMs ?? Number.POSITIVE_INFINITY);
  let callMs = 0;
  let cutShort = false;
  const groups = only === undefined ? Math.ceil(calls / together) : 1;
  for (let group = 0; group < groups; group++) {
    const number = only === undefined ? group : Math.floor(only / together);
    const first = number * together;
    // The last group may be a smaller one, and its calls had that company.
    const last = only === undefined || only < calls ? Math.min(calls, first + together) : first + together;
    const exchange = new Exchange({
      seed: seedOf(seed, first),
      sound,
      plans: Array.from({ length: last - first }, (_, index) => planCall(mix, first + index)),
      calamities: calamitiesOf(mix, number),
      ...(options.onEntry === undefined ? {} : { onEntry: options.onEntry }),
    });
    const soFarMs = callMs;
    while (exchange.running > 0 && exchange.elapsedMs < minutes * 60_000 * LONGEST + 60_000) {
      await exchange.run(SLICE_MS);
      callMs = soFarMs + exchange.calls.reduce((sum, call) => sum + durationOf(call, exchange), 0);
      const callsDone = totals.calls + exchange.calls.length - exchange.running;
      options.onProgress?.({ callsDone, callMs, wallMs: wallMs(), broken: broken.length });
      await nextTurn();
      cutShort = overdue();
      if (cutShort) break;
    }
    await exchange.finish();
    for (const call of exchange.begun) {
      if (only !== undefined && call.plan.number !== only) continue;
      addTotals(totals, call);
      broken.push(...judge(call, sound, seed));
    }
    if (only === undefined)
      for (const detail of exchange.leftovers)
        broken.push({
          invariant: NOTHING_LEFT.name,
          sentence: NOTHING_LEFT.sentence,
          seed,
          call: null,
          atMs: null,
          detail,
        });
    heapMb.push(Math.round(process.memoryUsage().heapUsed / 1_048_576));
    if (cutShort || callMs >= (options.hours ?? Number.POSITIVE_INFINITY) * 3_600_000) break;
  }
  return { seed, callMs, wallMs: wallMs(), totals, broken, heapMb, cutShort };
}

export function judge(call: LabCall, sound: Sound, seed: number): BrokenInvariant[] {
  return invariantsFor(sound).flatMap((invariant) =>
    invariant.check(call).map(({ atMs, detail }) => ({
      invariant: invariant.name,
      sentence: invariant.sentence,
      seed,
      call: call.plan.number,
      atMs,
      detail,
    })),
  );
}

function durationOf(call: LabCall, exchange: Exchange): number {
  if (call.startedAtMs === 0) return 0;
  return (call.over ? call.endedAtMs : exchange.clock.now()) - call.startedAtMs;
}

function calamitiesOf({ seed, minutes, faults }: Mix, group: number): Calamity[] {
  const random = seededRandom(seedOf(seed, 1_000_003 + group));
  const calamities: Calamity[] = [];
  for (let fromMs = 0; fromMs < minutes * 60_000; fromMs += CALAMITY_EVERY_MS) {
    const at = (): number => Math.round(fromMs + 60_000 + random() * (CALAMITY_EVERY_MS - 60_000));
    const massLossAtMs = at();
    const awayAtMs = at();
    const handles = random() < 0.5 ? 'kept' : 'lost';
    if (faults.has('mass-loss')) calamities.push({ atMs: massLossAtMs, what: { kind: 'mass-loss' } });
    if (faults.has('away'))
      calamities.push({ atMs: awayAtMs, what: { kind: 'away', forMs: AWAY_MS, handles } });
  }
  return calamities;
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
