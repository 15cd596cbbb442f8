/** What the caller heard, recognised: which of the bot's recordings, from where to where, and how true to it. */
import { Haystack, runningEnergy, telephoneBand } from './spectrum.ts';

export interface BotClip {
  readonly name: string;
  /** 24 kHz. */
  readonly samples: Int16Array;
}

export interface HeardClip {
  readonly name: string;
  /** In the call. */
  readonly fromMs: number;
  readonly toMs: number;
  /** The same stretch in the clip. */
  readonly clipFromMs: number;
  readonly clipToMs: number;
  readonly clipMs: number;
  /** What differs, 200 to 3300 Hz, after level and delay are fitted. G.711 alone leaves -30 to -33. */
  readonly residualDb: number;
}

const BLOCK = 160;
/** The loudest stretch of this length is looked up in every clip. */
const NEEDLE = 3_200;
const WANTED_SCORE = 0.7;
const SAME_DB = -10;
/** Pauses inside a clip are longer than a block, but not than this. */
const MAX_UNLIKE_BLOCKS = 15;
const MAX_PIECES = 8;

interface PreparedClip {
  readonly name: string;
  readonly lengthMs: number;
  /** 8 kHz, taken at each of the three phases that a 3:1 converter may have picked. */
  readonly phases: readonly Float64Array[];
  readonly haystack: Haystack;
}

export class ClipRecognizer {
  readonly #clips: readonly PreparedClip[];

  constructor(clips: readonly BotClip[]) {
    this.#clips = clips.map(({ name, samples }) => {
      const band = telephoneBand(samples, 24_000);
      const phases = [0, 1, 2].map((phase) => everyNth(band, 3, phase));
      const lengthMs = samples.length / 24;
      return { name, lengthMs, phases, haystack: new Haystack(phases[1]!, NEEDLE) };
    });
  }

  /**
   * Recognises the clips in one unbroken stretch of what was heard, in order of time.
   * @param sampleRate hertz, a multiple of 8 kHz: of it, only the telephone's band is looked at
   */
  recognize(heard: Int16Array, startMs: number, sampleRate = 8_000): readonly HeardClip[] {
    const band = everyNth(telephoneBand(heard, sampleRate), sampleRate / 8_000, 0);
    const found: HeardClip[] = [];
    const open: { from: number; to: number }[] = [{ from: 0, to: band.length }];
    while (open.length > 0 && found.length < MAX_PIECES) {
      const part = open.shift()!;
      const match = this.#matchPart(band, part.from, part.to);
      if (match === null) continue;
      const { from, to, clip, lag, residualDb } = match;
      found.push({
        name: clip.name,
        fromMs: startMs + from / 8,
        toMs: startMs + to / 8,
        clipFromMs: Math.max(0, (from + lag) / 8),
        clipToMs: Math.min(clip.lengthMs, (to + lag) / 8),
        clipMs: clip.lengthMs,
        residualDb,
      });
      if (from - part.from >= NEEDLE / 2) open.push({ from: part.from, to: from });
      if (part.to - to >= NEEDLE / 2) open.push({ from: to, to: part.to });
    }
    return found.sort((a, b) => a.fromMs - b.fromMs);
  }

  #matchPart(band: Float64Array, from: number, to: number) {
    const at = loudest(band, from, to);
    const needle = band.subarray(at, Math.min(to, at + NEEDLE));
    if (needle.length < BLOCK * 4) return null;
    let best: { clip: PreparedClip; lag: number; score: number } | null = null;
    for (const clip of this.#clips) {
      const fit = clip.haystack.find(needle);
      if (fit !== null && fit.score > (best?.score ?? WANTED_SCORE)) {
        best = { clip, lag: fit.lag - at, score: fit.score };
      }
    }
    if (best === null) return null;
    const { clip } = best;
    const aligned = finest(band, needle.length, at, clip, best.lag);
    const span = extend(band, aligned, at, from, to);
    return { ...span, clip, lag: aligned.lag };
  }
}

