/** The first frame: the SDK's setup message, with what the SDK leaves out or could not know yet put in. Pure. */
import type { LiveConfig } from './live-config.ts';

/**
 * @param frame the SDK's own
 * @param held the plan was made after the SDK had written its frame: what `hold` may change is taken from the plan
 */
export function setupFrame(frame: string, { config, extraSetup }: LiveConfig, held: boolean): string {
  if (!held && Object.keys(extraSetup).length === 0) return frame;
  const message = JSON.parse(frame) as { setup: Record<string, unknown> };
  const setup: Record<string, unknown> = { ...message.setup, ...extraSetup };
  if (held) {
    const { sessionResumption, systemInstruction } = config;
    put(setup, 'sessionResumption', sessionResumption);
    // What the SDK makes of an instruction that is a string.
    const parts = [{ text: systemInstruction }];
    put(setup, 'systemInstruction', systemInstruction === undefined ? undefined : { parts, role: 'user' });
  }
  return JSON.stringify({ ...message, setup });
}

function put(setup: Record<string, unknown>, field: string, value: unknown): void {
  if (value === undefined) delete setup[field];
  else setup[field] = value;
}
