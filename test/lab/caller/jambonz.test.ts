import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { startJambonzApi } from '../../../src/lab/caller/jambonz/api.ts';
import { type JambonzStream, jambonzProtocol } from '../../../src/lab/caller/jambonz/protocol.ts';
import { jambonzSignature } from '../../../src/lab/caller/jambonz/side.ts';
import { parseVerbs } from '../../../src/lab/caller/jambonz/verbs.ts';
import { loud, openStream, type Said } from './open-stream.ts';

const stream = (more: Partial<JambonzStream> = {}) =>
  openStream(
    jambonzProtocol({
      metadata: { callSid: 'c1', session: 'abc' },
      sentRate: 8_000,
      heardRate: 8_000,
      callRate: 8_000,
      isStreaming: true,
      passDtmf: true,
      ...more,
    }),
    { dtmf: [{ atMs: 5, digit: '2' }] },
  );
const mark = (name: string) => ({ type: 'mark', data: { name } });
const marksIn = (events: readonly Said[]): unknown[] =>
  events.flatMap(({ atMs, json }) => (json.type === 'mark' ? [[atMs, json.data.name, json.data.event]] : []));

describe('a simulated jambonz stream', () => {
  it('says the metadata first, which has neither event nor type, then audio', () => {
    const { clock, said } = stream();
    clock.advance(21);
    expect(said[0]!.json).toEqual({ callSid: 'c1', session: 'abc' });
    expect(said[1]!.json).toEqual({ event: 'dtmf', dtmf: '2', duration: '1600' });
    expect(said[2]!.audio!.length).toBe(320);
  });

  it('plays nothing before 1280 samples have come, which are 160 ms of a call', () => {
    const { clock, play, heardSpans } = stream();
    play(loud(140, 8_000));
    clock.advance(100);
    expect(heardSpans(8_000)).toEqual([]);
    play(loud(20, 8_000));
    clock.advance(300);
    expect(heardSpans(8_000)).toEqual([[120, 280]]);
  });

  it('then waits for 640, and lets through all that has come', () => {
    const { clock, play, heardSpans, stream: under } = stream();
    play(loud(200, 8_000));
    clock.advance(400);
    play(loud(60, 8_000));
    clock.advance(100);
    play(loud(40, 8_000));
    clock.advance(200);
    expect(heardSpans(8_000)).toEqual([
      [20, 220],
      [520, 620],
    ]);
    play(loud(20, 8_000));
    under.end(true);
    expect(under.account().unplayed.length).toBe(160);
  });

  it('does not reach with killAudio what it holds back: that sounds before the next generation', () => {
    const { clock, play, tell, heardSpans, events, stream: under } = stream();
    play(loud(360, 8_000));
    play(loud(40, 8_000, 7_000));
    tell(mark('g0.1'));
    clock.advance(50);
    tell({ type: 'killAudio' });
    clock.advance(100);
    play(loud(40, 8_000));
    clock.advance(300);
    expect(marksIn(events())).toEqual([[50, 'g0.1', 'cleared']]);
    expect(heardSpans(8_000)).toEqual([
      [20, 60],
      [160, 240],
    ]);
    const { heard, generations } = under.account();
    expect([heard[160 * 8], heard[240 * 8 - 1]]).toEqual([7_000, 5_000]);
    expect(generations).toMatchObject([{ playedMs: 40, droppedMs: 320 }, { playedMs: 80 }]);
  });

  it('says playout at the audio behind a mark, and where there is none, one a frame when all was played', () => {
    const { clock, play, tell, events } = stream();
    play(loud(160, 8_000));
    tell(mark('a'));
    play(loud(80, 8_000));
    for (const name of ['b', 'c']) tell(mark(name));
    clock.advance(400);
    // 1280 samples are eight frames from 20 ms on; the sample that is "a" makes all behind it a sample longer.
    expect(marksIn(events())).toEqual([
      [180, 'a', 'playout'],
      [280, 'b', 'playout'],
      [300, 'c', 'playout'],
    ]);
  });

  it('goes on expecting the marks that it has cleared: the next one is late by as many', () => {
    const { clock, play, tell, events } = stream();
    play(loud(160, 8_000));
    tell(mark('a'));
    play(loud(400, 8_000));
    clock.advance(50);
    tell({ type: 'killAudio' });
    for (const name of ['b', 'c']) {
      play(loud(100, 8_000));
      tell(mark(name));
    }
    play(loud(100, 8_000));
    clock.advance(1_000);
    // The sample of "b", at 160 ms, went for "a", and that of "c", at 260 ms, for "b".
    expect(marksIn(events())).toEqual([
      [50, 'a', 'cleared'],
      [260, 'b', 'playout'],
    ]);
  });

  it('takes a sample of -1 for a mark while one is under way, and for sound otherwise', () => {
    const { clock, play, tell, events, stream: under } = stream();
    play(loud(160, 8_000, -1));
    clock.advance(200);
    expect(under.account().generations[0]!.playedMs).toBe(160);
    play(loud(100, 8_000, -1));
    play(loud(100, 8_000));
    tell(mark('a'));
    play(loud(100, 8_000));
    clock.advance(1_000);
    expect(marksIn(events())).toEqual([[220, 'a', 'playout']]);
  });

  it('keeps thirty marks, and loses more', () => {
    const { play, tell, stream: under } = stream();
    play(loud(400, 8_000));
    for (let n = 0; n < 32; n += 1) tell(mark(`m${n}`));
    expect(under.account().messagesReceived).toMatchObject({ mark: 30, invalid: 2 });
  });

  it('loses marks where audio comes at another rate than the call’s', () => {
    const { clock, play, tell, events, stream: under } = stream({ heardRate: 24_000 });
    play(loud(200, 24_000));
    tell(mark('lost'));
    clock.advance(500);
    expect(events().some(({ json }) => json.type === 'mark')).toBe(false);
    expect(under.account().invalidMessages[0]).toContain('another rate');
  });

  it('joins samples that are cut between two messages, and loses no byte', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 40 }), (sizes) => {
        const { clock, play, stream: under } = stream();
        const total = sizes.reduce((sum, size) => sum + size, 0);
        const all = loud(Math.ceil(total / 16) + 1, 8_000).subarray(0, total);
        let at = 0;
        for (const size of sizes) {
          play(all.subarray(at, at + size));
          at += size;
        }
        clock.advance(total / 16 + 100);
        under.end(true);
        const { heard, unplayed } = under.account();
        const played = heard.filter((sample) => sample === 5_000).length;
        expect(played + unplayed.filter((sample) => sample === 5_000).length).toBe(total >> 1);
        let [bytes, counted, held, released] = [0, 0, 0, 0];
        for (const size of sizes) {
          bytes += size;
          held += (bytes >> 1) - counted;
          counted = bytes >> 1;
          if (held < (released === 0 ? 1_280 : 640)) continue;
          released += held;
          held = 0;
        }
        expect(played).toBe(released);
      }),
      { numRuns: 40 },
    );
  });

  it('leaves at disconnect, and notes raw audio where it is not asked for', () => {
    const { tell, asked } = stream();
    tell({ type: 'disconnect' });
    expect(asked).toEqual([{ what: 'leave', detail: 'disconnect' }]);
    const silent = stream({ isStreaming: false });
    silent.play(loud(400, 8_000));
    silent.clock.advance(500);
    expect(silent.heardSpans(8_000)).toEqual([]);
  });
});

