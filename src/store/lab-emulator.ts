/** Where the emulator inside a gateway in lab mode listens, left in the data folder for `offhook call`. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILE = 'lab-emulator';

/** A convenience for the laboratory: a disk that refuses it must not keep the gateway from starting. */
export function leaveLabEmulator(dataDir: string, url: string): void {
  try {
    writeFileSync(join(dataDir, FILE), `${url}\n`, { mode: 0o600 });
  } catch {
    // `offhook call --emulator URL` says the same by hand.
  }
}

export function forgetLabEmulator(dataDir: string): void {
  rmSync(join(dataDir, FILE), { force: true });
}

/** The address that a gateway has left, which may be gone by now; null when none has. */
export function readLabEmulator(dataDir: string): string | null {
  try {
    const url = readFileSync(join(dataDir, FILE), 'utf8').trim();
    return URL.canParse(url) ? url : null;
  } catch {
    return null;
  }
}
