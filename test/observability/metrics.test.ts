import fc from 'fast-check';
import { Histogram, Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CallIdentity, JournalEntry, JournalFact } from '../../src/call/journal.ts';
import { emptyTotals } from '../../src/call/totals.ts';
import type { BreakerState } from '../../src/gemini/quota-breaker.ts';
import { VirtualClock } from '../../src/lab/virtual-clock.ts';
import { FixedHistogram } from '../../src/observability/fixed-histogram.ts';
import { createMetrics, type Metrics } from '../../src/observability/metrics.ts';
import { ScriptedDesk } from '../http/scripted-desk.ts';

const CALL: CallIdentity = {
  ref: 'ref-secret-1',
  carrier: 'twilio',
  carrierCallId: 'CA-secret-2',
  bot: 'front-desk',
  model: 'gemini-3.8-live',
};

let metrics: Metrics;
beforeEach(() => {
  metrics = createMetrics({ clock: new VirtualClock(), version: '9.9.9' });
});
afterEach(() => metrics.close());

function write(...facts: JournalFact[]): void {
  for (const fact of facts) metrics.listener({ ...fact, atMs: 0 } as JournalEntry, CALL);
}

/** The text format read back by its grammar: name and labels to value. */
async function samples(): Promise<Map<string, number>> {
  const lines = (await metrics.expose()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const parts = /^([a-z_]+(?:\{[^}]*\})?) (\S+)$/.exec(line);
      if (parts === null) throw new Error(`no sample: ${line}`);
      return [parts[1] as string, Number(parts[2])];
    }),
  );
}

const ADMITTED: JournalFact = {
  type: 'call-admitted',
  carrier: 'twilio',
  direction: 'inbound',
  bot: 'front-desk',
  model: 'gemini-3.8-live',
  pii: { from: '+15550100001', to: '+15550100002' },
};

test('the door to Gemini tells who is there, who waited for how long, and what the quota said', async () => {
  const counts = { waiting: 3, inFlight: 2, breaker: 'closed' as BreakerState };
  metrics.watchDoor(counts);
  metrics.door.granted('outage', 1_500);
  metrics.door.granted('outage', 0);
  metrics.door.turnedAway('rotation');
  metrics.door.quotaRefused();
  const closed = await samples();
  Object.assign(counts, { waiting: 7, breaker: 'probing' });
  const probing = await samples();
  for (const [name, before, after] of [
    ['connects_waiting', 3, 7],
    ['connects_in_flight', 2, 2],
    ['quota_breaker_open', 0, 1],
    ['connect_wait_seconds_count{need="outage"}', 2, 2],
    ['connect_wait_seconds_sum{need="outage"}', 1.5, 1.5],
    ['connect_wait_seconds_bucket{le="0.01",need="outage"}', 1, 1],
    ['connects_turned_away_total{need="rotation"}', 1, 1],
    ['quota_refusals_total', 1, 1],
  ] as const) {
    const key = `offhook_upstream_${name}`;
    expect([name, closed.get(key), probing.get(key)]).toEqual([name, before, after]);
  }
});

