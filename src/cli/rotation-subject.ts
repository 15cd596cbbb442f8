/** The process that the rotation bench watches: the gateway as it is served, and what its journal says. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { systemClock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import {
  ENTRIES_READ,
  type FromRotationGateway,
  type GatewayEntry,
  type ToRotationGateway,
} from '../lab/bench/rotation-protocol.ts';
import { configFrom, type Gateway, startGateway } from '../main.ts';
import { readLabTwilio } from '../store/lab-secrets.ts';

const say = (message: FromRotationGateway): void => {
  if (process.connected) process.send?.(message);
};
const wanted: ReadonlySet<string> = new Set(ENTRIES_READ);
const RESOLUTION_MS = 5;
const late = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
let gateway: Gateway | null = null;

// Ctrl-C reaches all processes of the bench; the parent decides when this one stops.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit(0));
process.on('message', async (message: ToRotationGateway) => {
  if (message.type === 'stop') {
    await gateway?.close();
    process.exit(0);
  }
  say({
    type: 'report',
    lateP99Ms: Math.max(0, late.percentile(99) / 1e6 - RESOLUTION_MS),
    lateMostMs: Math.max(0, late.max / 1e6 - RESOLUTION_MS),
  });
  late.reset();
});

try {
  const config = configFrom(process.env);
  gateway = await startGateway(config, {
    listeners: [
      (entry, { bot }) => {
        if (!wanted.has(entry.type)) return;
        say({ type: 'entry', bot, entry: entry as GatewayEntry, epochMs: systemClock.epochMs() });
      },
    ],
  });
  late.enable();
  const twilio = readLabTwilio(config.data.dataDir);
  if (twilio === null) throw new Error('no simulated carrier: a gateway in lab mode was wanted');
  say({ type: 'ready', url: gateway.localUrl, ...twilio });
} catch (caught) {
  say({ type: 'failed', message: messageOf(caught) });
}
