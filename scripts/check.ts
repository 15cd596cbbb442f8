/** `npm run check`: types, lint and format, all three always run so that one pass shows every problem. */
import { spawnSync } from 'node:child_process';

const steps: readonly (readonly [string, readonly string[]])[] = [
  ['types', ['tsc', '--noEmit']],
  ['lint and format', ['biome', 'check', '.']],
];

let failed = 0;
for (const [name, [command, ...args]] of steps) {
  const result = spawnSync(command as string, args, { stdio: 'inherit', shell: false });
  console.log(`${result.status === 0 ? 'ok    ' : 'FAILED'} ${name}`);
  if (result.status !== 0) failed += 1;
}
process.exit(failed === 0 ? 0 : 1);