test('a scripted call appears in the exposition with the right values', async () => {
  write(
    ADMITTED,
    { type: 'session-ready', how: 'first', epoch: 1, queuedMs: 4_000, setupMs: 250 },
    { type: 'turn-audible', turn: 1, turnGapMs: 700, addedLatencyMs: 3 },
    { type: 'turn-audible', turn: 2, turnGapMs: null, addedLatencyMs: 3 },
    { type: 'turn-audible', turn: 3, turnGapMs: 1400, addedLatencyMs: 3 },
    { type: 'barge-in', by: 'model', generation: 2, bargeInMs: 320, gatewayMs: 4, droppedMs: 800 },
    { type: 'barge-in', by: 'tracker', generation: 3, bargeInMs: null, gatewayMs: null, droppedMs: 10 },
    { type: 'go-away', timeLeftMs: 5000 },
    { type: 'session-lost', epoch: 1, code: 1011, class: 'aborted', detail: 'x' },
    { type: 'session-lost', epoch: 2, code: 4711, class: 'network', detail: 'x' },
    { type: 'session-failed', epoch: 3, class: 'quota', detail: 'x' },
    { type: 'underrun', generation: 1, gapMs: 30, seenBy: 'marks' },
    { type: 'backpressure', leg: 'model', droppedMs: 20 },
    {
      type: 'tool-answered',
      name: 'look_up',
      id: 't',
      ok: true,
      tookMs: 120,
      by: 'response',
      pii: { result: '' },
    },
    {
      type: 'tool-answered',
      name: 'look_up',
      id: 't',
      ok: false,
      tookMs: 90,
      by: 'text',
      pii: { result: '' },
    },
    {
      type: 'call-ended',
      reason: { who: 'bot', how: 'completed', detail: 'said goodbye' },
      totals: {
        ...emptyTotals(),
        durationMs: 61_000,
        inboundFrames: 3000,
        outboundMessages: 700,
        outboundMs: 40_000,
        promptTokens: 900,
        responseTokens: 100,
        faults: { 'bad-json': 2 },
      },
    },
  );
  const found = await samples();
  const expected = {
    'offhook_calls_started_total{carrier="twilio",direction="inbound"}': 1,
    'offhook_calls_ended_total{carrier="twilio",who="bot",how="completed"}': 1,
    'offhook_call_duration_seconds_sum{carrier="twilio"}': 61,
    'offhook_turn_gap_seconds_count{carrier="twilio",model="gemini-3.8-live"}': 2,
    'offhook_turn_gap_seconds_sum{carrier="twilio",model="gemini-3.8-live"}': 2.1,
    'offhook_turn_gap_seconds_bucket{le="0.8",carrier="twilio",model="gemini-3.8-live"}': 1,
    'offhook_turn_gap_seconds_bucket{le="1.5",carrier="twilio",model="gemini-3.8-live"}': 2,
    'offhook_barge_ins_total{carrier="twilio",by="model"}': 1,
    'offhook_barge_ins_total{carrier="twilio",by="tracker"}': 1,
    'offhook_barge_in_seconds_count{carrier="twilio"}': 1,
    'offhook_barge_in_gateway_seconds_sum{carrier="twilio"}': 0.004,
    'offhook_upstream_connections_total{model="gemini-3.8-live"}': 1,
    'offhook_upstream_setup_seconds_sum{model="gemini-3.8-live"}': 0.25,
    'offhook_upstream_goaway_total{model="gemini-3.8-live"}': 1,
    'offhook_upstream_closes_total{model="gemini-3.8-live",code="1011",class="aborted"}': 1,
    'offhook_upstream_closes_total{model="gemini-3.8-live",code="other",class="network"}': 1,
    'offhook_upstream_setup_failures_total{model="gemini-3.8-live",class="quota"}': 1,
    'offhook_underruns_total{carrier="twilio"}': 1,
    'offhook_backpressure_drops_total{leg="model"}': 1,
    'offhook_tool_calls_total{tool="look_up",result="ok"}': 1,
    'offhook_tool_calls_total{tool="look_up",result="failed"}': 1,
    'offhook_tool_seconds_count{tool="look_up"}': 2,
    'offhook_carrier_frames_total{carrier="twilio",leg="inbound"}': 3000,
    'offhook_carrier_frames_total{carrier="twilio",leg="outbound"}': 700,
    'offhook_carrier_frame_errors_total{carrier="twilio",kind="bad-json"}': 2,
    'offhook_tokens_total{model="gemini-3.8-live",kind="prompt"}': 900,
    'offhook_tokens_total{model="gemini-3.8-live",kind="response"}': 100,
  };
  for (const [name, value] of Object.entries(expected)) expect(found.get(name), name).toBeCloseTo(value, 9);
  expect([...found.keys()].filter((name) => /one_way|zero_audio/.test(name))).toEqual([]);
});

test('no call, number or text becomes a label', async () => {
  write(
    ADMITTED,
    { type: 'transcript', speaker: 'caller', turn: 1, pii: { text: 'my name is' } },
    {
      type: 'tool-answered',
      name: 'call +15550100009 now',
      id: 't',
      ok: true,
      tookMs: 1,
      by: 'response',
      pii: { result: '' },
    },
    { type: 'session-lost', epoch: 1, code: 1011, class: 'aborted', detail: 'free text' },
  );
  const text = await metrics.expose();
  for (const hidden of ['secret-1', 'secret-2', '1555010', 'my name', 'free text', 'front-desk']) {
    expect(text).not.toContain(hidden);
  }
  expect(text).toContain('tool="other"');
});

test('a model that invents tool names cannot grow the metrics without end', async () => {
  for (let n = 0; n < 1000; n += 1) {
    write({
      type: 'tool-answered',
      name: `tool_${n}`,
      id: 't',
      ok: true,
      tookMs: 1,
      by: 'response',
      pii: { result: '' },
    });
  }
  const found = await samples();
  const names = [...found.keys()].filter((name) => name.startsWith('offhook_tool_calls_total'));
  expect(names).toHaveLength(101);
  expect(found.get('offhook_tool_calls_total{tool="other",result="ok"}')).toBe(900);
});

describe('calls with a broken path', () => {
  const end = (totals: Partial<ReturnType<typeof emptyTotals>>): void =>
    write({
      type: 'call-ended',
      reason: { who: 'caller', how: 'completed', detail: 'x' },
      totals: { ...emptyTotals(), ...totals },
    });
  test.each([
    [
      { durationMs: 9000, inboundFrames: 0, outboundMs: 100 },
      'offhook_calls_one_way_total{carrier="twilio",leg="inbound"}',
    ],
    [
      { durationMs: 9000, inboundFrames: 5, outboundMs: 0 },
      'offhook_calls_one_way_total{carrier="twilio",leg="outbound"}',
    ],
    [
      { durationMs: 9000, inboundFrames: 0, outboundMs: 0 },
      'offhook_calls_zero_audio_total{carrier="twilio"}',
    ],
    [{ durationMs: 900, inboundFrames: 0, outboundMs: 0 }, null],
    [{ durationMs: 9000, inboundFrames: 5, outboundMs: 5 }, null],
  ])('%o', async (totals, name) => {
    end(totals);
    const found = [...(await samples()).keys()].filter((key) => /one_way|zero_audio/.test(key));
    expect(found).toEqual(name === null ? [] : [name]);
  });
});

