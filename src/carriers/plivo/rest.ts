import { type ApiCall, type ApiDependencies, callApi, judgeStatus } from '../api-client.ts';
import { dialByApi } from '../api-json.ts';
import type { ControlPort, ControlResult, DialRequest } from '../carrier.ts';
import { type PlivoSettings, plivoAddresses } from './settings.ts';
import { plivoNumber } from './xml.ts';

const API_ORIGIN = 'https://api.plivo.com';
const DIGITS = /^[0-9*#wW]{1,64}$/;

interface Deed {
  readonly what: string;
  readonly method: 'POST' | 'DELETE';
  /** Behind the account's address; parts are escaped. */
  readonly path: readonly string[];
  readonly body?: Readonly<Record<string, unknown>>;
  readonly repeat: ApiCall['repeat'];
}

/** Calls at Plivo: `/v1/Account/{auth_id}/Call/{call_uuid}/`, JSON, Basic credentials. Paths checked against `plivo` 4.79. */
export function createPlivoControl(
  settings: PlivoSettings,
  publicUrl: string,
  dependencies: ApiDependencies,
): ControlPort {
  const { apiBaseUrl = API_ORIGIN } = settings;
  const addresses = plivoAddresses(publicUrl);

  function apiCall(baseUrl: string, { what, method, path, body, repeat }: Deed): ApiCall {
    const parts = ['v1', 'Account', settings.authId, ...path].map(encodeURIComponent);
    return {
      what,
      url: `${baseUrl}/${parts.join('/')}/`,
      credentials: settings.authTokens,
      request: (authToken) => ({
        method,
        headers: {
          authorization: `Basic ${Buffer.from(`${settings.authId}:${authToken}`).toString('base64')}`,
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
      judge: (status) => judgeStatus(status, status === 404),
      repeat,
    };
  }

  async function act(deed: Deed): Promise<ControlResult> {
    if (apiBaseUrl === null) return 'unsupported';
    return callApi(apiCall(apiBaseUrl, deed), dependencies);
  }

  const dial = (baseUrl: string) => (request: DialRequest) =>
    dialByApi(
      apiCall(baseUrl, {
        what: 'placing a call at Plivo',
        method: 'POST',
        path: ['Call'],
        body: {
          from: plivoNumber(request.from),
          to: plivoNumber(request.to),
          // Plivo's answer names a request, its webhooks a call; the reference tells which call it became.
          answer_url: `${addresses.voice}?ref=${encodeURIComponent(request.ref)}`,
          answer_method: 'POST',
          hangup_url: addresses.events,
          hangup_method: 'POST',
          ring_timeout: request.ringSeconds,
          ...(request.detectMachine
            ? {
                machine_detection: 'true',
                machine_detection_url: addresses.events,
                machine_detection_method: 'POST',
              }
            : {}),
        },
        repeat: 'refused',
      }),
      (json) => (json as { request_uuid?: unknown }).request_uuid,
      dependencies,
    );

  return {
    /** A call that we placed is a request until it is answered, and not to be found as a call. */
    hangup: async (callId) => {
      const result = await act({
        what: 'ending a call at Plivo',
        method: 'DELETE',
        path: ['Call', callId],
        repeat: 'any-trouble',
      });
      if (result !== 'already-ended') return result;
      return act({
        what: 'cancelling a call at Plivo',
        method: 'DELETE',
        path: ['Request', callId],
        repeat: 'any-trouble',
      });
    },
    /** By address only: Plivo fetches the document that says whom to dial, which is what `after` answers. */
    transfer: async () => 'unsupported',
    /** Beside the stream, which goes on. Digits are 0-9, `*`, `#`, `w` (half a second's pause) and `W` (a second's). */
    sendDtmf: async (callId, digits) => {
      if (!DIGITS.test(digits)) return 'failed';
      const path = ['Call', callId, 'DTMF'];
      return act({
        what: 'playing digits into a call at Plivo',
        method: 'POST',
        path,
        body: { digits, leg: 'aleg' },
        repeat: 'refused',
      });
    },
    ...(apiBaseUrl === null ? {} : { dial: dial(apiBaseUrl) }),
  };
}
