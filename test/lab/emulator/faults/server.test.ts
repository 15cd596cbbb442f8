import { get } from 'node:http';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { systemClock } from '../../../../src/clock.ts';
import { LiveConnectError } from '../../../../src/gemini/closes.ts';
import { createConnector, type LiveFault } from '../../../../src/gemini/connect.ts';
import type { LiveClose, LiveEvent } from '../../../../src/gemini/live-session.ts';
import { tonePhrase } from '../../../../src/lab/clip.ts';
import { type FaultFile, makeFaults } from '../../../../src/lab/emulator/faults/catalogue.ts';
import type { CloseName } from '../../../../src/lab/emulator/faults/close-rows.ts';
import { type Emulator, startEmulator } from '../../../../src/lab/emulator/server.ts';
import { makeReply, makeScenario } from '../../../../src/lab/scenario.ts';
import { VirtualClock } from '../../../../src/lab/virtual-clock.ts';
import { setupFor, voice } from '../line.ts';

const LIVE = '/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=k';
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const clip = tonePhrase('answer', 300);

async function start(faults: FaultFile[], clock: VirtualClock | typeof systemClock): Promise<Emulator> {
  const scenario = makeScenario({
    model: { setupDelayMs: 5, firstAudioMs: 20, interruptDelayMs: 10, pace: 'burst' },
    replies: [makeReply({ hears: 'are you there', text: 'yes I am', clip })],
    faults: makeFaults(faults),
  });
  const emulator = await startEmulator({ clock, scenario });
  open.push(() => emulator.close());
  return emulator;
}

/** A bare client: what it got, in order. */
class Client {
  readonly frames: string[] = [];
  readonly socket: WebSocket;
  readonly ended: Promise<string>;
  #wake: (() => void)[] = [];
  pongs = 0;

  constructor(emulator: Emulator, options: object = {}) {
    this.socket = new WebSocket(emulator.url.replace('http', 'ws') + LIVE, options);
    open.push(() => this.socket.terminate());
    this.socket.on('message', (data) => {
      this.frames.push(String(data));
      this.#ring();
    });
    this.socket.on('pong', () => {
      this.pongs++;
      this.#ring();
    });
    this.socket.on('error', () => {});
    this.ended = new Promise((resolve) => {
      this.socket.on('unexpected-response', (_, response) => {
        resolve(`http ${response.statusCode}`);
        this.socket.terminate();
      });
      this.socket.on('error', (error) => resolve(error.message));
      this.socket.on('close', (code, reason) => resolve(`${code} ${reason}`.trim()));
    });
  }

  async opened(): Promise<this> {
    if (this.socket.readyState === WebSocket.CONNECTING) {
      await new Promise((resolve) => this.socket.on('open', resolve));
    }
    return this;
  }

