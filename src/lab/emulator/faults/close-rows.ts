/** The closes that Gemini Live has been seen to make, by a name of ours. Longer reasons are cut when they go out. */

export interface CloseRow {
  readonly code: number;
  readonly reason: string;
}

/** From traces in public issues; where only the beginning of a reason was published, the rest is a plausible one. */
export const CLOSE_ROWS = {
  'invalid-argument': { code: 1007, reason: 'Request contains an invalid argument.' },
  'unknown-field': {
    code: 1007,
    reason: `Invalid JSON payload received. Unknown name "speechRate" at 'setup': Cannot find field.`,
  },
  'key-not-valid': { code: 1007, reason: 'API key not valid. Please pass a valid API key.' },
  'key-expired': { code: 1007, reason: 'API key expired. Please renew the API key.' },
  'handle-invalid': { code: 1007, reason: 'Invalid session handle' },
  'media-chunks': {
    code: 1007,
    reason: 'realtime_input.media_chunks is deprecated. Use audio, video, or text instead.',
  },
  'user-location': { code: 1007, reason: 'User location is not supported for the API use.' },
  'thinking-level': { code: 1007, reason: 'Thinking level is not supported for this model.' },
  'content-type': { code: 1007, reason: 'CONTENT_TYPE_AUDIO not supported for this model.' },
  scheduling: { code: 1007, reason: 'Function response scheduling is not supported for this model.' },
  'model-not-found': {
    code: 1008,
    reason:
      'models/gemini-live is not found for API version v1beta, or is not supported for bidiGenerateContent. Call ListModels to see the list of available models and their supported methods.',
  },
  'not-implemented': { code: 1008, reason: 'Operation is not implemented, or supported, or enabled.' },
  'session-not-found': { code: 1008, reason: 'BidiGenerateContent session not found' },
  'entity-not-found': { code: 1008, reason: 'Requested entity was not found.' },
  aborted: { code: 1008, reason: 'The operation was aborted.' },
  'key-leaked': { code: 1008, reason: 'Your API key was reported as leaked. Please use another API key.' },
  unregistered: {
    code: 1008,
    reason:
      "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
  },
  internal: { code: 1011, reason: 'Internal error encountered.' },
  unavailable: { code: 1011, reason: 'The service is currently unavailable.' },
  deadline: { code: 1011, reason: 'Deadline expired before operation could complete.' },
  quota: {
    code: 1011,
    reason:
      'You exceeded your current quota, please check your plan and billing details. For more information on this error, head to the documentation on rate limits.',
  },
} as const satisfies Record<string, CloseRow>;

export type CloseName = keyof typeof CLOSE_ROWS;
export const CLOSE_NAMES = Object.keys(CLOSE_ROWS) as [CloseName, ...CloseName[]];
