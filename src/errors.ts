/** The closed list of what can go wrong on our side of the contract; messages say attempted, found, wanted. */
export type OffhookErrorCode =
  | 'ERR_CONFIG'
  | 'ERR_USAGE'
  | 'ERR_PORT'
  | 'ERR_WAV'
  | 'ERR_BOT'
  | 'ERR_SCENARIO'
  | 'ERR_CARRIER_PROTOCOL'
  | 'ERR_CARRIER_API'
  | 'ERR_LIVE_CONNECT'
  | 'ERR_LIVE_CLOSED'
  | 'ERR_LIVE_PROTOCOL'
  | 'ERR_CALL';

/** Every error that we throw on purpose. A command prints its message alone; anything else is a bug and keeps its stack. */
export class OffhookError extends Error {
  readonly code: OffhookErrorCode;
  /** True when the same request, unchanged, may succeed later. */
  readonly retryable: boolean;

  constructor(code: OffhookErrorCode, message: string, options: ErrorOptions & { retryable?: boolean } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'OffhookError';
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

/** What a caught value has to say, whatever it is. Never throws. */
export function messageOf(caught: unknown): string {
  if (caught instanceof Error) return caught.message || caught.name;
  try {
    return String(caught);
  } catch {
    return 'a value that cannot be printed';
  }
}
