import type { RefusalReason } from './carrier.ts';

/** What a caller who is turned away hears, in the voice of the carrier. */
export const REFUSAL_SENTENCES: Readonly<Record<RefusalReason, string>> = {
  busy: 'All our lines are busy right now. Please call again in a few minutes. Goodbye.',
  draining: 'We are just being updated. Please call again in a minute. Goodbye.',
  'no-bot': 'Nobody answers at this number. Please check it and call again. Goodbye.',
  error: 'Something went wrong on our side. Please call again later. Goodbye.',
};
