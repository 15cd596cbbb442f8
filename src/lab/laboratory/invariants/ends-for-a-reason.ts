import type { Broken, Invariant } from './invariant.ts';

const WHO = ['caller', 'bot', 'carrier', 'model', 'gateway', 'operator'];
const HOW = ['completed', 'transferred', 'limit', 'silence', 'refused', 'drained', 'error'];

export const endsForAReason: Invariant = {
  name: 'ends-for-a-reason',
  sentence: 'A call ends once, for a reason of the closed list, and never by a fault of the gateway.',
  check({ ended, endings, bugs }) {
    const broken: Broken[] = bugs.map((bug) => ({ atMs: null, detail: `a bug in ${bug}` }));
    if (endings !== 1) broken.push({ atMs: null, detail: `it ended ${endings} times` });
    if (ended !== null && !(WHO.includes(ended.who) && HOW.includes(ended.how)))
      broken.push({ atMs: null, detail: `it ended by ${ended.who}, ${ended.how}: ${ended.detail}` });
    return broken;
  },
};
