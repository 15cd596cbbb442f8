import { describe, expect, it } from 'vitest';
import type {
  ConnectOptions,
  LiveClose,
  LiveConnection,
  LiveEvent,
} from '../../../src/gemini/live-session.ts';
import type { LiveSetup } from '../../../src/gemini/setup.ts';
import type { FaultFile } from '../../../src/lab/emulator/faults/catalogue.ts';
import { EmulatedService } from '../../../src/lab/emulator/service.ts';
import { createEmulatorLink } from '../../../src/lab/laboratory/emulator-link.ts';
import type { ModelSocket } from '../../../src/lab/laboratory/model-socket.ts';
import { AGELESS_MS, labScenario } from '../../../src/lab/laboratory/plan.ts';
import { FAIR_WEATHER } from '../../../src/lab/network/line.ts';
import type { ModelPlan } from '../../../src/lab/scenario.ts';
import { VirtualClock } from '../../../src/lab/virtual-clock.ts';

const SETUP: LiveSetup = {
  model: 'gemini-3.8-live',
  systemInstruction: 'Be brief.',
  voice: null,
  language: null,
};
const ONE_WAY_MS = 30;
const HANDSHAKE_MS = 100;
const SETUP_MS = 200;

/** One line to an emulated service, on virtual time. */
class World {
  readonly clock = new VirtualClock();
  readonly sockets: ModelSocket[] = [];
  readonly events: { readonly atMs: number; readonly type: LiveEvent['type'] }[] = [];
  readonly closes: LiveClose[] = [];
  readonly ends: string[] = [];
  service: EmulatedService | null;
  readonly #connect: ReturnType<typeof createEmulatorLink>;

  constructor(faults: readonly FaultFile[] = [], model: Partial<ModelPlan> = {}) {
    this.service = new EmulatedService({
      scenario: labScenario({
        faults,
        model: {
          connectionMs: AGELESS_MS,
          setupDelayMs: SETUP_MS,
          behaviours: { goAwayLead: 'none' },
          ...model,
        },
      }),
    });
    this.#connect = createEmulatorLink({
      clock: this.clock,
      onStir: () => {},
      routeOf: () => ({
        service: () => this.service,
        weather: { ...FAIR_WEATHER, delayMs: ONE_WAY_MS },
        handshakeMs: HANDSHAKE_MS,
        random: () => 0.5,
        observer: {
          onSocket: (socket) => this.sockets.push(socket),
          onEnd: (_connection, by) => this.ends.push(by),
        },
      }),
    });
  }

  /** Asks for a connection; it is there, or what was wrong with it, once enough time has passed. */
  ask(options: Partial<ConnectOptions> = {}, setup: LiveSetup = SETUP) {
    const asked: { connection: LiveConnection | null; failed: unknown; atMs: number } = {
      connection: null,
      failed: null,
      atMs: -1,
    };
    this.#connect(
      setup,
      {
        onEvents: (events, atMs) => this.events.push(...events.map(({ type }) => ({ atMs, type }))),
        onClose: (close) => this.closes.push(close),
      },
      { signal: new AbortController().signal, deadlineMs: 5_000, need: 'new-call', ...options },
    ).then(
      (connection) => Object.assign(asked, { connection, atMs: this.clock.now() }),
      (failed: unknown) => Object.assign(asked, { failed, atMs: this.clock.now() }),
    );
    return asked;
  }

  async connected(): Promise<LiveConnection> {
    const asked = this.ask();
    await this.pass(1_000);
    return asked.connection!;
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advanceAsync(ms);
  }
}

