/** Collects the keys a caller presses into one text for the model: until `#`, or until no key comes for a while. */
const MAX_DIGITS = 64;
export const KEY_PAUSE_MS = 1_500;

export class DtmfCollector {
  #digits = '';

  /** @returns the keys, when `#` ends them; null while more may come */
  press(digit: string): string | null {
    this.#digits = (this.#digits + digit).slice(-MAX_DIGITS);
    return digit === '#' ? this.take() : null;
  }

  /** What was pressed so far; empty when nothing was. */
  take(): string {
    const digits = this.#digits;
    this.#digits = '';
    return digits;
  }
}
