import type { ApiDependencies } from '../api-client.ts';
import { dialByApi } from '../api-json.ts';
import type { ControlPort, DialRequest } from '../carrier.ts';
import { isObject } from '../json-messages.ts';
import { RING_SECONDS } from '../voice-markup.ts';
import { dialState, transferState } from './client-state.ts';
import { apiOrigin, type Commands, commandId, errorCodeOf, jsonRequest, judgeReply } from './commands.ts';
import { type TelnyxSettings, telnyxAddresses } from './settings.ts';

/** What Telnyx takes for `timeout_secs`. */
const MIN_RING_SECONDS = 5;
const MAX_RING_SECONDS = 600;
/** Milliseconds of each digit; 100 to 500. */
const DIGIT_MS = 250;

/**
 * Commands go to Call Control calls and TeXML calls alike: a TeXML `CallSid` is the call control id (so the `telnyx`
 * package says of a call that was placed).
 */
export function createTelnyxControl(
  settings: TelnyxSettings,
  publicUrl: string,
  commands: Commands,
  dependencies: ApiDependencies,
): ControlPort {
  const origin = apiOrigin(settings);
  const { connectionId } = settings;
  return {
    /** A closed stream ends nothing at Telnyx: without this the call stays up, silent and billed. */
    hangup: async (callId) => (await commands.send('ending', callId, 'hangup', {}, 'any-trouble')).result,
    transfer: async (callId, target, callerId) => {
      const body = {
        to: target,
        ...(callerId === null ? {} : { from: callerId }),
        timeout_secs: RING_SECONDS,
        target_leg_client_state: transferState(callId),
      };
      return (await commands.send('transferring', callId, 'transfer', body, 'refused')).result;
    },
    /** Digits are 0-9, A-D, `*`, `#`, and pauses: `w` of half a second, `W` of a whole one. */
    sendDtmf: async (callId, digits) => {
      if (!/^[0-9A-Da-d*#wW]{1,64}$/.test(digits)) return 'failed';
      const body = { digits: digits.replace(/[a-d]/g, upperCase), duration_millis: DIGIT_MS };
      return (await commands.send('playing digits into', callId, 'send_dtmf', body, 'refused')).result;
    },
    ...(connectionId === undefined || origin === null
      ? {}
      : {
          dial: (request: DialRequest) =>
            dialByApi(
              {
                what: 'placing a call at Telnyx',
                url: `${origin}/v2/calls`,
                credentials: settings.apiKeys,
                request: (apiKey) => jsonRequest(apiKey, dialBody(request, connectionId, publicUrl)),
                judge: (status, text) => judgeReply(status, errorCodeOf(text)),
                repeat: 'refused',
              },
              callIdOf,
              dependencies,
            ),
        }),
  };
}

/** Without stream: the path that it would need is known only when the answered call has been admitted. */
function dialBody(request: DialRequest, connectionId: string, publicUrl: string): Record<string, unknown> {
  return {
    connection_id: connectionId,
    from: request.from,
    to: request.to,
    timeout_secs: Math.min(MAX_RING_SECONDS, Math.max(MIN_RING_SECONDS, Math.round(request.ringSeconds))),
    client_state: dialState(request.ref),
    command_id: commandId('dial', request.ref),
    webhook_url: telnyxAddresses(publicUrl).voice,
    webhook_url_method: 'POST',
    ...(request.detectMachine ? { answering_machine_detection: 'detect' } : {}),
  };
}

function callIdOf(json: unknown): string | null {
  const data = isObject(json) ? json['data'] : null;
  const id = isObject(data) ? data['call_control_id'] : null;
  return typeof id === 'string' ? id : null;
}

function upperCase(letter: string): string {
  return letter.toUpperCase();
}
