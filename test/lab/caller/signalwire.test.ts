import { describe, expect, it } from 'vitest';
import { lineFormat } from '../../../src/lab/caller/line-format.ts';
import { startSignalwireApi } from '../../../src/lab/caller/signalwire/api.ts';
import { signalwireProtocol } from '../../../src/lab/caller/signalwire/protocol.ts';
import { signalwireSignature } from '../../../src/lab/caller/signalwire/signature.ts';
import { loud, loudPcmu, openStream } from './open-stream.ts';

const stream = (format = lineFormat('pcmu', 8000)) =>
  openStream(
    signalwireProtocol({
      accountSid: '9f2e',
      callSid: '6d70',
      streamSid: 'b4c1',
      format,
      parameters: { from: '+15550100001' },
    }),
    { dtmf: [{ atMs: 30, digit: '1' }] },
  );
const media = (payload: Buffer) => ({
  event: 'media',
  streamSid: 'b4c1',
  media: { payload: payload.toString('base64') },
});

describe('a simulated SignalWire stream', () => {
  it('says streamSid inside start only, none in media, and next to nothing in stop', () => {
    const { clock, said, stream: under } = stream();
    clock.advance(41);
    under.end(true);
    expect(said.map(({ json }) => json)).toEqual([
      { event: 'connected', protocol: 'Call', version: '0.2.0' },
      {
        event: 'start',
        sequenceNumber: '1',
        start: {
          streamSid: 'b4c1',
          accountSid: '9f2e',
          callSid: '6d70',
          tracks: ['inbound'],
          customParameters: { from: '+15550100001' },
          mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
        },
      },
      {
        event: 'media',
        sequenceNumber: '2',
        media: { track: 'inbound', chunk: '1', timestamp: '0', payload: expect.any(String) },
      },
      { event: 'dtmf', sequenceNumber: '3', streamSid: 'b4c1', dtmf: { digit: '1', duration: 120 } },
      {
        event: 'media',
        sequenceNumber: '4',
        media: { track: 'inbound', chunk: '2', timestamp: '20', payload: expect.any(String) },
      },
      { event: 'stop', sequenceNumber: '5' },
    ]);
  });

  it('returns marks when played, and all at a clear', () => {
    const { clock, tell, events, heardSpans } = stream();
    tell(media(loudPcmu(40)));
    tell({ event: 'mark', streamSid: 'b4c1', mark: { name: 'a' } });
    tell(media(loudPcmu(400)));
    tell({ event: 'mark', streamSid: 'b4c1', mark: { name: 'b' } });
    clock.advance(85);
    tell({ event: 'clear', streamSid: 'b4c1' });
    const marks = events().filter(({ json }) => json.event === 'mark');
    expect(marks.map(({ atMs, json }) => [atMs, json.mark.name])).toEqual([
      [60, 'a'],
      [85, 'b'],
    ]);
    clock.advance(200);
    expect(heardSpans(8_000)).toEqual([[20, 100]]);
  });

  it('takes keys for the other end, and notes half samples and other streams', () => {
    const { tell, stream: under } = stream(lineFormat('l16', 24000));
    tell({ event: 'dtmf', streamSid: 'b4c1', dtmf: { digit: '1' } });
    tell(media(loud(20, 24_000).subarray(1)));
    tell({ event: 'clear', streamSid: 'other' });
    tell({ event: 'clear' });
    tell('{');
    expect(under.account().messagesReceived).toEqual({ dtmf: 1, invalid: 4 });
  });
});

it('signs a form with the signing key', () => {
  const form = { To: '+15551230002', CallSid: 'c1', From: '+15551230001' };
  expect(signalwireSignature('PSKtest', 'https://voice.example.com/sw', form)).toBe(
    'yczoHRztw3FreR7DDYo/mqjUgpE=',
  );
});

it('the API has Status and Url, and no Twiml', async () => {
  const api = await startSignalwireApi({ projectId: 'p1', apiToken: 't1' });
  try {
    const done: string[] = [];
    api.register('c1', { hangUp: () => done.push('hang-up'), redirect: (url) => done.push(url) });
    const ask = async (sid: string, form: Record<string, string>, token = 't1'): Promise<number> => {
      const response = await fetch(`${api.url}/api/laml/2010-04-01/Accounts/p1/Calls${sid}`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`p1:${token}`)}` },
        body: new URLSearchParams(form),
      });
      return response.status;
    };
    expect(await ask('/c1', { Status: 'completed' }, 't2')).toBe(401);
    expect(await ask('/c2', { Status: 'completed' })).toBe(404);
    expect(await ask('/c1', { Twiml: '<Response/>' })).toBe(422);
    expect(await ask('/c1', { Url: 'https://x.example/t' })).toBe(200);
    expect(await ask('/c1', { Status: 'completed' })).toBe(200);
    expect(done).toEqual(['https://x.example/t', 'hang-up']);
    expect(await ask('', { To: '+1', From: '+2', Url: 'https://x.example/v' })).toBe(201);
    expect(await api.dials.next()).toMatchObject({ to: '+1', from: '+2' });
  } finally {
    await api.close();
  }
});
