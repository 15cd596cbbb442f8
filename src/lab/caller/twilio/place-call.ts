import type { CallRun } from '../call-run.ts';
import { type CallOptions, runCall } from '../simulated-call.ts';
import { createTwilioSide, type TwilioAccount } from './side.ts';

export type PlaceCallOptions = CallOptions & TwilioAccount;

/** A call from a simulated Twilio. @throws OffhookError ERR_CALL as `runCall` does */
export function placeCall(options: PlaceCallOptions): Promise<CallRun> {
  return runCall(options, (call) => createTwilioSide(options, call));
}