describe('connecting to the emulated service', () => {
  it('takes the handshake, the way there and back twice, and the service’s own time', async () => {
    const world = new World();
    const asked = world.ask();
    await world.pass(3_000);
    expect(asked.connection).not.toBeNull();
    expect(asked.atMs).toBe(HANDSHAKE_MS + ONE_WAY_MS + 2 * ONE_WAY_MS + SETUP_MS);
  });

  it('that nobody answers ends at its deadline, and leaves no timer', async () => {
    const world = new World([{ at: 'setup', fault: 'never-complete' }]);
    const asked = world.ask({ deadlineMs: 2_000 });
    await world.pass(2_500);
    expect(asked).toMatchObject({ connection: null, failed: { closeClass: 'network' }, atMs: 2_000 });
    await world.pass(60_000);
    expect(world.clock.pendingTimers).toBe(0);
  });

  it('that is refused says why', async () => {
    const refused = new World([{ at: 'connect', fault: 'refuse', status: 503 }]);
    const asked = refused.ask();
    await refused.pass(1_000);
    expect(asked.failed).toMatchObject({ closeClass: 'overload', httpStatus: 503 });

    const unknown = new World();
    const resumed = unknown.ask({}, { ...SETUP, resumption: { handle: 'of nobody' } });
    await unknown.pass(1_000);
    expect(resumed.failed).toMatchObject({ closeClass: 'handle-refused', closeCode: 1008 });
  });

  it('that is called off is over at once', async () => {
    const world = new World();
    const abort = new AbortController();
    const asked = world.ask({ signal: abort.signal });
    await world.pass(150);
    abort.abort();
    await world.pass(1);
    expect(asked.failed).toMatchObject({ closeClass: 'normal' });
    await world.pass(1_000);
    expect({
      timers: world.clock.pendingTimers,
      open: world.sockets.filter(({ gone }) => !gone).length,
    }).toEqual({
      timers: 0,
      open: 0,
    });
  });

  it('with a hold opens the socket, waits beyond the deadline, and sends the fields that it is given', async () => {
    const world = new World();
    let heldAtMs = -1;
    let release: (fields: { handle: null; systemInstruction: string }) => void = () => {};
    const asked = world.ask({
      deadlineMs: 800,
      hold: () => {
        heldAtMs = world.clock.now();
        return new Promise((resolve) => {
          release = resolve;
        });
      },
    });
    await world.pass(3_000);
    expect(heldAtMs).toBe(HANDSHAKE_MS + ONE_WAY_MS);
    expect({ ...asked, setup: world.service!.sessions[0]!.setup }).toMatchObject({
      connection: null,
      failed: null,
      setup: null,
    });
    release({ handle: null, systemInstruction: 'Go on.' });
    await world.pass(600);
    expect(asked.connection).not.toBeNull();
    expect(world.service!.sessions[0]!.setup?.systemInstruction?.parts[0]?.text).toBe('Go on.');
  });

  it('to a service that is away fails', async () => {
    const world = new World();
    world.service = null;
    const asked = world.ask();
    await world.pass(1_000);
    expect(asked.failed).toMatchObject({ closeClass: 'network' });
  });
});

describe('a connection to the emulated service', () => {
  it('carries audio and text there and the answer back', async () => {
    const world = new World();
    const connection = await world.connected();
    expect(connection.sendText('A caller is on the line.')).toBe(true);
    expect(connection.sendAudio(new Int16Array(320))).toBe(true);
    await world.pass(10_000);
    const [session] = world.service!.sessions;
    expect(session).toMatchObject({ receivedSamples: 320, refusals: [] });
    expect(session!.texts.map(({ text }) => text)).toEqual(['A caller is on the line.']);
    expect(world.events.map(({ type }) => type)).toContain('audio');
    expect(world.events.map(({ type }) => type)).toContain('turn-complete');
  });

  it('that we close is closed at the service, and resolves when that is so', async () => {
    const world = new World();
    const connection = await world.connected();
    let closedAtMs = -1;
    const fromMs = world.clock.now();
    void connection.close().then(() => {
      closedAtMs = world.clock.now();
    });
    await world.pass(2_000);
    expect(closedAtMs - fromMs).toBe(2 * ONE_WAY_MS);
    expect(world.service!.sessions[0]!.closed).toMatchObject({ by: 'client', code: 1000 });
    expect(world.closes).toEqual([]);
    expect(connection.sendAudio(new Int16Array(2))).toBe(false);
    expect(world.clock.pendingTimers).toBe(0);
  });

  it('to a peer that is gone is destroyed after the grace', async () => {
    const world = new World([{ at: 'setup', fault: 'half-open', afterMs: 500 }]);
    const connection = await world.connected();
    let closedAtMs = -1;
    const fromMs = world.clock.now();
    void connection.close(700).then(() => {
      closedAtMs = world.clock.now();
    });
    await world.pass(2_000);
    expect(closedAtMs - fromMs).toBe(700);
  });

  it('that the service ends says how, once', async () => {
    const world = new World([{ at: 'setup', fault: 'close', close: 'deadline', afterMs: 2_000 }]);
    await world.connected();
    await world.pass(5_000);
    expect(world.closes).toMatchObject([{ code: 1011, class: 'deadline' }]);
    expect(world.ends).toEqual(['service']);
  });

  it('that breaks off says 1006, and the service holds it for open meanwhile', async () => {
    const world = new World([], { behaviours: { goAwayLead: 'none', oldSocketOpenRefused: true } });
    await world.connected();
    await world.pass(2_000);
    world.sockets[0]!.breakOff();
    await world.pass(100);
    expect(world.closes).toMatchObject([{ code: 1006, class: 'network' }]);
  });

  it('to a peer that does not read takes audio until its bound, and all of it arrives when the peer reads again', async () => {
    const world = new World([{ at: 'setup', fault: 'stop-reading', afterMs: 500, forMs: 60_000 }]);
    const connection = await world.connected();
    await world.pass(1_000);
    let taken = 0;
    while (connection.sendAudio(new Int16Array(320).fill(3)) && taken < 5_000) {
      taken += 1;
      await world.pass(20);
    }
    // A quarter of a megabyte beyond what the network holds, at 43 kB a second.
    expect(taken * 20).toBeGreaterThan(6_000);
    expect(taken * 20).toBeLessThan(15_000);
    expect(connection.bufferedBytes).toBeGreaterThan(0);
    await world.pass(70_000);
    expect(world.service!.sessions[0]!.receivedSamples).toBe(320 * taken);
    expect(connection.bufferedBytes).toBe(0);
  });
});
