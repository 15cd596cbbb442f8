import fc from 'fast-check';
import plivo from 'plivo';
import { describe, expect, it } from 'vitest';
import { lineFormat } from '../../../src/lab/caller/line-format.ts';
import { startPlivoApi } from '../../../src/lab/caller/plivo/api.ts';
import { plivoProtocol } from '../../../src/lab/caller/plivo/protocol.ts';
import { plivoSignature } from '../../../src/lab/caller/plivo/signature.ts';
import { loudPcmu, openStream } from './open-stream.ts';

const stream = (format = lineFormat('pcmu', 8000)) =>
  openStream(
    plivoProtocol({
      callId: 'c1',
      streamId: '8765',
      accountId: 'MA0',
      format,
      extraHeaders: 'from=15550100001,call=c1',
      epochMs: () => 1_705_312_200_000.4,
    }),
    { dtmf: [{ atMs: 30, digit: '5' }] },
  );

const audio = (ms: number) => ({
  event: 'playAudio',
  media: { contentType: 'audio/x-mulaw', sampleRate: 8000, payload: loudPcmu(ms).toString('base64') },
});
const checkpoint = (name: string) => ({ event: 'checkpoint', streamId: '8765', name });
const clear = { event: 'clearAudio', streamId: '8765' };

describe('a simulated Plivo stream', () => {
  it('says start first, and numbers as numbers, times as strings', () => {
    const { clock, said } = stream();
    clock.advance(41);
    expect(said.map(({ json }) => json)).toMatchObject([
      {
        event: 'start',
        sequenceNumber: 1,
        start: {
          callId: 'c1',
          streamId: '8765',
          accountId: 'MA0',
          tracks: ['inbound'],
          mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000 },
        },
        extra_headers: 'from=15550100001,call=c1',
      },
      { event: 'media', sequenceNumber: 2, media: { chunk: 1, timestamp: '1705312200000' } },
      { event: 'dtmf', dtmf: { track: 'inbound', digit: '5', timestamp: '1705312200000' } },
      { event: 'media', sequenceNumber: 4, media: { chunk: 2 } },
    ]);
  });

  it('says playedStream when all before a checkpoint was played', () => {
    const { clock, tell, events } = stream();
    tell(audio(50));
    tell(checkpoint('g0.1'));
    clock.advance(100);
    expect(events().at(-1)).toMatchObject({
      atMs: 80,
      json: { event: 'playedStream', streamId: '8765', name: 'g0.1' },
    });
  });

  it('says clearedAudio at a clear, and loses the checkpoints that waited', () => {
    const { clock, tell, events, heardSpans } = stream();
    tell(audio(500));
    tell(checkpoint('g0.1'));
    clock.advance(45);
    tell(clear);
    tell(audio(20));
    tell(checkpoint('g1.1'));
    clock.advance(500);
    const told = events().filter(({ json }) => json.event !== 'start' && json.event !== 'dtmf');
    expect(told.map(({ atMs, json }) => [atMs, json.name ?? json.event])).toEqual([
      [45, 'clearedAudio'],
      [80, 'g1.1'],
    ]);
    expect(heardSpans(8_000)).toEqual([[20, 80]]);
  });

  it('takes the longer for a clear the more is queued, and what is sent meanwhile waits for it', () => {
    const { clock, tell, events, heardSpans } = stream();
    for (let n = 0; n < 5; n += 1) tell(audio(1_000));
    clock.advance(45);
    tell(clear);
    tell(audio(20));
    clock.advance(1_000);
    // 5 s less the two frames of 20 and 40 ms: a tenth of what is beyond a second is 396 ms.
    const at = events().find(({ json }) => json.event === 'clearedAudio')!.atMs;
    expect(at).toBe(460);
    // The frame of 460 ms had begun, and the next generation follows it.
    expect(heardSpans(8_000)).toEqual([[20, 500]]);
  });

  it('never goes beyond a minute', () => {
    const { tell, stream: under } = stream();
    for (let n = 0; n < 70; n += 1) tell(audio(1_000));
    expect(under.account().generations[0]!.receivedMs).toBe(70_000);
    under.end(true);
    expect(under.account().unplayed.length / 8).toBeLessThanOrEqual(60_000);
  });

  it.each([
    [
      'another content type',
      { ...audio(20), media: { ...audio(20).media, contentType: 'audio/x-mulaw;rate=8000' } },
    ],
    ['another rate', { ...audio(20), media: { ...audio(20).media, sampleRate: 16000 } }],
    ['more than 16 kB', audio(2_000)],
    ['the wrong name of the stream', { event: 'clearAudio', stream_id: '8765' }],
    ['an unknown event', { event: 'clear', streamId: '8765' }],
  ])('refuses %s', (_, message) => {
    const { tell, stream: under } = stream();
    tell(message);
    expect(under.account().messagesReceived).toEqual({ invalid: 1 });
  });

  it('has no stop, and takes keys for the other end', () => {
    const { tell, stream: under, said } = stream();
    tell({ event: 'sendDTMF', dtmf: '12#' });
    under.end(true);
    expect(said.length).toBe(1);
    expect(under.account().messagesReceived).toEqual({ dtmf: 1 });
  });
});

