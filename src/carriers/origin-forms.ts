/** The origin with and without its port: which one a carrier signs is not consistent, as Twilio's own helper shows. */
export function originForms(origin: URL, defaultPort: string): readonly [string, string] {
  const scheme = `${origin.protocol}//`;
  return [`${scheme}${origin.hostname}`, `${scheme}${origin.hostname}:${origin.port || defaultPort}`];
}
