import { getExpectedTwilioSignature } from 'twilio/lib/webhooks/webhooks.js';
import type { RawRequest } from '../../../src/carriers/carrier.ts';
import type { TwilioSettings } from '../../../src/carriers/twilio/settings.ts';
import { encodeForm, type Form } from '../forms.ts';

export const PUBLIC_URL = 'https://gw.example.com';
export const settings = {
  accountSid: 'AC00000000000000000000000000000001',
  authTokens: ['newest-token', 'older-token'],
  verifyStream: 'required',
} as const satisfies TwilioSettings;

export { encodeForm, type Form };

/** A POST as Twilio's own package signs it. */
export function signedPost(
  target: string,
  form: Form,
  over: Partial<{ token: string; url: string }> = {},
): RawRequest {
  const { token = settings.authTokens[0], url = PUBLIC_URL + target } = over;
  return {
    method: 'POST',
    target,
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'x-twilio-signature': getExpectedTwilioSignature(token, url, form),
    },
    body: Buffer.from(encodeForm(form)),
  };
}

export function callForm(more: Form = {}): Form {
  return {
    CallSid: 'CA5',
    AccountSid: settings.accountSid,
    From: '+15551230001',
    To: '+15551230002',
    CallStatus: 'ringing',
    Direction: 'inbound',
    ApiVersion: '2010-04-01',
    ...more,
  };
}
