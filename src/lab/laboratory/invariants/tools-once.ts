import type { Broken, Invariant } from './invariant.ts';

export const toolsOnce: Invariant = {
  name: 'tools-once',
  sentence: 'A tool call is answered at most once, and only to a connection that knows it.',
  check(call) {
    const broken: Broken[] = [];
    const answered = new Set<string>();
    // A session that has forgotten a call without saying so cannot be known for one before it is answered.
    const forgets = call.plan.scenario.model.behaviours.handleWhileCallWaits === 'forgets';
    for (const service of call.services)
      for (const { toolResponses } of service.sessions)
        for (const { id, outcome, atMs } of toolResponses) {
          const key = `${call.services.indexOf(service)} ${id}`;
          if (answered.has(key)) broken.push({ atMs: atMs - call.startedAtMs, detail: `"${id}" twice` });
          answered.add(key);
          if (outcome === 'unknown' && !forgets)
            broken.push({
              atMs: atMs - call.startedAtMs,
              detail: `"${id}" to a connection that has not called it`,
            });
        }
    return broken;
  },
};
