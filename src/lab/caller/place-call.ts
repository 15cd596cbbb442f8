/** A call from any of the simulated carriers. */
import { type AsteriskPbx, createAsteriskSide } from './asterisk/side.ts';
import type { CallRun } from './call-run.ts';
import type { CallContext, CarrierSide } from './carrier-side.ts';
import { createJambonzSide, type JambonzAccount } from './jambonz/side.ts';
import { createPlivoSide, type PlivoAccount } from './plivo/side.ts';
import { createSignalwireSide, type SignalwireAccount } from './signalwire/side.ts';
import { type CallOptions, runCall } from './simulated-call.ts';
import type { TelnyxAccount } from './telnyx/account.ts';
import { createCallControlSide } from './telnyx/call-control.ts';
import { createTexmlSide } from './telnyx/texml.ts';
import { createTwilioSide, type TwilioAccount } from './twilio/side.ts';
import { createVonageSide, type VonageAccount } from './vonage/side.ts';

/** Who calls, and what is known at that carrier. Telnyx is played over TeXML where it has no API. */
export type CarrierAccount =
  | ({ readonly carrier: 'twilio' } & TwilioAccount)
  | ({ readonly carrier: 'telnyx' } & TelnyxAccount)
  | ({ readonly carrier: 'plivo' } & PlivoAccount)
  | ({ readonly carrier: 'vonage' } & VonageAccount)
  | ({ readonly carrier: 'signalwire' } & SignalwireAccount)
  | ({ readonly carrier: 'jambonz' } & JambonzAccount)
  | ({ readonly carrier: 'asterisk' } & AsteriskPbx);

/** @throws OffhookError ERR_CALL as `runCall` does */
export function placeCarrierCall(account: CarrierAccount, options: CallOptions): Promise<CallRun> {
  return runCall(options, (call) => createCarrierSide(account, call));
}

/** What that carrier does around a stream, one step at a time. */
export function createCarrierSide(account: CarrierAccount, call: CallContext): CarrierSide {
  switch (account.carrier) {
    case 'twilio':
      return createTwilioSide(account, call);
    case 'telnyx':
      return account.api === undefined
        ? createTexmlSide(account, call)
        : createCallControlSide(account, call);
    case 'plivo':
      return createPlivoSide(account, call);
    case 'vonage':
      return createVonageSide(account, call);
    case 'signalwire':
      return createSignalwireSide(account, call);
    case 'jambonz':
      return createJambonzSide(account, call);
    case 'asterisk':
      return createAsteriskSide(account, call);
  }
}