  send(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  /** The server has read everything that was sent before. */
  async roundTrip(): Promise<void> {
    const before = this.pongs;
    this.socket.ping();
    await this.until(() => this.pongs > before);
  }

  #ring(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

describe('the upgrade', () => {
  it.each([409, 429, 503])('is answered with %d', async (status) => {
    const emulator = await start([{ at: 'connect', fault: 'refuse', status }], systemClock);
    expect(await new Client(emulator).ended).toBe(`http ${status}`);
    expect(emulator.sessions[0]!.closed).toMatchObject({ by: 'server', code: status });
    await (await new Client(emulator).opened()).roundTrip();
  });

  it('is never answered, and the server notices when the client gives up', async () => {
    const clock = new VirtualClock();
    const emulator = await start([{ at: 'connect', fault: 'half-open' }], clock);
    const client = new Client(emulator, { handshakeTimeout: 100 });
    expect(await client.ended).toBe('Opening handshake has timed out');
    await vi.waitFor(() => expect(emulator.sessions[0]!.closed).toMatchObject({ by: 'client' }));
    expect(clock.pendingTimers).toBe(0);
  });

  it('is given up at last when the client never does', async () => {
    const clock = new VirtualClock();
    const emulator = await start([{ at: 'connect', fault: 'half-open' }], clock);
    const client = new Client(emulator);
    await vi.waitFor(() => expect(clock.pendingTimers).toBe(1));
    clock.advance(600_000);
    expect(await client.ended).toBe('socket hang up');
  });

  it('is cut off', async () => {
    const emulator = await start([{ at: 'connect', fault: 'cut' }], systemClock);
    expect(await new Client(emulator).ended).toBe('socket hang up');
  });

  it('is followed by a close at once', async () => {
    const emulator = await start([{ at: 'connect', fault: 'close', close: 'quota' }], systemClock);
    const ended = await new Client(emulator).ended;
    expect(ended).toMatch(/^1011 You exceeded your current quota/);
    expect(Buffer.byteLength(ended) - '1011 '.length).toBe(123);
  });

  it('that is no WebSocket handshake leaves no open session behind', async () => {
    const emulator = await start([], systemClock);
    const headers = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '99' };
    const response = await new Promise<number | undefined>((resolve) => {
      get(emulator.url + LIVE, { headers }, (answer) => resolve(answer.resume().statusCode));
    });
    expect(response).toBe(400);
    expect(emulator.sessions.every((session) => session.closed !== null)).toBe(true);
  });
});

describe('a socket', () => {
  const setUp = async (faults: FaultFile[]) => {
    const clock = new VirtualClock();
    const emulator = await start(faults, clock);
    const client = await new Client(emulator).opened();
    // A sound one in the same process, on time that stands still: its round trips are turns of the event loop.
    const other = await new Client(await start([], new VirtualClock())).opened();
    client.send(setupFor());
    await client.roundTrip();
    clock.advance(5);
    await client.until(() => client.frames.length > 0);
    return { clock, emulator, client, other };
  };

  it('that is half open answers nothing, not even a ping or a close', async () => {
    const { clock, client, other } = await setUp([{ at: 'second:1', fault: 'half-open' }]);
    clock.advance(1000);
    client.send({ realtimeInput: { text: 'hello?' } });
    client.socket.ping();
    client.socket.close();
    const before = client.pongs;
    for (let n = 0; n < 5; n++) await other.roundTrip();
    expect(client.pongs).toBe(before);
    expect(client.socket.readyState).toBe(WebSocket.CLOSING);
    clock.advance(600_000);
    expect(await client.ended).toBe('1006');
  });

  it('that is not read from takes everything once it is read again', async () => {
    const faults: FaultFile[] = [{ at: 'second:1', fault: 'stop-reading', forMs: 20_000 }];
    const { clock, emulator, client, other } = await setUp(faults);
    clock.advance(1000);
    // More than the service would hold by itself: what is not read stays with the client and the network.
    const text = 'x'.repeat(1_000_000);
    for (let n = 0; n < 14; n++) client.send({ realtimeInput: { text } });
    await other.roundTrip();
    expect(emulator.sessions[0]!.texts).toEqual([]);
    clock.advance(20_000);
    await client.roundTrip();
    expect(emulator.sessions[0]!.texts).toHaveLength(14);
    expect(emulator.sessions[0]!.closed).toBeNull();
  });

  it('has its pongs late by what was asked for', async () => {
    const { clock, client, other } = await setUp([{ at: 'second:1', fault: 'late-pongs', delayMs: 30_000 }]);
    clock.advance(1000);
    const before = client.pongs;
    client.socket.ping();
    const waiting = clock.pendingTimers;
    await vi.waitFor(() => expect(clock.pendingTimers).toBe(waiting + 1));
    clock.advance(29_999);
    await other.roundTrip();
    expect(client.pongs).toBe(before);
    clock.advance(1);
    await client.until(() => client.pongs === before + 1);
  });

  it('leaves no timer behind, whatever was wrong with it', async () => {
    const { clock, client, other, emulator } = await setUp([
      { at: 'second:1', fault: 'late-pongs' },
      { at: 'second:1', fault: 'stop-reading', forMs: 1000 },
    ]);
    clock.advance(1000);
    clock.advance(1000);
    client.socket.ping();
    await other.roundTrip();
    client.socket.terminate();
    await vi.waitFor(() => expect(emulator.sessions.every((session) => session.closed !== null)).toBe(true));
    expect(clock.pendingTimers).toBe(0);
  });

  it('gets a frame that is no JSON as it stands', async () => {
    const { clock, client } = await setUp([{ at: 'second:1', fault: 'not-json', text: '{"half":' }]);
    clock.advance(1000);
    await client.until(() => client.frames.length === 2);
    expect(client.frames[1]).toBe('{"half":');
  });
});

describe("the gateway's connector, over the SDK", () => {
  const dial = async (faults: FaultFile[], deadlineMs = 5000) => {
    const emulator = await start(faults, systemClock);
    const told: LiveFault[] = [];
    const connect = createConnector({
      clock: systemClock,
      baseUrl: emulator.url,
      onFault: (kind) => told.push(kind),
    });
    const events: LiveEvent[] = [];
    const wake: (() => void)[] = [];
    const ring = () => {
      for (const call of wake.splice(0)) call();
    };
    let closed: LiveClose | null = null;
    const setup = {
      model: 'gemini-2.5-flash-native-audio-preview-12-2025',
      systemInstruction: 'Be brief.',
      voice: null,
      language: null,
    };
    const connection = await connect(
      setup,
      {
        onEvents: (more) => {
          events.push(...more);
          ring();
        },
        onClose: (close) => {
          closed = close;
          ring();
        },
      },
      { signal: new AbortController().signal, deadlineMs, need: 'new-call' },
    );
    open.push(() => connection.close(0));
    const until = async (condition: () => boolean) => {
      while (!condition()) await new Promise<void>((resolve) => wake.push(resolve));
    };
    const ask = () => {
      for (let frame = 0; frame < 80; frame++) {
        connection.sendAudio(frame < 30 ? voice(frame) : new Int16Array(320));
      }
    };
    return { emulator, told, connection, events, until, ask, closed: () => closed };
  };
  const refusalOf = async (faults: FaultFile[], deadlineMs?: number) => {
    const error = await dial(faults, deadlineMs).then(
      () => null,
      (caught: unknown) => caught,
    );
    expect(error).toBeInstanceOf(LiveConnectError);
    return error as LiveConnectError;
  };

  it.each([
    [409, 'overload'],
    [429, 'quota'],
    [503, 'overload'],
  ] as const)('learns what a refusal with %d means', async (status, closeClass) => {
    expect(await refusalOf([{ at: 'connect', fault: 'refuse', status }])).toMatchObject({
      closeClass,
      httpStatus: status,
    });
  });

  it.each([
    ['quota', 'quota', true],
    ['unavailable', 'overload', true],
    ['key-expired', 'auth', false],
    ['model-not-found', 'config', false],
  ] as const)(
    'learns what the close %s during setup means',
    async (close: CloseName, closeClass, retryable) => {
      expect(await refusalOf([{ at: 'setup', fault: 'close', close }])).toMatchObject({
        closeClass,
        retryable,
      });
    },
  );

  it.each([
    [{ at: 'connect', fault: 'half-open' }],
    [{ at: 'setup', fault: 'never-complete' }],
    [{ at: 'setup', fault: 'half-open' }],
    [{ at: 'setup', fault: 'slow-setup', delayMs: 60_000 }],
  ] as FaultFile[][])('gives up in time: %o', async (fault) => {
    expect((await refusalOf([fault!], 150)).retryable).toBe(true);
  });

  it('lives through a frame that is no JSON, and hears the answer', async () => {
    const { told, events, until, ask, closed } = await dial([
      { at: 'utterance', fault: 'not-json' },
      { at: 'utterance', fault: 'unknown-message' },
      { at: 'turn', fault: 'unknown-fields' },
      { at: 'turn', fault: 'empty-parts' },
    ]);
    ask();
    await until(() => events.some((event) => event.type === 'turn-complete'));
    expect(told.length).toBeGreaterThan(0);
    expect(closed()).toBeNull();
    const audio = events.flatMap((event) => (event.type === 'audio' ? [event.bytes] : []));
    expect(Buffer.concat(audio)).toHaveLength(clip.samples.byteLength);
  });

  it('has the fields of one message in the order in which they must be acted upon', async () => {
    const { events, until, ask } = await dial([{ at: 'turn', fault: 'merged-fields' }]);
    ask();
    await until(() => events.some((event) => event.type === 'turn-complete'));
    const order = events.map((event) => event.type);
    const at = (type: LiveEvent['type']) => order.lastIndexOf(type);
    expect(at('audio')).toBeLessThan(at('generation-complete'));
    expect(at('generation-complete')).toBeLessThan(at('turn-complete'));
    expect(order).toContain('output-transcript');
  });

  it('is told of a cut', async () => {
    const { until, closed } = await dial([{ at: 'second:0.3', fault: 'cut' }]);
    await until(() => closed() !== null);
    expect(closed()).toMatchObject({ code: 1006, class: 'network' });
  });
});