interface Alignment {
  readonly reference: Float64Array;
  /** Sample n of what was heard is sample n + lag of the reference. */
  readonly lag: number;
  readonly gain: number;
}

/** The phase and the lag (to a third of a sample) that leave the least. */
function finest(
  band: Float64Array,
  length: number,
  at: number,
  clip: PreparedClip,
  roughLag: number,
): Alignment {
  let best: Alignment & { error: number } = {
    reference: clip.phases[1]!,
    lag: roughLag,
    gain: 1,
    error: Number.POSITIVE_INFINITY,
  };
  for (const reference of clip.phases) {
    for (let lag = roughLag - 2; lag <= roughLag + 2; lag += 1) {
      let dot = 0;
      let energy = 0;
      let own = 0;
      for (let i = at; i < at + length; i += 1) {
        const wanted = reference[i + lag] ?? 0;
        dot += band[i]! * wanted;
        energy += wanted * wanted;
        own += band[i]! ** 2;
      }
      if (energy === 0) continue;
      const error = own - (dot * dot) / energy;
      if (error < best.error) best = { reference, lag, gain: dot / energy, error };
    }
  }
  return best;
}

/** Grows from the needle in both directions for as long as the two are alike. */
function extend(
  band: Float64Array,
  { reference, lag, gain }: Alignment,
  at: number,
  from: number,
  to: number,
) {
  const least = Math.max(from, -lag);
  const most = Math.min(to, reference.length - lag);
  let errorEnergy = 0;
  let energy = 0;

  const isAlike = (start: number, end: number): boolean => {
    let error = 0;
    let own = 0;
    let theirs = 0;
    for (let i = start; i < end; i += 1) {
      const wanted = reference[i + lag]! * gain;
      error += (band[i]! - wanted) ** 2;
      own += band[i]! ** 2;
      theirs += wanted ** 2;
    }
    const loud = Math.max(own, theirs) / (end - start) > 20 ** 2;
    const alike = error < Math.max(own, theirs) * 10 ** (SAME_DB / 10) || !loud;
    if (alike) {
      errorEnergy += error;
      energy += theirs;
    }
    return alike;
  };

  let end = at;
  for (let probe = at, unlike = 0; probe < most && unlike <= MAX_UNLIKE_BLOCKS; probe += BLOCK) {
    const stop = Math.min(most, probe + BLOCK);
    if (isAlike(probe, stop)) {
      end = stop;
      unlike = 0;
    } else unlike += 1;
  }
  let start = at;
  for (let probe = at, unlike = 0; probe > least && unlike <= MAX_UNLIKE_BLOCKS; probe -= BLOCK) {
    const begin = Math.max(least, probe - BLOCK);
    if (isAlike(begin, probe)) {
      start = begin;
      unlike = 0;
    } else unlike += 1;
  }
  return {
    from: start,
    to: Math.max(end, start + 1),
    // At the clip's own rate nothing may be left at all.
    residualDb: energy === 0 ? 0 : 10 * Math.log10(Math.max(errorEnergy / energy, 1e-12)),
  };
}

function loudest(band: Float64Array, from: number, to: number): number {
  const energy = runningEnergy(band.subarray(from, to));
  let best = { at: from, energy: -1 };
  for (let at = 0; at === 0 || at + NEEDLE <= to - from; at += BLOCK) {
    const here = energy[Math.min(at + NEEDLE, to - from)]! - energy[at]!;
    if (here > best.energy) best = { at: from + at, energy: here };
  }
  return best.at;
}

function everyNth(signal: Float64Array, step: number, phase: number): Float64Array {
  if (step === 1) return signal;
  return Float64Array.from(
    { length: Math.ceil(signal.length / step) },
    (_, i) => signal[i * step + phase] ?? 0,
  );
}
