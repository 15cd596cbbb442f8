/** The process that the call bench measures: the gateway as it is served, or the bare relay. Told what to do by messages. */

import { messageOf } from '../errors.ts';
import { Histogram } from '../lab/bench/load/histogram.ts';
import type { FromSubject, SubjectReport, ToSubject } from '../lab/bench/protocol.ts';
import { startRelay } from '../lab/bench/relay.ts';
import { configFrom, startGateway } from '../main.ts';

const latency = { up: new Histogram(), down: new Histogram() };
const say = (message: FromSubject): void => {
  process.send?.(message);
};

async function start(kind: string | undefined): Promise<string> {
  if (kind === 'relay') return (await startRelay(process.env['BENCH_MODEL_URL'] ?? '')).url;
  const gateway = await startGateway(configFrom(process.env), {
    meters: { frameLatency: (leg, ms) => latency[leg].add(ms) },
  });
  return gateway.localUrl;
}

/** CPU that the collections asked for by the bench itself have taken: no part of what is measured. */
let ownCpuMs = 0;
const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

function report(): SubjectReport {
  const beforeMs = cpuMs();
  const measuredMs = beforeMs - ownCpuMs;
  (globalThis as { gc?: () => void }).gc?.();
  ownCpuMs += cpuMs() - beforeMs;
  const { rss, heapUsed, external } = process.memoryUsage();
  const resources: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
  const { up, down } = latency;
  return {
    cpuMs: measuredMs,
    rssBytes: rss,
    heapBytes: heapUsed + external,
    resources,
    added:
      up.count === 0
        ? null
        : {
            upP50: up.quantile(0.5),
            upP99: up.quantile(0.99),
            downP50: down.quantile(0.5),
            downP99: down.quantile(0.99),
          },
  };
}

process.on('message', (message: ToSubject) => {
  if (message.type === 'report') say({ type: 'report', report: report() });
  else if (message.type === 'reset') {
    latency.up.reset();
    latency.down.reset();
  } else process.exit(0);
});
process.on('disconnect', () => process.exit(0));

try {
  say({ type: 'ready', url: await start(process.argv[2]) });
} catch (caught) {
  say({ type: 'failed', message: messageOf(caught) });
}
