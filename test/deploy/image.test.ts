import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { project, readProject } from './compose-file.ts';

interface Step {
  readonly name: string;
  readonly text: string;
}

/** The instructions, stage by stage; a stage begins with FROM. */
const STAGES: readonly (readonly Step[])[] = readProject('Dockerfile')
  .replace(/^#.*\n/gm, '')
  .replace(/\\\n\s*/g, '')
  .split(/^(?=FROM )/m)
  .slice(1)
  .map((stage) =>
    [...stage.matchAll(/^([A-Z]+) (.+)$/gm)].map(([, name, text]) => ({ name: name!, text: text! })),
  );
const BUILD = STAGES[0]!;
const FINAL = STAGES.at(-1)!;
const textsOf = (stage: readonly Step[], name: string) =>
  stage.filter((step) => step.name === name).map(({ text }) => text);

/** Every path that is taken from the checkout. */
const COPIED = textsOf(BUILD, 'COPY').flatMap((text) => text.split(' ').slice(0, -1));
const ALLOWED = readProject('.dockerignore')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));

describe('Dockerfile', () => {
  it('has two stages on the same Node image, and the last takes only what the first has made', () => {
    expect(readProject('Dockerfile')).toMatch(/^ARG NODE_IMAGE=node:24-slim$/m);
    expect(STAGES).toHaveLength(2);
    for (const stage of STAGES) expect(stage[0]?.text).toMatch(/^\$\{NODE_IMAGE\}( AS app)?$/);
    expect(textsOf(FINAL, 'COPY')).toEqual(['--from=app /app /app']);
  });

  it('installs the locked packages without scripts, development and optional ones', () => {
    expect(textsOf(BUILD, 'RUN')).toContain('npm ci --ignore-scripts --omit=dev --omit=optional');
    expect(textsOf(FINAL, 'RUN').join()).not.toMatch(/npm|apt|curl/);
  });

  it('runs as the image’s user "node", as a number', () => {
    expect(textsOf(FINAL, 'USER')).toEqual(['1000:1000']);
    expect(FINAL.findLastIndex(({ name }) => name === 'RUN' || name === 'COPY')).toBeLessThan(
      FINAL.findIndex(({ name }) => name === 'USER'),
    );
  });

  it('starts node itself with the gateway, and checks its health with node', () => {
    const [program, ...args] = JSON.parse(textsOf(FINAL, 'ENTRYPOINT')[0]!) as string[];
    expect(program).toBe('node');
    expect(existsSync(project(args.at(-1)!))).toBe(true);
    expect(JSON.parse(textsOf(FINAL, 'CMD')[0]!)).toEqual(['serve']);
    const check = textsOf(FINAL, 'HEALTHCHECK')[0]!;
    expect(JSON.parse(check.slice(check.indexOf('[')))).toEqual(['node', 'deploy/healthcheck.ts']);
  });

  it('takes everything that the published package holds, as source instead of built', () => {
    const { files } = JSON.parse(readProject('package.json')) as { files: string[] };
    const needed = files
      .map((path) => (path === 'dist' ? 'src' : path))
      .filter((path) => !/\.md$/.test(path));
    expect(COPIED).toEqual(expect.arrayContaining(needed));
  });

  it('copies only what exists and what .dockerignore lets through', () => {
    expect(COPIED.filter((path) => !existsSync(project(path)))).toEqual([]);
    expect(ALLOWED.slice(1).toSorted()).toEqual(COPIED.map((path) => `!${path}`).toSorted());
  });

  it('gets nothing of the checkout by default: no .env, no data, no recordings', () => {
    expect(ALLOWED[0]).toBe('*');
  });
});
