/**
 * SignalWire's signature of a form, as the caller's side makes it. Source: SignalWire, "Webhook security": the project's
 * signing key (not its API token), HMAC-SHA1 over the address and every field, sorted, name and value run together.
 */
import { createHmac } from 'node:crypto';

export function signalwireSignature(
  signingKey: string,
  url: string,
  form: Readonly<Record<string, string>>,
): string {
  const fields = Object.entries(form).sort(([a], [b]) => (a < b ? -1 : 1));
  const text = url + fields.map(([name, value]) => `${name}${value}`).join('');
  return createHmac('sha1', signingKey).update(text, 'utf8').digest('base64');
}
