/**
 * Twilio's signature as the caller's side makes it. Written apart from the gateway's on purpose: two readings of the
 * documents have to agree. Source: Twilio, "Webhooks security": HMAC-SHA1 with the auth token over the URL followed
 * by every POST parameter, sorted by name, name and value run together; base64.
 */
import { createHmac } from 'node:crypto';

export function twilioSignature(
  authToken: string,
  url: string,
  form: Readonly<Record<string, string>> = {},
): string {
  const fields = Object.keys(form).sort();
  const text = fields.reduce((sofar, name) => sofar + name + form[name], url);
  return createHmac('sha1', authToken).update(text, 'utf8').digest('base64');
}