test('gauges read the desk when they are asked', async () => {
  const desk = new ScriptedDesk();
  metrics.watch(desk);
  desk.activeCalls = 7;
  desk.pendingStreams = 2;
  expect((await samples()).get('offhook_calls_active')).toBe(7);
  desk.activeCalls = 3;
  desk.beginDrain();
  const found = await samples();
  expect(found.get('offhook_calls_active')).toBe(3);
  expect(found.get('offhook_calls_capacity')).toBe(10);
  expect(found.get('offhook_calls_pending_streams')).toBe(2);
  expect(found.get('offhook_draining')).toBe(1);
});

test('the web server’s counts have their labels', async () => {
  metrics.http.authFailed('twilio', 'webhook');
  metrics.http.replayed('twilio');
  metrics.http.callRefused('twilio', 'busy');
  metrics.http.limitHit('message-rate');
  metrics.http.handlerFailed('stream');
  metrics.processFault('unhandled-rejection');
  const found = await samples();
  for (const name of [
    'offhook_auth_failures_total{carrier="twilio",kind="webhook"}',
    'offhook_replays_total{carrier="twilio"}',
    'offhook_calls_refused_total{carrier="twilio",reason="busy"}',
    'offhook_limits_hit_total{kind="message-rate"}',
    'offhook_handler_errors_total{where="stream"}',
    'offhook_process_faults_total{kind="unhandled-rejection"}',
  ]) {
    expect(found.get(name), name).toBe(1);
  }
});

test('what runs, and how it fares, is there', async () => {
  const found = await samples();
  expect(found.get(`offhook_build_info{version="9.9.9",node="${process.version}"}`)).toBe(1);
  expect(found.get('process_resident_memory_bytes')).toBeGreaterThan(1e6);
  expect(found.get('process_cpu_seconds_total')).toBeGreaterThan(0);
  for (const quantile of ['0.5', '0.99', '1']) {
    expect(found.get(`offhook_event_loop_delay_seconds{quantile="${quantile}"}`)).toBeGreaterThanOrEqual(0);
  }
});

describe('the histogram of every frame', () => {
  test('says exactly what prom-client’s own says of the same values', async () => {
    const bounds = [0.001, 0.005, 0.01, 0.1];
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.double({ min: 0, max: 0.2, noNaN: true }), fc.constantFrom(...bounds)), {
          maxLength: 3000,
          size: 'max',
        }),
        async (values) => {
          const own = new FixedHistogram(bounds);
          const other = new Histogram({ name: 'h', help: 'h', buckets: bounds, registers: [new Registry()] });
          for (const value of values) {
            own.observe(value);
            other.observe(value);
          }
          const theirs = (await other.get()).values.filter(({ metricName }) => metricName === 'h_bucket');
          expect(own.cumulative().map(({ count }) => count)).toEqual(theirs.map(({ value }) => value));
          expect(own.sum).toBeCloseTo(
            values.reduce((sum, value) => sum + value, 0),
            9,
          );
        },
      ),
      { numRuns: 30 },
    );
  });

  test('a value that is no number is left out', () => {
    const histogram = new FixedHistogram([1]);
    for (const value of [Number.NaN, Infinity, -Infinity]) histogram.observe(value);
    expect(histogram.cumulative().at(-1)).toEqual({ bound: Infinity, count: 0 });
    expect(histogram.sum).toBe(0);
  });

  test('appears by leg, in seconds', async () => {
    metrics.meters.frameLatency('up', 0.4);
    metrics.meters.frameLatency('up', 4);
    metrics.meters.frameLatency('up', 4000);
    metrics.meters.frameLatency('down', 15);
    const found = await samples();
    const bucket = (le: string, leg: string) =>
      found.get(`offhook_frame_latency_seconds_bucket{le="${le}",leg="${leg}"}`);
    expect(['0.0005', '0.003', '0.005', '0.1', '+Inf'].map((le) => bucket(le, 'up'))).toEqual([
      1, 1, 2, 2, 3,
    ]);
    expect(['0.01', '0.02', '+Inf'].map((le) => bucket(le, 'down'))).toEqual([0, 1, 1]);
    expect(found.get('offhook_frame_latency_seconds_count{leg="up"}')).toBe(3);
    expect(found.get('offhook_frame_latency_seconds_sum{leg="up"}')).toBeCloseTo(4.0044, 9);
  });

  test('the exposition names its type', async () => {
    expect(await metrics.expose()).toContain('# TYPE offhook_frame_latency_seconds histogram');
  });
});
