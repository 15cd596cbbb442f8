export type Form = Record<string, string | string[]>;

/** The form as a carrier writes it: repeated names one after the other. */
export function encodeForm(form: Form): string {
  const pairs = Object.entries(form).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one) => [name, one] as [string, string]),
  );
  return new URLSearchParams(pairs).toString();
}
