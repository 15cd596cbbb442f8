/** What the end of a connection, or the refusal of one, means for the next step. */
import { OffhookError } from '../errors.ts';
import type { CloseClass } from './live-session.ts';

/** Where the connection stood. A resume that fails before setup may fail because of the connection before it. */
export interface CloseMoment {
  readonly beforeSetup: boolean;
  readonly resuming: boolean;
}

const MID_CALL: CloseMoment = { beforeSetup: false, resuming: false };

/**
 * Reasons as seen in traces, matched from their beginning and without regard to case: a close frame holds 123 bytes, so
 * Google's longer sentences arrive cut. The first row that fits decides.
 */
const REASONS: readonly (readonly [code: number, reason: RegExp, class_: CloseClass])[] = [
  [1007, /^api key (not valid|expired|not found)/i, 'auth'],
  [1007, /^invalid session handle/i, 'handle-refused'],
  [1008, /^bidigeneratecontent session (not found|expired)/i, 'handle-refused'],
  [1008, /^requested entity was not found/i, 'handle-refused'],
  [1008, /^models\/\S+ is not (found|supported)/i, 'config'],
  [1008, /^(your )?api key|^method doesn't allow unregistered callers|^permission denied|leaked/i, 'auth'],
  [1008, /^the operation was aborted/i, 'aborted'],
  // Seen on 2.5 native audio when tools and audio mix; a new connection cures it.
  [1008, /^operation is not implemented/i, 'aborted'],
  [1011, /^deadline expired/i, 'deadline'],
  [1011, /^you exceeded your current quota|^resource has been exhausted/i, 'quota'],
  [1011, /^the service is currently unavailable|^the model is overloaded/i, 'overload'],
];

const CODES: ReadonlyMap<number, CloseClass> = new Map([
  [1000, 'normal'],
  [1001, 'aborted'],
  [1005, 'normal'],
  [1006, 'network'],
  [1007, 'config'],
  [1009, 'config'],
  [1010, 'config'],
  [1011, 'overload'],
  [1012, 'overload'],
  [1013, 'overload'],
  [1015, 'network'],
]);

/** Classifies a WebSocket close. What is in no row counts as `aborted`: worth another try with the handle. */
export function classifyClose(code: number, reason: string, moment: CloseMoment = MID_CALL): CloseClass {
  const known = REASONS.find((row) => row[0] === code && row[1].test(reason.trimStart()));
  if (known !== undefined) return known[2];
  // The text of this refusal is not known (sip-to-ai#14 gives the code alone); whatever else it may be, to wait for a
  // moment and try again with the same handle is right for it too.
  if (code === 1011 && moment.beforeSetup && moment.resuming) return 'old-socket-open';
  return CODES.get(code) ?? 'aborted';
}

/** Classifies an HTTP status that was answered instead of 101. */
export function classifyUpgradeStatus(status: number): CloseClass {
  if (status === 401 || status === 403) return 'auth';
  if (status === 429) return 'quota';
  // 409: too many abrupt ends and quick restarts (forum 180489).
  if (status === 408 || status === 409 || status >= 500) return 'overload';
  return 'config';
}

/** Why no connection came about. `closeCode` is the WebSocket's or null; `httpStatus` that of a refused upgrade. */
export class LiveConnectError extends OffhookError {
  readonly closeClass: CloseClass;
  readonly closeCode: number | null;
  readonly httpStatus: number | null;

  constructor(
    closeClass: CloseClass,
    message: string,
    found: { readonly closeCode?: number; readonly httpStatus?: number } = {},
  ) {
    super('ERR_LIVE_CONNECT', message, { retryable: closeClass !== 'config' && closeClass !== 'auth' });
    this.name = 'LiveConnectError';
    this.closeClass = closeClass;
    this.closeCode = found.closeCode ?? null;
    this.httpStatus = found.httpStatus ?? null;
  }
}
