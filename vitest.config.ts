import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Whole gateways and processes, in real time: each file in a process of its own. */
const WHOLE = [
  'test/integration/**/*.test.ts',
  'test/cli/**/*.test.ts',
  'test/{gateway,main}.test.ts',
  'test/lab/laboratory/lab-run.test.ts',
];
/** By the clock, not by their size: begun last, one of them would run on alone while the other core has nothing to do. */
const LONGEST = [
  'test/integration/behaviours.test.ts',
  'test/lab/laboratory/lab-run.test.ts',
  'test/integration/rotation.test.ts',
  'test/integration/outbound.test.ts',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = LONGEST.findIndex((path) => moduleId.endsWith(path));
      return at < 0 ? LONGEST.length : at;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    testTimeout: 15_000,
    hookTimeout: 15_000,
    // Real time, real sockets: more workers than cores would make the tests disturb each other.
    maxWorkers: 2,
    reporters: ['default'],
    sequence: { sequencer: LongestFirst },
    projects: [
      { extends: true, test: { name: 'whole', include: WHOLE } },
      {
        extends: true,
        test: {
          name: 'parts',
          include: ['test/**/*.test.ts'],
          exclude: WHOLE,
          // Most of these files take less time than a process of their own would. What one of them changes is put back.
          isolate: false,
          restoreMocks: true,
          unstubEnvs: true,
          unstubGlobals: true,
        },
      },
    ],
  },
});
