/** docker-compose.yml as Compose would see it with a given environment. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

type Env = Readonly<Record<string, string>>;

export interface ComposeService {
  readonly environment: Readonly<Record<string, string>>;
  readonly ports: readonly string[];
  readonly volumes: readonly (string | { readonly source: string; readonly target: string })[];
  readonly stop_grace_period?: string;
  readonly depends_on?: Readonly<Record<string, { readonly required?: boolean }>>;
  readonly profiles?: readonly string[];
  readonly image?: string;
  readonly user?: string;
  readonly [key: string]: unknown;
}

/** A path from the project's root. */
export const project = (path: string): URL => new URL(`../../${path}`, import.meta.url);
export const readProject = (path: string): string => readFileSync(project(path), 'utf8');

export function composeServices(env: Env = {}): { gateway: ComposeService; caddy: ComposeService } {
  const file = parse(readProject('docker-compose.yml'), { merge: true });
  return resolved(file, env).services;
}

/** Compose's own rule: `${NAME:-default}` takes the default also for an empty value. */
function interpolate(text: string, env: Env): string {
  return text.replace(/\$\{(\w+):-([^}]*)\}|\$(.)/g, (whole, name: string | undefined, fallback: string) => {
    if (name === undefined) throw new Error(`found "${whole}" in "${text}": wanted \${NAME:-default}`);
    return env[name] || fallback;
  });
}

// biome-ignore lint/suspicious/noExplicitAny: a YAML tree goes in, and the same tree comes out.
function resolved(node: any, env: Env): any {
  if (typeof node === 'string') return interpolate(node, env);
  if (Array.isArray(node)) return node.map((item) => resolved(item, env));
  if (node === null || typeof node !== 'object') return node;
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, resolved(value, env)]));
}
