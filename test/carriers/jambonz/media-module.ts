/** What jambonz's media module does with what it is sent, as far as it can be told from outside. One sample is a number. */
export interface Report {
  readonly name: string;
  readonly event: 'playout' | 'cleared';
  /** How many samples of sound had been played by then. */
  readonly played: number;
}

const MARKER = -1;
const MAX_MARKS = 30;

export class MediaModule {
  readonly reports: Report[] = [];
  /** Everything that the caller heard, silence in pauses left out. */
  readonly heard: number[] = [];
  readonly #frame: number;
  #threshold: number;
  readonly #later: number;
  #pre: number[] = [];
  #playout: number[] = [];
  #inventory: string[] = [];
  #inUse: string[] = [];
  #expected = 0;
  #killing = false;

  /** @param callRate the rate of the call; the stream's must be the same for marks to survive */
  constructor(callRate: number) {
    this.#frame = callRate / 50;
    this.#threshold = 1280;
    this.#later = 640;
  }

  receive(message: string | Buffer): void {
    if (typeof message !== 'string') {
      this.#audio(message);
      return;
    }
    const { type, data } = JSON.parse(message) as { type: string; data?: { name: string } };
    if (type === 'killAudio') this.#killing = true;
    else if (type === 'mark' && this.#inventory.length + this.#inUse.length < MAX_MARKS)
      this.#inventory.push(data?.name ?? '');
  }

  #audio(bytes: Buffer): void {
    for (const name of this.#inventory) {
      this.#inUse.push(name);
      this.#pre.push(MARKER);
    }
    this.#inventory = [];
    for (let at = 0; at < bytes.length; at += 2) this.#pre.push(bytes.readInt16LE(at));
    if (this.#pre.length < this.#threshold) return;
    this.#threshold = this.#later;
    this.#playout.push(...this.#pre);
    this.#pre = [];
  }

  /** Every 20 ms. */
  tick(): void {
    if (this.#killing) {
      this.#killing = false;
      this.#playout = [];
      for (const name of [...this.#inUse, ...this.#inventory]) this.#report(name, 'cleared');
      // The samples of these were thrown away with the rest, yet it goes on waiting for them.
      this.#expected += this.#inUse.length;
      this.#inUse = [];
      this.#inventory = [];
      return;
    }
    const frame = this.#playout.splice(0, this.#frame);
    const hasMarks = this.#inUse.length + this.#expected > 0;
    for (const sample of frame) {
      if (hasMarks && sample === MARKER) {
        if (this.#expected > 0) this.#expected -= 1;
        else {
          const name = this.#inUse.shift();
          if (name !== undefined) this.#report(name, 'playout');
        }
      } else this.heard.push(sample);
    }
    if (hasMarks || frame.length > 0) return;
    const name = this.#inventory.shift();
    if (name !== undefined) this.#report(name, 'playout');
  }

  #report(name: string, event: Report['event']): void {
    this.reports.push({ name, event, played: this.heard.filter((sample) => sample !== 0).length });
  }
}
