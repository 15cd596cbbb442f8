/**
 * Secrets that nobody configured, made once and kept in the data folder: the laboratory's Twilio credentials, which
 * `offhook call` signs with, and the admin token of a container.
 */
import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf, OffhookError } from '../errors.ts';

export const LAB_TWILIO_FILE = 'lab-twilio.json';
export const ADMIN_TOKEN_FILE = 'admin-token';

const LabTwilio = z.object({
  accountSid: z.string().regex(/^AC[0-9a-f]{32}$/),
  authToken: z.string().regex(/^[0-9a-f]{32,}$/),
});
export type LabTwilio = z.infer<typeof LabTwilio>;

const AdminToken = z.string().regex(/^[0-9a-f]{64}$/);

/** The credentials of the simulated carrier, made on first use. @throws OffhookError ERR_CONFIG when the disk refuses */
export function ensureLabTwilio(dataDir: string): LabTwilio {
  const text = keepOnce(dataDir, LAB_TWILIO_FILE, () => {
    const made: LabTwilio = { accountSid: `AC${randomHex(16)}`, authToken: randomHex(32) };
    return `${JSON.stringify(made)}\n`;
  });
  return parseLabTwilio(text, join(dataDir, LAB_TWILIO_FILE));
}

/** What a gateway in lab mode has left for a simulated caller, or null when none has run with this data folder. */
export function readLabTwilio(dataDir: string): LabTwilio | null {
  const path = join(dataDir, LAB_TWILIO_FILE);
  const text = readIfThere(path);
  return text === null ? null : parseLabTwilio(text, path);
}

/** 64 hex digits, made on first use. @throws OffhookError ERR_CONFIG when the disk refuses */
export function ensureAdminToken(dataDir: string): string {
  const text = keepOnce(dataDir, ADMIN_TOKEN_FILE, () => `${randomHex(32)}\n`);
  const parsed = AdminToken.safeParse(text.trim());
  if (parsed.success) return parsed.data;
  throw damaged(join(dataDir, ADMIN_TOKEN_FILE), '64 hex digits');
}

function parseLabTwilio(text: string, path: string): LabTwilio {
  try {
    return LabTwilio.parse(JSON.parse(text));
  } catch {
    // The content is a secret: what was found stays out of the message.
    throw damaged(path, 'the JSON that lab mode writes');
  }
}

/**
 * Reads the file, or makes it in one step: written beside it under a name of its own and linked into place, so that of
 * two processes starting at once the second takes what the first has made, and nobody ever reads half a file.
 */
function keepOnce(dataDir: string, name: string, make: () => string): string {
  const path = join(dataDir, name);
  const kept = readIfThere(path);
  if (kept !== null) return kept;
  const draft = `${path}.${randomHex(6)}`;
  const content = make();
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    writeFileSync(draft, content, { mode: 0o600, flag: 'wx', flush: true });
    return placeDraft(draft, path) === 'ours' ? content : readFileSync(path, 'utf8');
  } catch (caught) {
    throw new OffhookError(
      'ERR_CONFIG',
      `Keeping "${name}" in the data folder "${dataDir}": ${messageOf(caught)}; wanted a folder that can be written to (DATA_DIR).`,
      { cause: caught },
    );
  } finally {
    removeIfThere(draft);
  }
}

function placeDraft(draft: string, path: string): 'ours' | 'theirs' {
  try {
    linkSync(draft, path);
    return 'ours';
  } catch (caught) {
    const code = codeOf(caught);
    if (code === 'EEXIST') return 'theirs';
    // Some shared folders know no hard links; there the last of two simultaneous first starts wins.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw caught;
    renameSync(draft, path);
    return 'ours';
  }
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (caught) {
    if (codeOf(caught) === 'ENOENT') return null;
    throw new OffhookError(
      'ERR_CONFIG',
      `Reading "${path}": ${messageOf(caught)}; wanted a file that this user can read.`,
      { cause: caught },
    );
  }
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Never made, or renamed into place.
  }
}

function damaged(path: string, wanted: string): OffhookError {
  return new OffhookError(
    'ERR_CONFIG',
    `Reading "${path}": found something else than ${wanted}; delete the file and a new one is made.`,
  );
}

function codeOf(caught: unknown): unknown {
  return caught instanceof Error && 'code' in caught ? caught.code : undefined;
}

function randomHex(bytes: number): string {
  return randomBytes(bytes).toString('hex');
}
