/** Folders that come with the package: the same from a checkout (src/cli) and from the built one (dist/cli). */
import { fileURLToPath } from 'node:url';

const inPackage = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export const CALLS_DIR = inPackage('fixtures/calls');
export const VOICES_DIR = inPackage('fixtures/voices/bot');
export const SAMPLE_BOTS_DIR = inPackage('bots');
