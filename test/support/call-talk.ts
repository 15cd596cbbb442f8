/** What happens again and again in the calls of tests: handles, tools that take their time, an exchange. */
import type { ToolRunner } from '../../src/call/tool-answer.ts';
import { noise, question } from './call-audio.ts';
import type { CallBench } from './call-bench.ts';
import type { SimulatedCarrier } from './call-carrier.ts';
import type { ScriptedConnection } from './call-live.ts';

export function giveHandle(connection: ScriptedConnection, handle: string): void {
  connection.say({ type: 'resumption', handle, resumable: true, lastConsumedIndex: null });
}

/** The newest state of the session cannot be taken up. */
export function takeHandlesBack(connection: ScriptedConnection): void {
  connection.say({ type: 'resumption', handle: null, resumable: false, lastConsumedIndex: null });
}

/** The caller asks, the model answers, and a handle holds it all. @returns the answer */
export async function exchange(
  bench: CallBench,
  carrier: SimulatedCarrier,
  handle: string,
  seed = 50,
): Promise<Int16Array> {
  carrier.says(question());
  await bench.run(3_400);
  const answer = noise(1_200, seed);
  bench.model.speak(answer, { text: `answer ${seed}` });
  await bench.run(2_500);
  giveHandle(bench.model, handle);
  return answer;
}

/** A bot's tool that comes back when the test says so. */
export class SlowTool implements ToolRunner {
  readonly runs: string[] = [];
  readonly #back: ((result: string) => void)[] = [];

  has(name: string): boolean {
    return name === 'lookup';
  }

  run({ id }: { readonly id: string }): ReturnType<ToolRunner['run']> {
    this.runs.push(id);
    return new Promise((resolve) => this.#back.push((result) => resolve({ response: { result } })));
  }

  comesBack(result: string): void {
    for (const back of this.#back.splice(0)) back(result);
  }
}
