const BLOT = '[redacted]';
/** Blotting out shorter ones would tear up lines that have nothing to do with them. */
const MIN_SECRET_CHARACTERS = 6;

/** Keys in addresses, and credentials in headers, whoever they belong to: also those we were never told of. */
const IN_ADDRESS = /([?&](?:key|access_token|token|api_key)=)[^&\s"'\\]+/gi;
const IN_HEADER = /\b(Bearer|Basic|Token)\s+[\w.~+/-]{8,}=*/g;
/** The secret part of a stream's address. */
const IN_STREAM_PATH = /(\/media\/)[A-Za-z0-9]{32,}/g;

/**
 * Returns a function that blots secrets out of a finished line of JSON: as they are, as JSON writes them, as an address
 * writes them. Patterns alone would miss a secret in a message; values alone would miss those we do not hold.
 */
export function createScrubber(secrets: readonly string[]): (line: string) => string {
  const spellings = new Set(
    secrets
      .filter((secret) => secret.length >= MIN_SECRET_CHARACTERS)
      .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]),
  );
  // The longest first: a list of secrets contains its members.
  const known = [...spellings].sort((a, b) => b.length - a.length);
  return (line) => {
    let clean = line;
    for (const secret of known) clean = clean.replaceAll(secret, BLOT);
    return clean
      .replace(IN_ADDRESS, `$1${BLOT}`)
      .replace(IN_HEADER, `$1 ${BLOT}`)
      .replace(IN_STREAM_PATH, `$1${BLOT}`);
  };
}
