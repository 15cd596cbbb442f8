#!/usr/bin/env node
// A checkout runs from source; the published package holds built JavaScript, because Node strips no types
// under node_modules.
import { existsSync } from 'node:fs';

const source = new URL('../src/cli/main.ts', import.meta.url);
const built = new URL('../dist/cli/main.js', import.meta.url);
await import((existsSync(source) ? source : built).href);
