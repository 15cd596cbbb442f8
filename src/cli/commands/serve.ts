import { runGateway } from '../../main.ts';
import type { CliIo } from '../io.ts';

/** Runs until it is told to stop; its output is the gateway's log. */
export async function serve(io: CliIo): Promise<void> {
  await runGateway(io.env);
}
