import { basename } from 'node:path';
import type { BotClip } from '../lab/report/clips.ts';
import type { Reply, Scenario } from '../lab/scenario.ts';

/** Every recording that the bot of a scenario can say, once. */
export function clipsOf(scenario: Scenario): readonly BotClip[] {
  const replies: readonly (Reply | null)[] = [
    scenario.greeting,
    ...scenario.replies,
    ...scenario.onText.map(({ reply }) => reply),
    ...scenario.otherwise,
  ];
  const clips = new Map<string, BotClip>();
  const add = (reply: Reply | null): void => {
    if (reply === null) return;
    const { clip } = reply;
    if (clip !== null) clips.set(clip.name, { name: basename(clip.name, '.wav'), samples: clip.samples });
    for (const call of reply.calls) add(call.followUp);
  };
  for (const reply of replies) add(reply);
  return [...clips.values()];
}
