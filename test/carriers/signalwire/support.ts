import { createRequire } from 'node:module';
import type { RawRequest } from '../../../src/carriers/carrier.ts';
import type { SignalwireSettings } from '../../../src/carriers/signalwire/settings.ts';
import { encodeForm, type Form } from '../forms.ts';

/** SignalWire's own package signs; what it exports only checks. */
interface Webhooks {
  getExpectedTwilioSignature(key: string, url: string, fields: object): string;
  validateRequest(key: string, signature: string, url: string, fields: object, quiet: boolean): boolean;
}
const require = createRequire(import.meta.url);
const packageFolder = '../../../node_modules/@signalwire/compatibility-api';
export const sdk: Webhooks = require(`${packageFolder}/lib/webhooks/webhooks.js`);

export const PUBLIC_URL = 'https://gw.example.com';
export const CALL_ID = '6d700000-0000-4000-8000-000000000005';
export const settings = {
  space: 'example',
  projectId: '9f2e0000-0000-4000-8000-000000000001',
  apiTokens: ['newest-token', 'older-token'],
  signingKeys: ['newest-key', 'older-key'],
  audio: { encoding: 'pcmu', sampleRate: 8000 },
} as const satisfies SignalwireSettings;

export { encodeForm, type Form };

/** A POST as SignalWire's own package signs it. */
export function signedPost(
  target: string,
  form: Form,
  over: Partial<{ key: string; url: string; header: string }> = {},
): RawRequest {
  const {
    key = settings.signingKeys[0],
    url = PUBLIC_URL + target,
    header = 'x-signalwire-signature',
  } = over;
  return {
    method: 'POST',
    target,
    headers: { [header]: sdk.getExpectedTwilioSignature(key, url, form) },
    body: Buffer.from(encodeForm(form)),
  };
}

export function callForm(more: Form = {}): Form {
  return {
    CallSid: CALL_ID,
    AccountSid: settings.projectId,
    From: '+15551230001',
    To: '+15551230002',
    CallStatus: 'ringing',
    Direction: 'inbound',
    ApiVersion: '2010-04-01',
    ...more,
  };
}
