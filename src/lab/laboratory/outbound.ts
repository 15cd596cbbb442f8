/**
 * What became of the model's counted voice: what the call was given, what it wrote to the carrier, what the caller heard.
 * Each answer of the model has a clip of its own, so that every sample tells its turn.
 */
import { SampleAssembler } from '../../audio/pcm.ts';
import type { LiveEvent } from '../../gemini/live-session.ts';
import type { Clip } from '../clip.ts';
import { CounterReader } from './counters.ts';
import type { Piece } from './playback.ts';
import {
  clipOf,
  indexIn,
  isFillerClip,
  isGatewayClip,
  isGreetingClip,
  MODEL_CLIPS,
  modelClip,
} from './voices.ts';

const RATE_PER_MS = 24;
/** A stop's account may be wrong by a line's delay and a mark's distance; no more than this is played again. */
const REPLAY_MS = 60;

export interface Finding {
  readonly atMs: number;
  readonly what: string;
}

/** What is known of one answer of the model. */
interface Track {
  readonly clip: number;
  readonly isGreeting: boolean;
  /** First sample that the call was given; null before. */
  begins: number | null;
  given: number;
  /** Where it stood when the model said that it was interrupted. */
  brokenOffAt: number | null;
  /** What lies before this must not be written any more. */
  deadTo: number;
  /** Where it stood when it was stopped. */
  stoppedAt: number;
  /** What still comes of it may be played: the call could not but take it for something new. */
  mayGoOn: boolean;
  heard: number;
}

interface Written {
  readonly atMs: number;
  readonly ms: number;
}

interface Stop {
  readonly atMs: number;
  readonly before: readonly { readonly track: Track; readonly deadTo: number }[];
}

export class Outbound {
  readonly #now: () => number;
  /** How far the call's reckoning of what was heard may be off: what the line adds. */
  readonly #lineMs: number;
  readonly #tracks = new Map<number, Track>();
  readonly #recent: Track[] = [];
  #asked = 0;
  #newest: Track | null = null;
  readonly #given = new SampleAssembler();
  readonly #givenReader: CounterReader;
  readonly #written = new SampleAssembler();
  readonly #writtenReader: CounterReader;
  #pieces: Piece[] = [];
  #perhapsStale: Written[] = [];
  #wentOn: Written[] = [];
  #stop: Stop | null = null;
  #last: { readonly track: Track; to: number; breaks: number } | null = null;
  /** Clears that have reached the carrier and changes of the stream: behind one, playing goes on from a reckoning. */
  #breaks = 0;
  greetings = 0;
  fillers = 0;
  foreignSamples = 0;
  heardSamples = 0;
  readonly disorder: Finding[] = [];

