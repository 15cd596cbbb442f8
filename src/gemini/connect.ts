/** Opens connections to Gemini Live with Google's SDK, on the Gemini API or on Vertex AI. */
import { GoogleGenAI } from '@google/genai';
import type { Clock } from '../clock.ts';
import { messageOf, OffhookError } from '../errors.ts';
import { LiveConnectError } from './closes.ts';
import { familyOf } from './families.ts';
import { toLiveConnectConfig, withHeldFields } from './live-config.ts';
import type { ConnectLive } from './live-session.ts';
import { type LiveFault, openConnection } from './open-connection.ts';
import { redactor } from './redact.ts';
import { hookWorks } from './sdk-hook.ts';
import { completeSetup } from './setup.ts';

export type { LiveFault } from './open-connection.ts';

/** Every Live document says v1beta; the SDK's own default became v1 in 3.0. Vertex has its own name for it. */
const API_VERSION = { gemini: 'v1beta', vertex: 'v1beta1' } as const;
const GEMINI_API = 'https://generativelanguage.googleapis.com';
/** Sent to an endpoint of one's own when there is no key: the emulator wants one, any. */
const NO_KEY = 'no-key';

export interface ConnectorOptions {
  readonly clock: Clock;
  /** Needed for Google's own Gemini API. */
  readonly apiKey?: string;
  /** An http or https address in place of Google's. */
  readonly baseUrl?: string;
  /** Credentials are found by Google's auth library (application default credentials). */
  readonly vertex?: { readonly project: string; readonly location: string };
  /** Told of what went wrong without an error reaching the call. Rate-limit what you log. */
  readonly onFault?: (kind: LiveFault, detail: string) => void;
}

/**
 * Makes the ConnectLive of the gateway. One SDK client serves all calls.
 * @throws OffhookError `ERR_CONFIG` for a key, an address or a combination that cannot work.
 */
export function createConnector(options: ConnectorOptions): ConnectLive {
  const { clock } = options;
  const apiKey = options.apiKey ?? NO_KEY;
  checkOptions(options);
  const redact = redactor(options.apiKey === undefined ? [] : [options.apiKey]);
  const ai = createClient(options, apiKey);
  const onFault = (kind: LiveFault, detail: string) => {
    try {
      options.onFault?.(kind, detail);
    } catch {
      // Telling of a fault must not make another.
    }
  };
  const hooked = hookWorks();
  if (!hooked) {
    onFault(
      'sdk-changed',
      'this @google/genai does not ask for our socket: connections are less well guarded',
    );
  }

  return async (setup, handlers, { signal, deadlineMs, hold }) => {
    const vertex = options.vertex !== undefined;
    try {
      const { family, warning } = familyOf(setup.model);
      if (warning !== null) onFault('model-guessed', warning);
      return await openConnection({
        live: ai.live,
        hooked,
        model: setup.model,
        family,
        plan: (held) =>
          toLiveConnectConfig(held === null ? setup : withHeldFields(setup, held), family, {
            vertex,
            hooked,
          }),
        hold: hold ?? null,
        vadMode: completeSetup(setup).vad.mode,
        handlers,
        signal,
        deadlineMs,
        clock,
        redact,
        onFault,
      });
    } catch (caught) {
      if (caught instanceof LiveConnectError) throw caught;
      throw new LiveConnectError('config', redact(messageOf(caught)));
    }
  };
}

function checkOptions({ apiKey, baseUrl, vertex }: ConnectorOptions): void {
  const problem = (found: string, wanted: string) =>
    new OffhookError('ERR_CONFIG', `Configuring Gemini: found ${found}, wanted ${wanted}`);
  if (baseUrl !== undefined) {
    const protocol = URL.canParse(baseUrl) ? new URL(baseUrl).protocol : '';
    // The SDK turns everything but http: into wss:, also ws:.
    if (protocol !== 'http:' && protocol !== 'https:') {
      throw problem(`the base URL "${baseUrl}"`, 'one that begins with http:// or https://');
    }
  }
  if (apiKey !== undefined && !/^[\w.~:/+=-]+$/.test(apiKey)) {
    // The SDK puts the key into the URL as it is. Not quoted here: it is a secret.
    throw problem('a key with characters that no key has (blanks? quotes?)', 'the key as Google shows it');
  }
  if (apiKey === undefined && baseUrl === undefined && vertex === undefined) {
    throw problem(
      'neither a key nor another endpoint',
      'GEMINI_API_KEY, GOOGLE_GEMINI_BASE_URL or Vertex AI',
    );
  }
}

/** Says everything explicitly, so that the SDK does not look into the environment for what is missing. */
function createClient({ baseUrl, vertex }: ConnectorOptions, apiKey: string): GoogleGenAI {
  if (vertex === undefined) {
    const httpOptions = { apiVersion: API_VERSION.gemini, baseUrl: baseUrl ?? GEMINI_API };
    return new GoogleGenAI({ vertexai: false, apiKey, httpOptions });
  }
  return new GoogleGenAI({
    vertexai: true,
    project: vertex.project,
    location: vertex.location,
    httpOptions: { apiVersion: API_VERSION.vertex, ...(baseUrl === undefined ? {} : { baseUrl }) },
  });
}
