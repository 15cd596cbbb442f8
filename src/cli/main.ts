/** The `offhook` command. Everything it does is one of the commands; this is the process around them. */
import { processIo } from './io.ts';
import { runCli } from './program.ts';

process.exitCode = await runCli(process.argv.slice(2), processIo());
