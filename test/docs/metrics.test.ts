import { Registry } from 'prom-client';
import { afterAll, describe, expect, test, vi } from 'vitest';
import type { EndedBy, EndedHow } from '../../src/call/end-reason.ts';
import type { JournalEntryOf } from '../../src/call/journal.ts';
import { STALL_SIGNS, type StallStep } from '../../src/call/stall-policy.ts';
import { CARRIER_IDS, type RefusalReason } from '../../src/carriers/carrier.ts';
import type { CloseClass, ConnectNeed } from '../../src/gemini/live-session.ts';
import type { HttpMeters, LimitKind } from '../../src/http/http-meters.ts';
import { VirtualClock } from '../../src/lab/virtual-clock.ts';
import { createMetrics, type ProcessFault } from '../../src/observability/metrics.ts';
import { ScriptedDesk } from '../http/scripted-desk.ts';
import { codes, fenced, readDocument, section, tableRows } from './markdown.ts';

const document = readDocument('docs/metrics.md');
const rows = tableRows(section(document, 'metrics'));

// What is registered, caught on its way in: the exposition itself names labels only once something was counted.
const registered = vi.spyOn(Registry.prototype, 'registerMetric');
const metrics = createMetrics({ clock: new VirtualClock(), version: '0' });
metrics.watch(new ScriptedDesk());
metrics.watchDoor({ waiting: 0, inFlight: 0, breaker: 'closed' });
const inCode = registered.mock.calls.map(
  ([metric]) => metric as unknown as { name: string; labelNames: string[] },
);
registered.mockRestore();
afterAll(() => metrics.close());

