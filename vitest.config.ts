import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 15_000,
    hookTimeout: 15_000,
    // Real time, real sockets: more workers than cores would make the tests disturb each other.
    maxWorkers: 2,
    reporters: ['default'],
  },
});
