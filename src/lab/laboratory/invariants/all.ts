/** Every sentence that must hold for a call of the laboratory. */
import type { Sound } from '../exchange.ts';
import { bounded } from './bounded.ts';
import { endsForAReason } from './ends-for-a-reason.ts';
import { heardLedger } from './heard-ledger.ts';
import type { Invariant } from './invariant.ts';
import { noDeadAir } from './no-dead-air.ts';
import { noStaleVoice } from './no-stale-voice.ts';
import { oneGreeting } from './one-greeting.ts';
import { speechArrives } from './speech-arrives.ts';
import { speechOnce } from './speech-once.ts';
import { toolsOnce } from './tools-once.ts';
import { voiceInOrder } from './voice-in-order.ts';
import { wellFormed } from './well-formed.ts';

/** Those that need to know every sample. */
const COUNTED: readonly Invariant[] = [
  speechArrives,
  speechOnce,
  voiceInOrder,
  noStaleVoice,
  oneGreeting,
  heardLedger,
];
const ALWAYS: readonly Invariant[] = [endsForAReason, noDeadAir, toolsOnce, bounded, wellFormed];

export const invariantsFor = (sound: Sound): readonly Invariant[] =>
  sound === 'counters' ? [...COUNTED, ...ALWAYS] : ALWAYS;

/** Of a whole exchange, beside those of its calls. */
export const NOTHING_LEFT = {
  name: 'nothing-left',
  sentence: 'After the last call no timer, socket or session is left.',
};