it('reads verbs', () => {
  const listen = {
    verb: 'listen',
    url: 'wss://gw.example.com/jambonz/media/t',
    actionHook: '/jambonz/after',
    sampleRate: 16_000,
    passDtmf: true,
    metadata: { a: 1 },
    wsAuth: { username: 'u', password: 'p' },
    bidirectionalAudio: { enabled: true, streaming: true, sampleRate: 8_000 },
  };
  const dial = { verb: 'dial', target: [{ type: 'phone', number: '+1' }], actionHook: 'https://x.example/h' };
  expect(parseVerbs(JSON.stringify([{ verb: 'answer' }, listen, dial, { verb: 'hangup' }]))).toEqual([
    { verb: 'other', name: 'answer' },
    {
      verb: 'listen',
      url: listen.url,
      actionHook: '/jambonz/after',
      sampleRate: 16_000,
      bidirectionalRate: 8_000,
      isStreaming: true,
      passDtmf: true,
      metadata: { a: 1 },
      credentials: { username: 'u', password: 'p' },
    },
    { verb: 'dial', target: '+1', actionHook: 'https://x.example/h' },
    { verb: 'hangup' },
  ]);
  for (const none of ['', '{}', '[1]', '[{}]', 'null']) expect(parseVerbs(none)).toBeNull();
});

it('signs the body with the time', () => {
  const body = '{"call_sid":"c1","direction":"inbound","from":"15551230001","to":"15551230002"}';
  expect(jambonzSignature('wh_secret', body, 1_750_000_000_500)).toBe(
    't=1750000000,v1=c7f28ab81b0f87b4003c7128933d4930511c4941820110e0d35ccd4cc2536490',
  );
});

it('the API hangs up, sends elsewhere and places calls', async () => {
  const api = await startJambonzApi({ accountSid: 'a1', apiKey: 'k1' });
  try {
    const done: string[] = [];
    api.register('c1', {
      hangUp: () => done.push('hang-up'),
      redirect: (url) => done.push(url),
      digits: (digits) => done.push(digits),
    });
    const ask = async (method: string, path: string, body: object = {}, key = 'k1'): Promise<number> => {
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
      const init = method === 'DELETE' ? {} : { body: JSON.stringify(body) };
      return (await fetch(`${api.url}/v1/Accounts/a1/Calls${path}`, { method, headers, ...init })).status;
    };
    expect(await ask('PUT', '/c1', { call_status: 'completed' }, 'k2')).toBe(403);
    expect(await ask('PUT', '/c2', { call_status: 'completed' })).toBe(404);
    expect(await ask('PUT', '/c1', {})).toBe(400);
    expect(await ask('PUT', '/c1', { call_hook: { url: 'https://x.example/h' } })).toBe(202);
    expect(await ask('POST', '/c1', { call_status: 'completed' })).toBe(202);
    expect(await ask('DELETE', '/c1')).toBe(204);
    expect(done).toEqual(['https://x.example/h', 'hang-up', 'hang-up']);
    const dial = { from: '+1', to: { type: 'phone', number: '+2' }, call_hook: 'https://x.example/v' };
    expect(await ask('POST', '', dial)).toBe(201);
    expect(await api.dials.next()).toMatchObject({ from: '+1', to: '+2' });
  } finally {
    await api.close();
  }
});