describe('the table of metrics', () => {
  test('has every metric that is exposed, and no other', async () => {
    const exposed = [...(await metrics.expose()).matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    expect(exposed.length).toBe(inCode.length);
    expect(rows.map(([name]) => name).sort()).toEqual(exposed.map((name) => `\`${name}\``).sort());
  });

  test('has their types', async () => {
    const exposition = await metrics.expose();
    for (const [name = '', type] of rows) {
      expect(exposition).toContain(`# TYPE ${name.replaceAll('`', '')} ${type}\n`);
    }
  });

  test('has their labels', () => {
    for (const [name = '', , labels = ''] of rows) {
      const metric = inCode.find((one) => `\`${one.name}\`` === name);
      expect([name, codes(labels)]).toEqual([name, metric?.labelNames]);
    }
  });

  test('says what each of them means', () => {
    for (const [name, , , meaning = ''] of rows) expect([name, meaning.length > 10]).toEqual([name, true]);
  });
});

/** Every member of a union of names: the compiler refuses a list with one too few or one too many. */
const all =
  <Name extends string>() =>
  (names: Readonly<Record<Name, true>>): string[] =>
    Object.keys(names);

describe('the values of labels', () => {
  const valuesOf = (label: string, where: string): string[] => {
    const row = tableRows(section(document, 'labels')).find(
      ([name, at]) => name === `\`${label}\`` && at?.includes(where),
    );
    return codes((row?.[2] ?? '').split(';')[0] ?? '').sort();
  };

  test.each<[string, string, string[]]>([
    ['carrier', 'all', [...CARRIER_IDS]],
    [
      'direction',
      'calls started',
      all<JournalEntryOf<'call-admitted'>['direction']>()({ inbound: true, outbound: true }),
    ],
    [
      'reason',
      'calls refused',
      all<RefusalReason>()({ busy: true, draining: true, 'no-bot': true, error: true }),
    ],
    [
      'who',
      'calls ended',
      all<EndedBy>()({
        caller: true,
        bot: true,
        carrier: true,
        model: true,
        gateway: true,
        operator: true,
      }),
    ],
    [
      'how',
      'calls ended',
      all<EndedHow>()({
        completed: true,
        transferred: true,
        limit: true,
        silence: true,
        refused: true,
        drained: true,
        crashed: true,
        error: true,
      }),
    ],
    [
      'by',
      'barge-ins',
      all<JournalEntryOf<'barge-in'>['by']>()({ model: true, tracker: true, 'new-answer': true }),
    ],
    [
      'class',
      'closes',
      all<CloseClass>()({
        normal: true,
        config: true,
        auth: true,
        'handle-refused': true,
        'old-socket-open': true,
        quota: true,
        overload: true,
        deadline: true,
        aborted: true,
        network: true,
      }),
    ],
    ['need', 'connects', all<ConnectNeed>()({ outage: true, 'new-call': true, rotation: true })],
    ['cause', 'rotations', ['planned', 'forced']],
    ['how', 'rotations', all<JournalEntryOf<'rotated'>['how']>()({ resumed: true, fresh: true })],
    // A late answer is no stall yet: it has a filler, and is not counted before it is more than late.
    ['sign', 'stalls', STALL_SIGNS.filter((sign) => sign !== 'late-answer')],
    [
      'step',
      'stall steps',
      all<Exclude<StallStep, 'wait'>>()({
        filler: true,
        nudge: true,
        rotate: true,
        manual: true,
        fresh: true,
        end: true,
      }),
    ],
    [
      'kind',
      'frame errors',
      all<JournalEntryOf<'carrier-fault'>['kind']>()({
        'bad-json': true,
        'bad-payload': true,
        'before-start': true,
        'second-start': true,
        'wrong-stream': true,
        'out-of-order': true,
        'unexpected-binary': true,
        'unknown-event': true,
        'carrier-warning': true,
        flood: true,
        oversize: true,
        'socket-error': true,
      }),
    ],
    [
      'kind',
      'auth failures',
      all<Parameters<HttpMeters['authFailed']>[1]>()({
        webhook: true,
        handshake: true,
        token: true,
        origin: true,
        admin: true,
      }),
    ],
    [
      'kind',
      'limits',
      all<LimitKind>()({
        'pending-streams': true,
        'streams-per-address': true,
        'message-rate': true,
        'message-size': true,
        'body-size': true,
      }),
    ],
    [
      'kind',
      'process faults',
      all<ProcessFault>()({ 'unhandled-rejection': true, 'uncaught-exception': true }),
    ],
    [
      'where',
      'handler errors',
      all<Parameters<HttpMeters['handlerFailed']>[0]>()({
        webhook: true,
        upgrade: true,
        stream: true,
        admin: true,
      }),
    ],
  ])('%s at %s', (label, where, values) => {
    expect(valuesOf(label, where)).toEqual([...values].sort());
  });
});

test('queries, alerts and measures ask only for metrics that exist', () => {
  const measures = section(
    document.replace('## Measures', '<!-- m -->').replace('## Metrics', '<!-- /m -->'),
    'm',
  );
  const asked = [...fenced(document, 'promql'), ...fenced(document, 'yaml'), measures].join('\n');
  const names = [...asked.matchAll(/\boffhook_[a-z_]+\b/g)].map(([name]) =>
    name.replace(/_(bucket|sum|count)$/, ''),
  );
  const known = new Set(inCode.map((metric) => metric.name));
  expect(names.length).toBeGreaterThan(20);
  expect(names.filter((name) => !known.has(name) && !name.endsWith('_'))).toEqual([]);
});

test('metrics that are asked for by a pattern exist too', () => {
  const patterns = [...document.matchAll(/__name__=~"([^"]+)"/g)].map(([, pattern]) => pattern as string);
  expect(patterns.length).toBeGreaterThan(0);
  for (const pattern of patterns) {
    const alternatives = /\(([^)]+)\)/.exec(pattern)?.[1]?.split('|') ?? [];
    const matched = inCode.filter((metric) => new RegExp(`^(?:${pattern})$`).test(metric.name));
    expect([pattern, matched.length]).toEqual([pattern, alternatives.length]);
  }
});
