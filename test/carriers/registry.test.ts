import { describe, expect, test } from 'vitest';
import { buildCarriers } from '../../src/carriers/registry.ts';

const publicUrl = 'https://gw.example.com';
const twilio = { accountSid: 'AC1', authTokens: ['a', 'b'], verifyStream: 'required' } as const;

describe('the carriers', () => {
  test('are those that are configured, and no others', () => {
    expect([...buildCarriers({ publicUrl }).keys()]).toEqual([]);
    const carriers = buildCarriers({ publicUrl, twilio });
    expect([...carriers].map(([id, adapter]) => [id, adapter.id])).toEqual([['twilio', 'twilio']]);
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
