/**
 * What we write into a call's `client_state`, which Telnyx gives back with each of its events: so that any process knows
 * a call that was placed, and the second leg of a transfer, without remembering them.
 */
const DIAL = /^offhook dial ([A-Za-z0-9_-]{1,64})$/;
const TRANSFER = /^offhook transfer ([A-Za-z0-9_:.=+-]{1,128})$/;
const MAX_STATE_CHARACTERS = 512;

/** @param ref of a DialRequest */
export function dialState(ref: string): string {
  return encode(`offhook dial ${ref}`);
}

/** @param callId the caller's leg */
export function transferState(callId: string): string {
  return encode(`offhook transfer ${callId}`);
}

export function readDialState(state: unknown): string | null {
  return DIAL.exec(decode(state))?.[1] ?? null;
}

export function readTransferState(state: unknown): string | null {
  return TRANSFER.exec(decode(state))?.[1] ?? null;
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64');
}

function decode(state: unknown): string {
  if (typeof state !== 'string' || state.length > MAX_STATE_CHARACTERS) return '';
  return Buffer.from(state, 'base64').toString('latin1');
}
