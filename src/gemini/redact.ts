/** Keys never reach a log line or an error: the SDK puts the key into the URL, and errors like to quote URLs. */

/** A key shorter than this could be any word; then only the places where keys stand are blanked. */
const SHORTEST_SECRET = 6;

const PLACES = [
  /([?&](?:key|access_token)=)[^&\s"'<>)]*/gi,
  /(\bbearer\s+)[\w.~+/=-]+/gi,
  // The form of Google's own keys, also where it is not ours.
  /(\bAIza)[\w-]{20,}/g,
];

/** Makes a function that blanks the given secrets, plain or URL-encoded, and whatever stands where a key would. */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const values = secrets
    .filter((secret) => secret.length >= SHORTEST_SECRET)
    .flatMap((secret) => [secret, encodeURIComponent(secret)]);
  return (text) => {
    let clean = text;
    for (const value of values) clean = clean.replaceAll(value, '[redacted]');
    for (const place of PLACES) clean = clean.replace(place, '$1[redacted]');
    return clean;
  };
}
