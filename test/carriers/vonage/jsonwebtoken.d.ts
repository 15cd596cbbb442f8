/** The package beneath `@vonage/jwt`, as far as the tests use it; it has no types of its own. */
declare module 'jsonwebtoken' {
  type Fields = Readonly<Record<string, unknown>>;
  const jwt: {
    sign(claims: object, secret: string, options: { algorithm: 'HS256' }): string;
    decode(token: string, options: { complete: true }): { header: Fields; payload: Fields };
  };
  export default jwt;
}
