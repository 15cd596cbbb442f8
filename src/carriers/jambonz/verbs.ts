import type { IncomingCall, RefusalReason } from '../carrier.ts';
import { REFUSAL_SENTENCES } from '../refusals.ts';
import type { JambonzAddresses } from './settings.ts';
import type { StreamAuth } from './stream-auth.ts';

/** jambonz's answer documents: JSON arrays of verbs. Checked against `@jambonz/sdk` 0.10 and its JSON schemas. */
export type Verb = Readonly<Record<string, unknown>> & { readonly verb: string };

const HANGUP: Verb = { verb: 'hangup' };

/** How long a transfer rings before the caller is handed back to us, in seconds. */
const RING_SECONDS = 30;

/**
 * Streams both ways until one side ends it, then asks `actionHook` what comes next. The hang-up behind it is for a hook
 * that gives no answer. `listen` is what `stream` is called on older systems too.
 */
export function streamVerbs(
  streamPath: string,
  sampleRate: number,
  wsAuth: StreamAuth,
  addresses: JambonzAddresses,
): readonly Verb[] {
  return [
    { verb: 'answer' },
    {
      verb: 'listen',
      url: addresses.stream(streamPath),
      actionHook: addresses.after,
      sampleRate,
      mixType: 'mono',
      passDtmf: true,
      wsAuth,
      // Without `streaming` marks never come back; with another rate they would be resampled away.
      bidirectionalAudio: { enabled: true, streaming: true, sampleRate },
    },
    HANGUP,
  ];
}

export function refusalVerbs(reason: RefusalReason): readonly Verb[] {
  return [{ verb: 'say', text: REFUSAL_SENTENCES[reason] }, HANGUP];
}

export function hangupVerbs(): readonly Verb[] {
  return [HANGUP];
}

/** Dials a number or `sip:`; when that ends, answered or not, jambonz asks `after` with the result. */
export function dialVerbs(target: string, addresses: JambonzAddresses): readonly Verb[] {
  return [
    {
      verb: 'dial',
      target: [/^sips?:/i.test(target) ? { type: 'sip', sipUri: target } : { type: 'phone', number: target }],
      timeout: RING_SECONDS,
      actionHook: addresses.after,
    },
    HANGUP,
  ];
}

/** Of a call that we place: what its webhooks give back as `customerData`. */
export function tagOf(ref: string): Readonly<Record<string, string>> {
  return { offhook: ref };
}

export function refOf(customerData: unknown): IncomingCall['dialRef'] | null {
  const ref = (customerData as { offhook?: unknown } | null | undefined)?.offhook;
  return typeof ref === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(ref) ? ref : null;
}
