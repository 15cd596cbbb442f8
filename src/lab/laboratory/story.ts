/** What a caller of the laboratory does, one act after the other; by chance with a seed, or written down for a test. */
import type { Random } from '../network/random.ts';

/** When an act begins: once the bot has said its say (or seems to have nothing to say), while it speaks, or as it comes. */
export type Cue = 'bot-quiet' | 'bot-speaks' | 'at-once';

export interface Act {
  readonly cue: Cue;
  /** From the cue to the act. */
  readonly afterMs: number;
  readonly does:
    | { readonly kind: 'talk'; readonly ms: number }
    /** Noise of the throat: not to be answered. */
    | { readonly kind: 'cough'; readonly ms: number }
    | { readonly kind: 'silence'; readonly ms: number }
    | { readonly kind: 'keys'; readonly digits: string }
    /** The carrier's stream: breaks and comes back, or another one takes over while it is there. */
    | { readonly kind: 'stream'; readonly how: 'breaks' | 'replaced' }
    | { readonly kind: 'hang-up' };
}

export interface Story {
  /** Acts in order; at their end, or at `longestMs`, the caller hangs up. */
  readonly acts: Iterator<Act>;
  /** From the first frame. */
  readonly longestMs: number;
}

export const talk = (ms: number, cue: Cue = 'bot-quiet', afterMs = 400): Act => ({
  cue,
  afterMs,
  does: { kind: 'talk', ms },
});

export const wait = (ms: number): Act => ({ cue: 'at-once', afterMs: 0, does: { kind: 'silence', ms } });

/** A story that is written down. */
export function scriptedStory(acts: readonly Act[], longestMs = Number.POSITIVE_INFINITY): Story {
  return { acts: acts[Symbol.iterator](), longestMs };
}

/** The kinds of acts and how often each comes. */
const SHARES = [
  ['talk', 46],
  ['interrupt', 18],
  ['short', 12],
  ['cough', 8],
  ['pause', 6],
  ['long-silence', 2],
  ['keys', 3],
  ['long-talk', 4],
  ['stream', 1],
] as const;
type Kind = (typeof SHARES)[number][0];
const ALL_SHARES = SHARES.reduce((sum, [, share]) => sum + share, 0);

/** A caller by chance who stays about `minutes`. `streams`: their carrier's streams break now and then. */
export function randomStory(random: Random, minutes: number, streams: boolean): Story {
  return { acts: acts(random, streams), longestMs: minutes * 60_000 * (0.7 + random() * 0.6) };
}

function* acts(random: Random, streams: boolean): Generator<Act, undefined> {
  const between = (low: number, high: number): number => Math.round(low + random() * (high - low));
  for (;;) {
    const kind = draw(random);
    if (kind !== 'stream' || streams) yield actOf(kind, between, random);
  }
}

function draw(random: Random): Kind {
  let at = random() * ALL_SHARES;
  for (const [kind, share] of SHARES) {
    at -= share;
    if (at < 0) return kind;
  }
  return 'talk';
}

function actOf(kind: Kind, between: (low: number, high: number) => number, random: Random): Act {
  switch (kind) {
    case 'talk':
      return talk(between(600, 4_000), 'bot-quiet', between(100, 1_500));
    case 'long-talk':
      return talk(between(6_000, 25_000), 'bot-quiet', between(100, 1_500));
    case 'short':
      return talk(between(340, 440), 'bot-quiet', between(60, 900));
    case 'interrupt':
      return talk(between(500, 3_000), 'bot-speaks', between(200, 2_500));
    case 'cough':
      return {
        cue: random() < 0.7 ? 'bot-speaks' : 'bot-quiet',
        afterMs: between(100, 1_500),
        does: { kind: 'cough', ms: between(80, 180) },
      };
    case 'pause':
      return wait(between(1_000, 8_000));
    case 'long-silence':
      return wait(60_000);
    case 'keys':
      return {
        cue: 'bot-quiet',
        afterMs: 300,
        does: { kind: 'keys', digits: String(between(1, 9_999)) },
      };
    case 'stream':
      return {
        cue: random() < 0.5 ? 'bot-speaks' : 'bot-quiet',
        afterMs: between(0, 1_000),
        does: { kind: 'stream', how: random() < 0.5 ? 'breaks' : 'replaced' },
      };
  }
}