describe('Plivo’s signatures', () => {
  const nonce = '12345678901234567890';
  const form = { CallUUID: 'u1', From: '15551230001', To: '15551230002' };
  it.each([
    ['POST', 'https://voice.example.com/plivo/answer', form, 'QsyjuKJiAf9vUdP4m4iNKdkBzuvU0Tsm5uvOw4E6+1w='],
    [
      'POST',
      'https://voice.example.com/plivo/answer?b=2&a=1',
      { CallUUID: 'u1', To: '2' },
      'gkfUV7AHfu+ZZKtVVKVpEiQwiVZfdv/zocrqykf5+lE=',
    ],
    ['GET', 'https://voice.example.com/plivo/media/abc', {}, 'iQ+3yTOQQ89WgYkSpmXFW4ssW7yS8hncRJ31x+IgU9U='],
    ['GET', 'wss://voice.example.com/plivo/media/abc', {}, 'DbISuGOpH40FagX3GiDVyvzOdWIVC1wDgWAQt+h3BuI='],
  ] as const)('of a %s of %s', (method, url, fields, expected) => {
    expect(plivoSignature('token123', { method, url, form: fields as Record<string, string> }, nonce)).toBe(
      expected,
    );
  });

  it('are what Plivo’s own library takes', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.stringMatching(/^[A-Za-z]{1,10}$/), fc.string({ maxLength: 20 }), {
          noNullPrototype: true,
        }),
        (fields) => {
          const url = 'https://voice.example.com/plivo/voice';
          const signature = plivoSignature('token123', { method: 'POST', url, form: fields }, nonce);
          expect(plivo.validateV3Signature('POST', url, nonce, 'token123', signature, fields)).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });
});

it('the API hangs up, sends elsewhere, presses keys and places calls', async () => {
  const api = await startPlivoApi({ authId: 'MA1', authToken: 'tok' });
  try {
    const done: string[] = [];
    api.register('c1', {
      hangUp: () => done.push('hang-up'),
      redirect: (url) => done.push(url),
      digits: (digits) => done.push(digits),
    });
    const ask = async (method: string, path: string, body?: object, token = 'tok'): Promise<number> => {
      const headers = { authorization: `Basic ${btoa(`MA1:${token}`)}`, 'content-type': 'application/json' };
      const init = body === undefined ? {} : { body: JSON.stringify(body) };
      return (await fetch(`${api.url}/v1/Account/MA1/Call/${path}`, { method, headers, ...init })).status;
    };
    expect(await ask('DELETE', 'c1/', undefined, 'no')).toBe(401);
    expect(await ask('DELETE', 'c2/')).toBe(404);
    expect(await ask('POST', 'c1/DTMF/', { digits: '12#' })).toBe(202);
    expect(await ask('POST', 'c1/', { legs: 'aleg' })).toBe(400);
    expect(await ask('POST', 'c1/', { legs: 'aleg', aleg_url: 'https://x.example/t' })).toBe(202);
    expect(await ask('DELETE', 'c1/')).toBe(204);
    expect(done).toEqual(['12#', 'https://x.example/t', 'hang-up']);
    expect(await ask('POST', '', { from: '1', to: '2', answer_url: 'https://x.example/a' })).toBe(201);
    expect(await api.dials.next()).toMatchObject({ from: '1', to: '2' });
  } finally {
    await api.close();
  }
});
