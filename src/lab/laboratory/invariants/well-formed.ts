import type { Broken, Invariant } from './invariant.ts';

/** What a client may be told without having done anything wrong. */
const NO_FAULT = /handle|still open|quota|while a blocking tool call waits|context window/;

export const wellFormed: Invariant = {
  name: 'well-formed',
  sentence: 'The model is sent nothing that it would refuse.',
  check(call) {
    const broken: Broken[] = [];
    for (const service of call.services)
      for (const { refusals } of service.sessions)
        for (const { atMs, code, detail } of refusals)
          if (!NO_FAULT.test(detail))
            broken.push({ atMs: atMs - call.startedAtMs, detail: `refused with ${code}: ${detail}` });
    return broken;
  },
};
