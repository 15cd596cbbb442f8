/** Webhooks that are forms: their fields, wherever a request has them. */
import type { RawRequest } from './carrier.ts';

/** Form fields by name; a name may come more than once. */
export type FormFields = ReadonlyMap<string, readonly string[]>;

const DIAL_REF = /^[A-Za-z0-9_-]{1,64}$/;

/** `body` is read as a form whatever its content type claims, so that a false claim cannot hide fields from the check. */
export function parseForm(body: string): FormFields {
  const fields = new Map<string, string[]>();
  // The constructor would swallow a leading "?", and with it part of the first field's name.
  for (const [name, value] of new URLSearchParams(body.startsWith('?') ? `&${body}` : body)) {
    const values = fields.get(name);
    if (values === undefined) fields.set(name, [value]);
    else values.push(value);
  }
  return fields;
}

/** A field that comes twice with different values says nothing: which one counts would be the sender's choice. */
export function only(fields: FormFields, name: string): string | null {
  const values = fields.get(name);
  const first = values?.[0];
  return first !== undefined && values?.every((value) => value === first) ? first : null;
}

/** Exactly the fields whose signature was checked: of a GET the query's, otherwise the body's and nothing else. */
export function fieldsOf(request: RawRequest): FormFields {
  if (request.method.toUpperCase() !== 'GET') return parseForm(request.body.toString('utf8'));
  return queryOf(request);
}

export function queryOf({ target }: Pick<RawRequest, 'target'>): FormFields {
  const start = target.indexOf('?');
  return parseForm(start === -1 ? '' : target.slice(start + 1));
}

/** The address that a placed call asks is ours, and has its `ref`; it is signed with the rest. */
export function dialRefOf(query: FormFields): string | null {
  const ref = only(query, 'ref');
  return ref !== null && DIAL_REF.test(ref) ? ref : null;
}
