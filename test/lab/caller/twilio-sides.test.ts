import fc from 'fast-check';
import twilio from 'twilio';
import { describe, expect, it } from 'vitest';
import { readGatewayMessage } from '../../../src/lab/caller/twilio/messages.ts';
import { twilioSignature } from '../../../src/lab/caller/twilio/signature.ts';
import { parseTwiml } from '../../../src/lab/caller/twilio/twiml.ts';

describe('the simulated carrier signs', () => {
  it('as in the documented example', () => {
    const form = {
      CallSid: 'CA1234567890ABCDE',
      Caller: '+14158675309',
      Digits: '1234',
      From: '+14158675309',
      To: '+18005551212',
    };
    expect(twilioSignature('12345', 'https://mycompany.com/myapp.php?foo=1&bar=2', form)).toBe(
      'RSOYDt4T1cUTdK1PDd93/VVr8B8=',
    );
    expect(twilioSignature('12345', 'wss://voice.example.com/media/abc')).toBe(
      'p7ZIQKz1Sb1l+te52jRySZHpOfo=',
    );
  });

  it('what Twilio’s own library accepts', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.stringMatching(/^[A-Za-z]{1,12}$/), fc.string({ maxLength: 30 }), {
          noNullPrototype: true,
        }),
        fc.stringMatching(/^[0-9a-f]{32}$/),
        (form, token) => {
          const url = 'https://voice.example.com/twilio/voice';
          expect(twilio.validateRequest(token, twilioSignature(token, url, form), url, form)).toBe(true);
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('the simulated carrier reads TwiML', () => {
  it('made by Twilio’s own library', () => {
    const response = new twilio.twiml.VoiceResponse();
    const connect = response.connect({ action: 'https://gw.example.com/after?a=1&b=2', method: 'POST' });
    const stream = connect.stream({
      url: 'wss://gw.example.com/media/tok',
      statusCallback: 'https://gw.example.com/e',
    });
    stream.parameter({ name: 'from', value: '"O\'Neil" <+1> & co' });
    response.hangup();
    expect(parseTwiml(response.toString())).toEqual([
      {
        verb: 'connect',
        streamUrl: 'wss://gw.example.com/media/tok',
        statusCallback: 'https://gw.example.com/e',
        parameters: { from: '"O\'Neil" <+1> & co' },
        action: 'https://gw.example.com/after?a=1&b=2',
      },
      { verb: 'hangup' },
    ]);
  });

  it('with speech and dialling', () => {
    const response = new twilio.twiml.VoiceResponse();
    response.say('All lines are busy & so on.');
    response.dial().number('+15551230001');
    response.reject();
    expect(parseTwiml(response.toString())).toEqual([
      { verb: 'say', text: 'All lines are busy & so on.' },
      { verb: 'dial', to: '+15551230001', action: null },
      { verb: 'reject' },
    ]);
  });

  it.each([
    '',
    'hello',
    '<Response>',
    '<Response></Connect>',
    '<Other/>',
    '<Response/><Response/>',
    '{"a":1}',
  ])('and refuses what is none: %j', (document) => {
    expect(parseTwiml(document)).toBeNull();
  });

  it('and never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'<>/="\'&;#x1 aRespon'), maxLength: 80 }), (text) => {
        parseTwiml(`<Response>${text}</Response>`);
        parseTwiml(text);
      }),
      { numRuns: 500 },
    );
  });
});

describe('the simulated carrier reads the gateway’s messages', () => {
  const read = (message: unknown) => readGatewayMessage(JSON.stringify(message), 'MZ1');

  it('as documented', () => {
    expect(read({ event: 'media', streamSid: 'MZ1', media: { payload: 'fwAB' } })).toEqual({
      event: 'media',
      payload: Buffer.from([0x7f, 0, 1]),
    });
    expect(read({ event: 'mark', streamSid: 'MZ1', mark: { name: 'g1.2' } })).toEqual({
      event: 'mark',
      name: 'g1.2',
    });
    expect(read({ event: 'clear', streamSid: 'MZ1' })).toEqual({ event: 'clear' });
  });

  it.each([
    ['another stream', { event: 'clear', streamSid: 'MZ2' }],
    ['no stream', { event: 'clear' }],
    ['a mark without a name', { event: 'mark', streamSid: 'MZ1', mark: {} }],
    ['a payload that is not base64', { event: 'media', streamSid: 'MZ1', media: { payload: '***' } }],
    ['no payload', { event: 'media', streamSid: 'MZ1' }],
    ['an unknown event', { event: 'dtmf', streamSid: 'MZ1' }],
    ['no object', 7],
  ])('and would warn about %s', (_, message) => {
    expect(read(message).event).toBe('invalid');
  });

  it('and about what is not JSON', () => {
    expect(readGatewayMessage('{', 'MZ1').event).toBe('invalid');
  });
});
