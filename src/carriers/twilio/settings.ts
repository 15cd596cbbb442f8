/** What the owner of a Twilio account tells us about it. */
export interface TwilioSettings {
  readonly accountSid: string;
  /** Newest first. All of them verify; the first one that the API accepts is used for it. */
  readonly authTokens: readonly string[];
  /** Whether a stream's handshake without a signature is refused. A wrong signature always is. */
  readonly verifyStream: 'required' | 'when-present';
  /** Such as `ie1` and `dublin`: both, one or none, as in the account's own API address. */
  readonly region?: string;
  readonly edge?: string;
  /** Another origin for the API (a test, a proxy), or null where there is no API: then calls end by closing the stream. */
  readonly apiBaseUrl?: string | null;
}

/** Where Twilio finds us: all addresses that we ever hand to it. `publicUrl` is an origin. */
export interface TwilioAddresses {
  readonly voice: string;
  readonly after: string;
  readonly events: string;
  /** The stream's address of a path: `wss://`, or `ws://` for a loopback origin on plain http. */
  stream(path: string): string;
}

export function twilioAddresses(publicUrl: string): TwilioAddresses {
  const { origin } = new URL(publicUrl);
  return {
    voice: `${origin}/twilio/voice`,
    after: `${origin}/twilio/after`,
    events: `${origin}/twilio/events`,
    stream: (path) => streamOrigin(publicUrl) + path,
  };
}

/** The origin with the web socket's scheme: http becomes ws, https becomes wss. */
export function streamOrigin(publicUrl: string): string {
  return new URL(publicUrl).origin.replace(/^http/, 'ws');
}
