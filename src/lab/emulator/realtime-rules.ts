/** What is wrong with a realtimeInput although its shape is right. Pure. */
import type { BehaviourValues } from '../../gemini/behaviours.ts';
import type { RealtimeInput } from './client-message.ts';
import { invalid, type Refusal, refusalAs } from './refusal.ts';

export interface RealtimeVerdict {
  readonly refusal: Refusal | null;
  /** What a careful client would not have done. */
  readonly warning: string | null;
}

const refuse = (refusal: Refusal): RealtimeVerdict => ({ refusal, warning: null });

/** @param manual the client marks activity itself */
export function judgeRealtime(
  input: RealtimeInput,
  manual: boolean,
  behaviours: BehaviourValues,
): RealtimeVerdict {
  const fields = Object.keys(input);
  if (fields.length === 0 && behaviours.emptyRealtimeInput === 'close-1007') {
    return refuse(invalid('an empty realtimeInput, wanted one field'));
  }
  if (fields.length > 1 && behaviours.severalRealtimeFields === 'close-1007') {
    return refuse(invalid(`realtimeInput with "${fields.join(', ')}", wanted one field`));
  }
  if (input.mediaChunks !== undefined) {
    return refuse(refusalAs('media-chunks', 'realtimeInput.mediaChunks, wanted audio'));
  }
  const wrongSignal = manual
    ? input.audioStreamEnd !== undefined
    : input.activityStart !== undefined || input.activityEnd !== undefined;
  if (!wrongSignal) return { refusal: null, warning: null };
  const detail = `realtimeInput.${fields.join(', ')} under ${manual ? 'manual' : 'automatic'} detection`;
  return behaviours.activitySignalInWrongMode === 'close-1007'
    ? refuse(invalid(detail))
    : { refusal: null, warning: detail };
}
