import { describe, expect, it } from 'vitest';
import { startTelnyxApi, type TelnyxCommand } from '../../../src/lab/caller/telnyx/api.ts';
import { agreeFormats, type StreamWishes, type TelnyxLeg } from '../../../src/lab/caller/telnyx/formats.ts';
import { telnyxProtocol } from '../../../src/lab/caller/telnyx/protocol.ts';
import { telnyxHeaders, telnyxKeysOf } from '../../../src/lab/caller/telnyx/signature.ts';
import { loud, loudPcmu, openStream } from './open-stream.ts';

const WISHES: StreamWishes = {
  codec: 'PCMU',
  mode: 'rtp',
  bidirectionalCodec: 'PCMU',
  bidirectionalRate: '',
};

function stream(wishes: Partial<StreamWishes> = {}, leg: TelnyxLeg = {}, reorderEvery = 0) {
  return openStream(
    telnyxProtocol({
      streamId: 's1',
      callControlId: 'v3:c1',
      callSessionId: 'session',
      from: '+15550100001',
      to: '+15550100002',
      clientState: 'aGk=',
      parameters: { k: 'v' },
      authToken: null,
      formats: agreeFormats({ ...WISHES, ...wishes }, leg)!,
      reorderEvery,
      isoNow: () => '2026-01-02T03:04:05.600Z',
    }),
    { dtmf: [{ atMs: 65, digit: '1' }] },
  );
}

const media = (payload: Buffer) => ({ event: 'media', media: { payload: payload.toString('base64') } });

describe('a simulated Telnyx stream', () => {
  it('says connected and start with numbers, formats and state', () => {
    const { said } = stream();
    expect(said.map(({ json }) => json)).toMatchObject([
      { event: 'connected', version: '1.0.0' },
      {
        event: 'start',
        sequence_number: '1',
        stream_id: 's1',
        start: {
          call_control_id: 'v3:c1',
          client_state: 'aGk=',
          custom_parameters: { k: 'v' },
          media_format: { encoding: 'PCMU', sample_rate: 8000, channels: 1 },
        },
      },
    ]);
  });

  it('lets one media message in seven be overtaken by the next, and loses none', () => {
    const { clock, stream: under, said } = stream({}, {}, 7);
    clock.advance(14 * 20 + 1);
    under.end(true);
    const chunks = said.flatMap(({ json }) => (json.event === 'media' ? [Number(json.media.chunk)] : []));
    expect(chunks).toEqual([1, 2, 3, 4, 5, 6, 8, 7, 9, 10, 11, 12, 13, 14]);
    // The numbers tell the true order.
    const numbers = said.flatMap(({ json }) =>
      json.event === 'media' ? [[Number(json.media.chunk), Number(json.sequence_number)]] : [],
    );
    for (const [chunk, number] of numbers) {
      expect(numbers.filter(([other]) => other! < chunk!).every(([, earlier]) => earlier! < number!)).toBe(
        true,
      );
    }
    expect(said.at(-1)!.json).toMatchObject({ event: 'stop', stop: { call_control_id: 'v3:c1' } });
  });

  it('carries the leg’s A-law where it does not transcode, whatever was asked for', () => {
    const { clock, said, media: frames } = stream({}, { legCodec: 'PCMA', transcodes: false });
    clock.advance(900);
    expect(said[1]!.json.start.media_format.encoding).toBe('PCMA');
    // The recording has ended at 2 s; the sine's first sample is silence in either law.
    expect(Buffer.from(frames()[0]!.json.media.payload, 'base64')[0]).toBe(0xd5);
  });

  it('has a format each way: mu-law up, L16 of another rate down', () => {
    const {
      clock,
      tell,
      stream: under,
      heardSpans,
      media: frames,
    } = stream({
      bidirectionalCodec: 'L16',
      bidirectionalRate: '16000',
    });
    tell(media(loud(60, 16_000)));
    clock.advance(200);
    expect(Buffer.from(frames()[0]!.json.media.payload, 'base64').length).toBe(160);
    expect(heardSpans(16_000)).toEqual([[20, 80]]);
    expect(under.account()).toMatchObject({ sampleRate: 16_000, sentRate: 8_000 });
  });

  it('returns all marks at a clear, like played ones', () => {
    const { clock, tell, events, heardSpans } = stream();
    tell(media(loudPcmu(400)));
    tell({ event: 'mark', mark: { name: 'a' } });
    tell({ event: 'mark', mark: { name: 'b' } });
    clock.advance(45);
    tell({ event: 'clear' });
    clock.advance(10);
    expect(
      events()
        .slice(2)
        .map(({ atMs, json }) => [atMs, json.event, json.mark.name]),
    ).toEqual([
      [45, 'mark', 'a'],
      [45, 'mark', 'b'],
    ]);
    expect(heardSpans(8_000)).toEqual([[20, 60]]);
  });

  it('plays nothing in mp3 mode, which is what it does unless it is told otherwise', () => {
    const { clock, tell, heardSpans, stream: under } = stream({ mode: 'mp3' });
    tell(media(loudPcmu(100)));
    clock.advance(200);
    expect(heardSpans(8_000)).toEqual([]);
    expect(under.account().invalidMessages[0]).toContain('mp3');
  });

  it('says an error for what it does not understand, and notes chunks that are too short', () => {
    const { tell, events, stream: under } = stream();
    tell('{');
    tell({ event: 'media', media: { payload: '***' } });
    tell({ event: 'mark' });
    tell(media(loudPcmu(10)));
    expect(
      events()
        .slice(2)
        .map(({ json }) => json.payload.code),
    ).toEqual([100003, 100004, 100003]);
    expect(under.account().messagesReceived).toEqual({ invalid: 4, media: 1 });
  });

  it('presses keys with the time', () => {
    const { clock, events } = stream();
    clock.advance(90);
    expect(events().at(-1)!.json).toMatchObject({
      event: 'dtmf',
      occurred_at: '2026-01-02T03:04:05.600Z',
      dtmf: { digit: '1' },
    });
  });
});

