import type { Invariant } from './invariant.ts';

export const oneGreeting: Invariant = {
  name: 'one-greeting',
  sentence: 'Nobody is greeted twice.',
  check: ({ outbound }) =>
    outbound.greetings > 1 ? [{ atMs: null, detail: `${outbound.greetings} greetings were heard` }] : [],
};
