import { Counter, Histogram, type Registry } from 'prom-client';
import type { CallIdentity, JournalEntry, JournalEntryOf, JournalListener } from '../call/journal.ts';
import { boundedLabel } from './bounded-label.ts';

const TURN_GAP_SECONDS = [0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 5];
const BARGE_IN_SECONDS = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2];
const CALL_SECONDS = [5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600];
const SETUP_SECONDS = [0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10];
const TOOL_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30];
/** Tool names are the owner's, but the model says them: more than this many different ones are none of ours. */
const MAX_TOOL_NAMES = 100;
/** A call this short may have ended before anyone spoke; only longer ones say something about a broken path. */
const ONE_WAY_AFTER_MS = 5_000;

/**
 * Everything that is counted from journals. Labels are carriers, models, and closed sets: never a call, a number or free
 * text. Names and units: Prometheus' rules, prefix `offhook_`.
 */
export function createCallMetrics(registry: Registry): JournalListener {
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name: `offhook_${name}`, help, labelNames: [...labelNames], registers: [registry] });
  const histogram = <L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    buckets: number[],
  ) =>
    new Histogram({
      name: `offhook_${name}`,
      help,
      labelNames: [...labelNames],
      buckets,
      registers: [registry],
    });

  const started = counter('calls_started_total', 'Calls admitted.', ['carrier', 'direction']);
  const ended = counter('calls_ended_total', 'Calls ended, by who ended them and how.', [
    'carrier',
    'who',
    'how',
  ]);
  const duration = histogram('call_duration_seconds', 'Length of a call.', ['carrier'], CALL_SECONDS);
  const oneWay = counter(
    'calls_one_way_total',
    'Calls with audio in one direction only; `leg` is the silent one.',
    ['carrier', 'leg'],
  );
  const zeroAudio = counter('calls_zero_audio_total', 'Calls without audio in any direction.', ['carrier']);
  const turnGap = histogram(
    'turn_gap_seconds',
    'Last caller frame with speech to the first non-silent frame of the answer.',
    ['carrier', 'model'],
    TURN_GAP_SECONDS,
  );
  const bargeIns = counter('barge_ins_total', 'Times playout stopped because the caller spoke.', [
    'carrier',
    'by',
  ]);
  const bargeIn = histogram(
    'barge_in_seconds',
    'First caller frame of the interrupting speech to the clear.',
    ['carrier'],
    BARGE_IN_SECONDS,
  );
  const gatewayShare = histogram(
    'barge_in_gateway_seconds',
    'The model’s interruption read to the clear.',
    ['carrier'],
    BARGE_IN_SECONDS,
  );
  const connections = counter('upstream_connections_total', 'Connections to Gemini that became ready.', [
    'model',
  ]);
  const setup = histogram(
    'upstream_setup_seconds',
    'Connecting to setup complete.',
    ['model'],
    SETUP_SECONDS,
  );
  const setupFailures = counter('upstream_setup_failures_total', 'Connections that never became ready.', [
    'model',
    'class',
  ]);
  const closes = counter('upstream_closes_total', 'Connections that Gemini or the network ended.', [
    'model',
    'code',
    'class',
  ]);
  const goAways = counter('upstream_goaway_total', 'Announcements that a connection is about to end.', [
    'model',
  ]);
  const rotations = counter('rotations_total', 'Connections that took the place of another in a call.', [
    'model',
    'cause',
    'how',
  ]);
  const rotationGap = histogram(
    'rotation_gap_seconds',
    'Last caller audio that the old connection took to the first that the new one did.',
    ['cause'],
    SETUP_SECONDS,
  );
  const stalls = counter('stalls_total', 'Times a model went wrong while its connection stood.', ['sign']);
  const stallSteps = counter('stall_steps_total', 'What was done about it.', ['step']);
  const frames = counter('carrier_frames_total', 'Messages with audio, added when a call ends.', [
    'carrier',
    'leg',
  ]);
  const frameErrors = counter('carrier_frame_errors_total', 'Faulty messages, added when a call ends.', [
    'carrier',
    'kind',
  ]);
  const underruns = counter('underruns_total', 'Times the caller heard a gap inside a turn.', ['carrier']);
  const drops = counter('backpressure_drops_total', 'Times audio was dropped for a slow peer.', ['leg']);
  const toolCalls = counter('tool_calls_total', 'Tool calls answered.', ['tool', 'result']);
  const toolTime = histogram('tool_seconds', 'Tool called to tool answered.', ['tool'], TOOL_SECONDS);
  const tokens = counter('tokens_total', 'Tokens as Gemini counts them, added when a call ends.', [
    'model',
    'kind',
  ]);
  const bugs = counter('bugs_total', 'Faults of our own that a call survived or ended with.', []);
  const toolLabel = boundedLabel(MAX_TOOL_NAMES);

  function onEnded({ reason, totals }: JournalEntryOf<'call-ended'>, { carrier, model }: CallIdentity): void {
    ended.inc({ carrier, who: reason.who, how: reason.how });
    duration.observe({ carrier }, totals.durationMs / 1000);
    frames.inc({ carrier, leg: 'inbound' }, totals.inboundFrames);
    frames.inc({ carrier, leg: 'outbound' }, totals.outboundMessages);
    for (const [kind, count] of Object.entries(totals.faults)) frameErrors.inc({ carrier, kind }, count);
    tokens.inc({ model, kind: 'prompt' }, totals.promptTokens);
    tokens.inc({ model, kind: 'response' }, totals.responseTokens);
    if (totals.durationMs < ONE_WAY_AFTER_MS) return;
    const heardCaller = totals.inboundFrames > 0;
    const heardBot = totals.outboundMs > 0;
    if (!heardCaller && !heardBot) zeroAudio.inc({ carrier });
    else if (!heardCaller) oneWay.inc({ carrier, leg: 'inbound' });
    else if (!heardBot) oneWay.inc({ carrier, leg: 'outbound' });
  }

  return (entry: JournalEntry, call: CallIdentity) => {
    const { carrier, model } = call;
    switch (entry.type) {
      case 'call-admitted':
        started.inc({ carrier, direction: entry.direction });
        break;
      case 'call-ended':
        onEnded(entry, call);
        break;
      case 'turn-audible':
        if (entry.turnGapMs !== null) turnGap.observe({ carrier, model }, entry.turnGapMs / 1000);
        break;
      case 'barge-in':
        bargeIns.inc({ carrier, by: entry.by });
        if (entry.bargeInMs !== null) bargeIn.observe({ carrier }, entry.bargeInMs / 1000);
        if (entry.gatewayMs !== null) gatewayShare.observe({ carrier }, entry.gatewayMs / 1000);
        break;
      case 'session-ready':
        connections.inc({ model });
        setup.observe({ model }, entry.setupMs / 1000);
        break;
      case 'session-failed':
        setupFailures.inc({ model, class: entry.class });
        break;
      case 'session-lost':
        closes.inc({ model, code: closeCodeLabel(entry.code), class: entry.class });
        break;
      case 'rotated': {
        const cause = entry.planned ? 'planned' : 'forced';
        rotations.inc({ model, cause, how: entry.how });
        rotationGap.observe({ cause }, entry.gapMs / 1000);
        break;
      }
      case 'stall':
        if (entry.step === 'wait') stalls.inc({ sign: entry.sign });
        else stallSteps.inc({ step: entry.step });
        break;
      case 'go-away':
        goAways.inc({ model });
        break;
      case 'underrun':
        underruns.inc({ carrier });
        break;
      case 'backpressure':
        drops.inc({ leg: entry.leg });
        break;
      case 'tool-answered': {
        const tool = toolLabel(entry.name);
        toolCalls.inc({ tool, result: entry.ok ? 'ok' : 'failed' });
        toolTime.observe({ tool }, entry.tookMs / 1000);
        break;
      }
      case 'bug':
        bugs.inc();
        break;
      default:
    }
  };
}

/** RFC 6455 reserves 1000 to 1015 for what everybody knows; a peer may send anything above. */
function closeCodeLabel(code: number): string {
  return Number.isInteger(code) && code >= 1000 && code <= 1015 ? String(code) : 'other';
}