describe('formats', () => {
  it('are refused where there are none such', () => {
    expect(agreeFormats({ ...WISHES, bidirectionalCodec: 'OPUS' }, {})).toBeNull();
    expect(agreeFormats({ ...WISHES, bidirectionalRate: '48000' }, {})).toBeNull();
  });

  it('turn the bytes of L16 round where the order is big', () => {
    const wishes = { ...WISHES, codec: 'L16', bidirectionalCodec: 'L16' };
    const { heard } = agreeFormats(wishes, { l16Order: 'big' })!;
    expect([...heard.decode(Buffer.from([0x01, 0x02, 0xff, 0xfe]))]).toEqual([0x0102, -2]);
    expect([...heard.encode(Int16Array.of(0x0102, -2))]).toEqual([0x01, 0x02, 0xff, 0xfe]);
  });
});

it('signs as the documents’ reading has it', () => {
  const keys = telnyxKeysOf(Buffer.alloc(32, 7));
  expect(keys.publicKey).toBe('6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=');
  const body = '{"data":{"event_type":"call.initiated"}}';
  expect(telnyxHeaders(keys.privateKey, body, 1_750_000_000_999)).toEqual({
    'telnyx-signature-ed25519':
      'JVeE9ow4ck+Lio7SVCSs8Ms4RT0QcIsUCB5zdpwTZ1tkK/Ga+Ra+Ehx0TzpmTmO3wEROtavXC9qEsXdaP/NvCQ==',
    'telnyx-timestamp': '1750000000',
  });
});

it('the API obeys a command once, and says which call has ended', async () => {
  const api = await startTelnyxApi({ apiKey: 'KEY1' });
  try {
    const obeyed: TelnyxCommand[] = [];
    const forget = api.register('v3:c1', {
      check: ({ name }) => (name === 'answer' ? { code: '90034', title: 'no' } : null),
      obey: (command) => obeyed.push(command),
    });
    const act = async (action: string, body: object, key = 'KEY1', call = 'v3:c1') => {
      const response = await fetch(`${api.url}/v2/calls/${encodeURIComponent(call)}/actions/${action}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}` },
        body: JSON.stringify(body),
      });
      const { errors } = (await response.json()) as { errors?: { code: string }[] };
      return [response.status, errors?.[0]?.code];
    };
    expect(await act('hangup', {}, 'KEY2')).toEqual([401, '10009']);
    expect(await act('answer', {})).toEqual([422, '90034']);
    expect(await act('transfer', { to: '+1', command_id: 'x' })).toEqual([200, undefined]);
    expect(await act('transfer', { to: '+1', command_id: 'x' })).toEqual([200, undefined]);
    expect(await act('hangup', {})).toEqual([200, undefined]);
    forget();
    expect(await act('hangup', {})).toEqual([422, '90018']);
    expect(obeyed.map(({ name }) => name)).toEqual(['transfer', 'hangup']);
  } finally {
    await api.close();
  }
});
