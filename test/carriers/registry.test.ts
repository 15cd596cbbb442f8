import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { CARRIER_IDS } from '../../src/carriers/carrier.ts';
import { buildCarriers } from '../../src/carriers/registry.ts';

const publicUrl = 'https://gw.example.com';
const twilio = { accountSid: 'AC1', authTokens: ['a', 'b'], verifyStream: 'required' } as const;

describe('the carriers', () => {
  test('are those that are configured, and no others', () => {
    expect([...buildCarriers({ publicUrl }).keys()]).toEqual([]);
    const carriers = buildCarriers({ publicUrl, twilio });
    expect([...carriers].map(([id, adapter]) => [id, adapter.id])).toEqual([['twilio', 'twilio']]);
  });

  test('are all seven, each under its own name', () => {
    const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    const privateKey = key.export({ type: 'pkcs8', format: 'pem' }).toString();
    const audio = { encoding: 'pcmu', sampleRate: 8000 } as const;
    const carriers = buildCarriers({
      publicUrl,
      twilio,
      telnyx: { apiKeys: ['k'], publicKeys: [], audio, l16Order: 'little' },
      plivo: { authId: 'MA1', authTokens: ['t'] },
      vonage: {
        applicationId: 'a',
        privateKeys: [privateKey],
        signatureSecrets: ['s'],
        sampleRate: 16000,
        verifyStream: 'required',
      },
      signalwire: { space: 'e', projectId: 'p', apiTokens: ['t'], signingKeys: ['s'], audio },
      jambonz: { accountSid: 'a', webhookSecrets: ['s'], apiKeys: ['k'], apiBaseUrl: null },
      asterisk: { username: 'u', passwords: ['p'], ari: null },
    });
    expect([...carriers.keys()].sort()).toEqual([...CARRIER_IDS].sort());
    for (const [id, adapter] of carriers) expect(adapter.id).toBe(id);
    const deaf = [...carriers.values()].filter(({ capabilities }) => !capabilities.detectsMachines);
    expect(deaf.map(({ id }) => id)).toEqual(['asterisk']);
  });

  test('give their credentials as secrets of the stream tokens', () => {
    expect(buildCarriers({ publicUrl, twilio }).get('twilio')?.tokenSecrets).toEqual(['a', 'b']);
  });

  test('use what they are handed for the outside world', async () => {
    const asked: string[] = [];
    const fetch = async (url: string) => {
      asked.push(url);
      return new Response('{}', { status: 200 });
    };
    const adapter = buildCarriers(
      { publicUrl, twilio: { ...twilio, region: 'ie1', edge: 'dublin' } },
      { fetch },
    ).get('twilio');
    expect(await adapter?.control.hangup('CA1')).toBe('done');
    expect(asked).toEqual(['https://api.dublin.ie1.twilio.com/2010-04-01/Accounts/AC1/Calls/CA1.json']);
  });

  test('end calls by closing the stream where Twilio has no API', () => {
    const capabilities = (apiBaseUrl?: null) =>
      buildCarriers({ publicUrl, twilio: { ...twilio, ...(apiBaseUrl === null ? { apiBaseUrl } : {}) } }).get(
        'twilio',
      )?.capabilities;
    expect(capabilities()).toMatchObject({ hangup: 'api', dtmfOut: 'api', transfer: 'continuation' });
    expect(capabilities(null)).toMatchObject({ hangup: 'close', dtmfOut: 'none', transfer: 'continuation' });
  });
});
