import type { Invariant } from './invariant.ts';

export const voiceInOrder: Invariant = {
  name: 'voice-in-order',
  sentence:
    'The caller hears a turn in order, without a hole, and nothing of it twice but the few syllables after a false alarm.',
  check: (call) => [
    ...call.outbound.disorder.map(({ atMs, what }) => ({ atMs: atMs - call.startedAtMs, detail: what })),
    ...(call.outbound.foreignSamples > 0
      ? [{ atMs: null, detail: `${call.outbound.foreignSamples} samples were changed on their way` }]
      : []),
  ],
};
