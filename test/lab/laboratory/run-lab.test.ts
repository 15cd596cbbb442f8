import { describe, expect, it } from 'vitest';
import { runLab } from '../../../src/lab/laboratory/run-lab.ts';
import { runLabCalls } from '../../../src/lab/laboratory/run-lab-call.ts';
import { talk, wait } from '../../../src/lab/laboratory/story.ts';

/** All that does not depend on how fast the machine is. */
const lasting = ({ wallMs: _wall, heapMb: _heap, ...rest }: Awaited<ReturnType<typeof runLab>>) => rest;

describe('the laboratory', () => {
  it('finds nothing broken where nothing goes wrong', async () => {
    const { broken, totals } = await runLab({ seed: 3, calls: 6, minutes: 4, faults: [], behaviours: false });
    expect(broken).toEqual([]);
    expect(totals.calls).toBe(6);
    expect(totals.rotationsForced).toBe(0);
    expect(totals.turns).toBeGreaterThan(60);
    expect(totals.bargeIns).toBeGreaterThan(5);
  });

  it('makes the same calls of the same seed, and others of another', async () => {
    const options = { calls: 4, minutes: 3, together: 2 };
    const first = lasting(await runLab({ ...options, seed: 11 }));
    expect(lasting(await runLab({ ...options, seed: 11 }))).toEqual(first);
    expect(lasting(await runLab({ ...options, seed: 12 })).totals).not.toEqual(first.totals);
  });

  it('plays one call again as it was among the others', async () => {
    const options = { seed: 21, calls: 6, minutes: 3, together: 3 };
    const journals = new Map<number, string[]>();
    const all = await runLab({
      ...options,
      onEntry: (call, entry) => journals.set(call, [...(journals.get(call) ?? []), JSON.stringify(entry)]),
    });
    const again: string[] = [];
    const alone = await runLab({
      ...options,
      only: 4,
      onEntry: (call, entry) => {
        if (call === 4) again.push(JSON.stringify(entry));
      },
    });
    expect(again).toEqual(journals.get(4));
    expect(alone.broken).toEqual(all.broken.filter(({ call }) => call === 4));
    expect(alone.totals.calls).toBe(1);
  });

  it('stops when its time is up, and ends its calls in good order', async () => {
    const { cutShort, broken, totals } = await runLab({
      seed: 1,
      faults: [],
      behaviours: false,
      budgetMs: 0,
    });
    expect(cutShort).toBe(true);
    expect(broken).toEqual([]);
    expect(totals.endings['not at all']).toBeUndefined();
  });

  it('lets real voices through the whole path', async () => {
    const { broken, totals } = await runLab({
      seed: 2,
      calls: 2,
      minutes: 1.5,
      faults: [],
      behaviours: false,
      sound: 'real',
    });
    expect(broken).toEqual([]);
    expect(totals.turns).toBeGreaterThan(5);
    expect(totals.bargeIns).toBeGreaterThan(0);
  });
});

describe('a call that is written down', () => {
  it('is greeted, answered and hung up, as its story says', async () => {
    const { broken, call, of } = await runLabCalls({ acts: [talk(2_000), talk(800), wait(5_000)] });
    expect(broken).toEqual([]);
    expect(call.ended).toMatchObject({ who: 'caller', how: 'completed' });
    expect(call.outbound.greetings).toBe(1);
    expect(of('turn-ended').map(({ how }) => how)).toEqual(['complete', 'complete', 'complete']);
  });

  it('loses its connection at the moment that was named', async () => {
    const { call } = await runLabCalls({
      acts: [talk(2_000), wait(10_000), talk(1_000)],
      calamities: [{ atMs: 12_000, what: { kind: 'mass-loss' } }],
    });
    expect(call.connections).toHaveLength(2);
    expect(call.connections[0]!.toMs! - call.startedAtMs).toBeGreaterThanOrEqual(12_000);
    expect(call.connections[0]!.toMs! - call.startedAtMs).toBeLessThan(12_100);
  });

  it('comes through a service that is away for twenty seconds', async () => {
    const { call } = await runLabCalls({
      acts: [talk(2_000), wait(30_000), talk(1_000), wait(4_000)],
      calamities: [{ atMs: 12_000, what: { kind: 'away', forMs: 20_000, handles: 'lost' } }],
    });
    expect(call.ended).toMatchObject({ who: 'caller' });
    const [, second] = call.connections;
    expect(second!.fromMs - call.startedAtMs).toBeGreaterThan(32_000);
  });

  it('is told by two hundred callers at once', async () => {
    const { calls, broken } = await runLabCalls({ calls: 200, acts: [talk(1_000), wait(500)] });
    expect(calls.filter(({ ended }) => ended?.who === 'caller')).toHaveLength(200);
    expect(broken).toEqual([]);
  });
});
