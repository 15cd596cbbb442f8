import { expect, it } from 'vitest';
import { carrierAccount } from '../../../src/cli/carrier-account.ts';
import { CARRIERS } from '../../../src/lab/caller/call-run.ts';
import { telnyxKeys } from '../../../src/lab/caller/telnyx/signature.ts';

const ENV = {
  TWILIO_ACCOUNT_SID: `AC${'0'.repeat(32)}`,
  TWILIO_AUTH_TOKEN: 'new, old',
  TELNYX_API_KEY: 'KEY1',
  TELNYX_PUBLIC_KEY: `another, ${telnyxKeys('KEY1').publicKey}`,
  PLIVO_AUTH_ID: 'MA1',
  PLIVO_AUTH_TOKEN: 'new,old',
  VONAGE_APPLICATION_ID: 'app',
  VONAGE_SIGNATURE_SECRET: 'secret',
  SIGNALWIRE_PROJECT_ID: 'p1',
  SIGNALWIRE_SIGNING_KEY: 'PSK1',
  JAMBONZ_ACCOUNT_SID: 'a1',
  JAMBONZ_WEBHOOK_SECRET: 'wh',
  ASTERISK_USERNAME: 'asterisk',
  ASTERISK_PASSWORD: 'pw',
};

it('every carrier is called with what the gateway has for it, the newest of a list', () => {
  for (const carrier of CARRIERS) expect(carrierAccount(carrier, ENV).carrier).toBe(carrier);
  expect(carrierAccount('plivo', ENV)).toMatchObject({ authId: 'MA1', authToken: 'new' });
  expect(carrierAccount('twilio', ENV)).toMatchObject({ authToken: 'new' });
});

it('says which setting is missing', () => {
  expect(() => carrierAccount('jambonz', { JAMBONZ_ACCOUNT_SID: 'a1' })).toThrow(
    'Cannot call as jambonz: JAMBONZ_WEBHOOK_SECRET is not set',
  );
});

it('says which public key a gateway must know for simulated calls from Telnyx', () => {
  expect(() => carrierAccount('telnyx', { ...ENV, TELNYX_PUBLIC_KEY: 'another' })).toThrow(
    telnyxKeys('KEY1').publicKey,
  );
});
