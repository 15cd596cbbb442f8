/**
 * How much of what a caller said arrived, and how much of it twice. The gateway's converter puts every sample of the
 * line, as it is, at every second place of what the model hears; so a frame of 20 ms is looked for bit by bit, and
 * wherever a connection broke off and another one went on it is found or it is not.
 */

/** In samples of what was said. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

export interface Arrived {
  /** Of the frames that can be told apart. */
  readonly lostMs: number;
  readonly doubledMs: number;
  readonly countedMs: number;
}

const FRAME = 160;
const FRAME_MS = 20;
/** Quieter than that is the line's noise, and nobody's word. */
const AUDIBLE = 256;
const FILTER_SIZE = 1 << 16;

interface SpokenFrame {
  readonly utterance: number;
  readonly at: number;
  /** Of its loudest two samples, by which it is looked up. */
  readonly probe: number;
}

export class SpokenFrames {
  readonly #said: Int16Array;
  readonly #utterances: number;
  readonly #frames: readonly SpokenFrame[];
  readonly #byProbe = new Map<number, number[]>();
  /** Most places of a line are no frame's probe, and this tells at once. */
  readonly #filter = new Uint8Array(FILTER_SIZE);

  /**
   * @param said 8 kHz, decoded from the bytes that were sent
   * @param utterances each counted by itself; what sounds the same twice is not counted
   */
  constructor(said: Int16Array, utterances: readonly Stretch[]) {
    this.#said = said;
    this.#utterances = utterances.length;
    this.#frames = framesOf(said, utterances);
    for (const [index, { at, probe }] of this.#frames.entries()) {
      const [first, second] = [said[at + probe]!, said[at + probe + 1]!];
      const key = keyOf(first, second);
      this.#filter[slotOf(first, second)] = 1;
      const known = this.#byProbe.get(key);
      if (known === undefined) this.#byProbe.set(key, [index]);
      else known.push(index);
    }
  }

  /** How often each frame is in what the model got, at 16 kHz. */
  inUplink(heard: Int16Array): Uint16Array {
    const found = new Uint16Array(this.#frames.length);
    // Which of each two samples is the line's own depends on where the converter began.
    for (const phase of [0, 1]) {
      const line = new Int16Array((heard.length - phase) >> 1);
      for (let i = 0; i < line.length; i += 1) line[i] = heard[2 * i + phase]!;
      this.#count(line, found);
    }
    return found;
  }

  /** How often each frame is on a line of 8 kHz. */
  onLine(line: Int16Array): Uint16Array {
    const found = new Uint16Array(this.#frames.length);
    this.#count(line, found);
    return found;
  }

  /** @param found a count for each frame. @returns one account for each utterance */
  account(found: Uint16Array): readonly Arrived[] {
    const accounts = Array.from({ length: this.#utterances }, () => ({
      lostMs: 0,
      doubledMs: 0,
      countedMs: 0,
    }));
    for (const [index, { utterance }] of this.#frames.entries()) {
      const account = accounts[utterance]!;
      const count = found[index]!;
      account.countedMs += FRAME_MS;
      if (count === 0) account.lostMs += FRAME_MS;
      else account.doubledMs += (count - 1) * FRAME_MS;
    }
    return accounts;
  }

  #count(line: Int16Array, found: Uint16Array): void {
    for (let at = 0; at + 1 < line.length; at += 1) {
      const [first, second] = [line[at]!, line[at + 1]!];
      if (this.#filter[slotOf(first, second)] === 0) continue;
      for (const index of this.#byProbe.get(keyOf(first, second)) ?? []) {
        const { at: saidAt, probe } = this.#frames[index]!;
        if (equals(this.#said, saidAt, line, at - probe)) found[index]! += 1;
      }
    }
  }
}

/** The audible ones, without those of which there is another with the same bytes. */
function framesOf(said: Int16Array, utterances: readonly Stretch[]): readonly SpokenFrame[] {
  const bySound = new Map<string, SpokenFrame | null>();
  for (const [utterance, { from, to }] of utterances.entries()) {
    for (let at = from; at + FRAME <= to; at += FRAME) {
      const samples = said.subarray(at, at + FRAME);
      if (!samples.some((sample) => Math.abs(sample) >= AUDIBLE)) continue;
      const sound = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength).toString('latin1');
      bySound.set(sound, bySound.has(sound) ? null : { utterance, at, probe: loudestPair(samples) });
    }
  }
  return [...bySound.values()].filter((frame) => frame !== null);
}

function loudestPair(samples: Int16Array): number {
  let best = 0;
  let most = -1;
  for (let i = 0; i + 1 < samples.length; i += 1) {
    const level = Math.abs(samples[i]!) + Math.abs(samples[i + 1]!);
    if (level <= most) continue;
    most = level;
    best = i;
  }
  return best;
}

const keyOf = (first: number, second: number): number => (first & 0xffff) * 65_536 + (second & 0xffff);
const slotOf = (first: number, second: number): number => (Math.imul(first, 31) + second) & (FILTER_SIZE - 1);

function equals(said: Int16Array, at: number, line: Int16Array, lineAt: number): boolean {
  if (lineAt < 0 || lineAt + FRAME > line.length) return false;
  for (let i = 0; i < FRAME; i += 1) if (said[at + i] !== line[lineAt + i]) return false;
  return true;
}
