/** The gateway's adapters of all carriers, set up for the simulated ones that they meet in a test. */
import { generateKeyPairSync } from 'node:crypto';
import type { ApiDependencies } from '../../../src/carriers/api-client.ts';
import { createAsteriskAdapter } from '../../../src/carriers/asterisk/adapter.ts';
import type { CarrierAdapter, CarrierId } from '../../../src/carriers/carrier.ts';
import { createJambonzAdapter } from '../../../src/carriers/jambonz/adapter.ts';
import { createPlivoAdapter } from '../../../src/carriers/plivo/adapter.ts';
import { createSignalwireAdapter } from '../../../src/carriers/signalwire/adapter.ts';
import { createTelnyxAdapter } from '../../../src/carriers/telnyx/adapter.ts';
import { createTwilioAdapter } from '../../../src/carriers/twilio/adapter.ts';
import { createVonageAdapter } from '../../../src/carriers/vonage/adapter.ts';
import { telnyxKeys } from '../../../src/lab/caller/telnyx/signature.ts';

export const TWILIO = { accountSid: `AC${'0'.repeat(32)}`, authToken: 'f'.repeat(32) };
export const TELNYX = { apiKey: 'KEY-test', keys: telnyxKeys('test') };
export const PLIVO = { authId: 'MAXXXXXXXXXXXXXXXXXX', authToken: 'plivo-token' };
export const VONAGE = {
  applicationId: 'b7c1f5a0-1111-4222-8333-444455556666',
  apiKey: 'abcd1234',
  signatureSecret: 'vonage-secret-vonage-secret-1234',
};
export const SIGNALWIRE = { projectId: 'project-1', apiToken: 'PT1', signingKey: 'PSK1' };
export const JAMBONZ = { accountSid: 'account-1', apiKey: 'jambonz-key', webhookSecret: 'jambonz-secret' };
export const ASTERISK = { username: 'asterisk', password: 'pbx-password' };
export const ARI = { username: 'ari', password: 'ari-password' };

const keyPair = generateKeyPairSync('rsa', { modulusLength: 2_048 });
export const VONAGE_PUBLIC_KEY = keyPair.publicKey;
const vonagePrivateKey = keyPair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

/** @param apiUrls where each carrier's API is; null: nowhere */
export function buildAdapters(
  publicUrl: string,
  apiUrls: Readonly<Record<CarrierId, string>> | null,
  dependencies: ApiDependencies,
): ReadonlyMap<CarrierId, CarrierAdapter> {
  const api = (id: CarrierId): { readonly apiBaseUrl: string | null } => ({
    apiBaseUrl: apiUrls?.[id] ?? null,
  });
  const pcmu = { encoding: 'pcmu', sampleRate: 8000 } as const;
  const adapters = [
    createTwilioAdapter(
      {
        accountSid: TWILIO.accountSid,
        authTokens: [TWILIO.authToken],
        verifyStream: 'required',
        ...api('twilio'),
      },
      publicUrl,
      dependencies,
    ),
    createTelnyxAdapter(
      {
        apiKeys: [TELNYX.apiKey],
        publicKeys: [TELNYX.keys.publicKey],
        connectionId: '1684641123236054244',
        audio: pcmu,
        l16Order: 'little',
        ...api('telnyx'),
      },
      publicUrl,
      dependencies,
    ),
    createPlivoAdapter(
      {
        authId: PLIVO.authId,
        authTokens: [PLIVO.authToken],
        verifyStream: 'required',
        ...api('plivo'),
      },
      publicUrl,
      dependencies,
    ),
    createVonageAdapter(
      {
        applicationId: VONAGE.applicationId,
        privateKeys: [vonagePrivateKey],
        signatureSecrets: [VONAGE.signatureSecret],
        sampleRate: 16_000,
        verifyStream: 'required',
        ...api('vonage'),
      },
      publicUrl,
      dependencies,
    ),
    createSignalwireAdapter(
      {
        space: 'example',
        projectId: SIGNALWIRE.projectId,
        apiTokens: [SIGNALWIRE.apiToken],
        signingKeys: [SIGNALWIRE.signingKey],
        audio: pcmu,
        ...api('signalwire'),
      },
      publicUrl,
      dependencies,
    ),
    createJambonzAdapter(
      {
        accountSid: JAMBONZ.accountSid,
        webhookSecrets: [JAMBONZ.webhookSecret],
        apiKeys: [JAMBONZ.apiKey],
        applicationSid: 'application-1',
        ...api('jambonz'),
      },
      publicUrl,
      dependencies,
    ),
    createAsteriskAdapter(
      {
        username: ASTERISK.username,
        passwords: [ASTERISK.password],
        ari:
          apiUrls === null
            ? null
            : {
                url: apiUrls.asterisk,
                username: ARI.username,
                passwords: [ARI.password],
                callersInStasis: true,
                dial: { endpoint: 'PJSIP/{number}@trunk', extension: 'bot', context: 'offhook' },
              },
      },
      publicUrl,
      dependencies,
    ),
  ];
  return new Map(adapters.map((adapter) => [adapter.id, adapter]));
}