  constructor(now: () => number, lineMs: number) {
    this.#now = now;
    this.#lineMs = lineMs;
    this.#givenReader = new CounterReader({
      counted: (from, to) => this.#onGiven(from, to),
      quiet: () => {},
      foreign: () => {},
    });
    this.#writtenReader = new CounterReader({
      counted: (from, to) => this.#onWritten(from, to),
      quiet: (samples) => this.#pieces.push({ kind: 'quiet', samples }),
      foreign: (samples) => this.#pieces.push({ kind: 'foreign', samples }),
    });
  }

  get breaks(): number {
    return this.#breaks;
  }

  /** Stale audio is known for such only when it is clear that playing was not taken up again on purpose. */
  get stale(): readonly Finding[] {
    return this.#perhapsStale.map(({ atMs, ms: length }) => ({
      atMs,
      what: `${length} ms that had been cleared were written`,
    }));
  }

  /** What came of a turn after it had been stopped, and was written all the same. */
  get wentOn(): readonly Finding[] {
    return this.#wentOn.map(({ atMs, ms: length }) => ({
      atMs,
      what: `${length} ms more of a turn that had been stopped were written`,
    }));
  }

  /** The voice of the answer that was asked for last. */
  get newest(): { readonly begins: number | null } | null {
    return this.#newest;
  }

  /** The next answer's clip. */
  voice(isGreeting: boolean): Clip {
    const clip = this.#asked++ % MODEL_CLIPS;
    const track: Track = {
      clip,
      isGreeting,
      begins: null,
      given: 0,
      brokenOffAt: null,
      deadTo: 0,
      stoppedAt: 0,
      mayGoOn: false,
      heard: 0,
    };
    this.#tracks.set(clip, track);
    this.#newest = track;
    return modelClip(clip);
  }

  /** Events that the call has been given. */
  given(events: readonly LiveEvent[]): void {
    for (const event of events) {
      if (event.type === 'audio') this.#givenReader.push(this.#given.push(event.bytes));
      else if (event.type === 'interrupted') {
        const track = this.#recent.at(-1);
        if (track !== undefined) track.brokenOffAt ??= track.given;
      }
    }
  }

  /** The call has written audio. */
  written(bytes: Uint8Array): readonly Piece[] {
    this.#pieces = [];
    this.#writtenReader.push(this.#written.push(bytes));
    return this.#pieces;
  }

  /** The call has written `clear`: what it was given before is over, unless it takes it up again. */
  cleared(): void {
    this.#stop = {
      atMs: this.#now(),
      before: this.#recent.map((track) => ({ track, deadTo: track.deadTo })),
    };
    const newest = this.#recent.at(-1);
    for (const track of this.#recent)
      track.deadTo =
        track === newest && !track.mayGoOn ? Number.POSITIVE_INFINITY : Math.max(track.deadTo, track.given);
    if (newest !== undefined) newest.stoppedAt = newest.given;
  }

  /** The call says that it was no interruption. */
  resumed(): void {
    for (const { track, deadTo } of this.#stop?.before ?? []) track.deadTo = deadTo;
    const nowMs = this.#now();
    this.#perhapsStale = this.#perhapsStale.filter(({ atMs }) => atMs !== nowMs);
    this.#wentOn = this.#wentOn.filter(({ atMs }) => atMs !== nowMs);
  }

  /**
   * The call has dropped what it could of a turn that was stopped, and a model that talks on all the same is let through;
   * or the connection is lost, and a session that is taken up may still deliver what was on its way.
   */
  goesOn(): void {
    const nowMs = this.#now();
    for (const track of this.#recent) {
      track.mayGoOn = true;
      track.deadTo = Math.min(track.deadTo, Math.max(track.stoppedAt, track.given));
    }
    this.#wentOn = this.#wentOn.filter(({ atMs }) => atMs !== nowMs);
  }

  /** A clear has reached the carrier, or another stream plays from now on. */
  broken(): void {
    this.#breaks += 1;
  }

  /** The caller hears it. */
  heard(piece: Piece, atMs: number): void {
    if (piece.kind === 'foreign') this.foreignSamples += piece.samples;
    if (piece.kind !== 'counted') return;
    const clip = clipOf(piece.from);
    const from = indexIn(piece.from);
    if (isGatewayClip(clip)) {
      if (from === 0 && isGreetingClip(clip)) this.greetings += 1;
      if (from === 0 && isFillerClip(clip)) this.fillers += 1;
      this.heardSamples += piece.samples;
      return;
    }
    const track = this.#tracks.get(clip);
    if (track !== undefined) this.#hear(track, from, from + piece.samples, atMs);
  }

  #hear(track: Track, from: number, to: number, atMs: number): void {
    const last = this.#last;
    const breaks = this.#breaks - (last?.breaks ?? 0);
    const excused = last === null || breaks > 0;
    if (last?.track === track) this.#compare(track, last.to, from, breaks, atMs);
    else {
      if (track.isGreeting && track.heard === 0) this.greetings += 1;
      if (last !== null && !excused) this.#checkEnd(last.track, last.to, atMs);
      const begins = track.begins ?? 0;
      if (track.heard === 0 && ms(from - begins) >= 1 && !excused)
        this.#note(atMs, `a turn began ${ms(from - begins)} ms late`);
    }
    this.heardSamples += Math.max(0, to - Math.max(from, track.heard));
    track.heard = Math.max(track.heard, to);
    this.#last = { track, to, breaks: this.#breaks };
  }

  /** @param breaks since the last that was heard: at each of them playing goes on from a reckoning */
  #compare(track: Track, expected: number, from: number, breaks: number, atMs: number): void {
    const by = ms(Math.abs(from - expected));
    if (by === 0) return;
    if (from < expected && by > breaks * (REPLAY_MS + this.#lineMs))
      this.#note(atMs, `${by} ms of a turn were played again`);
    // What came of a turn after it was broken off or stopped is another matter: see `wentOn`.
    const brokenOff = from >= (track.brokenOffAt ?? Number.POSITIVE_INFINITY);
    const goesOn = brokenOff || track.mayGoOn || track.deadTo > from;
    if (from > expected && !goesOn && by > breaks * this.#lineMs)
      this.#note(atMs, `${by} ms are missing inside a turn`);
  }

  #checkEnd(track: Track, to: number, atMs: number): void {
    const missing = (track.brokenOffAt ?? track.given) - to;
    if (ms(missing) >= 1) this.#note(atMs, `the last ${ms(missing)} ms of a turn were not played`);
  }

  #onGiven(place: number, to: number): void {
    const track = this.#tracks.get(clipOf(place));
    if (track === undefined) return;
    const from = indexIn(place);
    // A place that no sample of it has: noise of a fault that happens to look like one.
    if (from >= modelClip(track.clip).samples.length) return;
    if (track.begins === null) {
      track.begins = from;
      this.#recent.push(track);
      if (this.#recent.length > RECENT) this.#recent.shift();
    }
    track.given = Math.max(track.given, from + to - place);
  }

  #onWritten(place: number, to: number): void {
    this.#pieces.push({ kind: 'counted', from: place, samples: to - place });
    const track = this.#tracks.get(clipOf(place));
    if (track === undefined || indexIn(place) >= track.deadTo || ms(to - place) === 0) return;
    const finding = { atMs: this.#now(), ms: ms(to - place) };
    const list = indexIn(place) < track.stoppedAt ? this.#perhapsStale : this.#wentOn;
    if (list.length < MOST_FINDINGS) list.push(finding);
  }

  #note(atMs: number, what: string): void {
    if (this.disorder.length < MOST_FINDINGS) this.disorder.push({ atMs, what });
  }
}

const RECENT = 8;
const MOST_FINDINGS = 100;
const ms = (samples: number): number => Math.round(samples / RATE_PER_MS);
