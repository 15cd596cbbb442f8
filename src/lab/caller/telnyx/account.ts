import type { AnsweredBy, DialledCall } from '../dial-desk.ts';
import type { TelnyxApi } from './api.ts';
import type { TelnyxLeg } from './formats.ts';
import type { TelnyxKeys } from './signature.ts';

/** A simulated Telnyx account with one number; over Call Control it needs the API, over TeXML it does not. */
export interface TelnyxAccount extends TelnyxLeg {
  readonly keys: TelnyxKeys;
  readonly api?: TelnyxApi;
  /** How long the gateway may take to answer over the API. Default 10 s. */
  readonly answerWithinMs?: number;
  /** As in `TelnyxStream`. */
  readonly reorderEvery?: number;
  readonly dialled?: { readonly call: DialledCall; readonly by: AnsweredBy };
}
