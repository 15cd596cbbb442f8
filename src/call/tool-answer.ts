/** What a tool has to say to the model: checked, bounded, and in words where it failed. Nothing here throws. */
import type { ToolCall, ToolResponse } from '../gemini/live-session.ts';
import { headOf, jsonOf, oneLine } from './plain-text.ts';

export interface ToolAnswer {
  readonly response: Readonly<Record<string, unknown>>;
  readonly scheduling?: ToolResponse['scheduling'];
}

/** What carries out the tools of a bot. */
export interface ToolRunner {
  has(name: string): boolean;
  /** Absent, or not a positive number: the desk's own deadline. */
  timeoutMs?(name: string): number;
  /**
   * May throw, reject, never settle or return what is no JSON: the model is told so. `signal` aborts when nobody waits
   * for the result any more. `deadlineMs`: the time that is left, from now on.
   */
  run(
    call: ToolCall,
    options: { readonly signal: AbortSignal; readonly deadlineMs: number },
  ): Promise<ToolAnswer>;
}

const MAX_RESPONSE_BYTES = 32_768;
const MAX_MESSAGE_CHARS = 500;
const MAX_NAME_CHARS = 64;
const SCHEDULINGS: ReadonlySet<unknown> = new Set(['INTERRUPT', 'WHEN_IDLE', 'SILENT']);

/** The outcome of a tool, good or bad. */
export interface Outcome {
  readonly ok: boolean;
  readonly answer: ToolAnswer;
}

/** @param value what the runner resolved with, whatever that is */
export function outcomeOf(name: string, value: unknown): Outcome {
  try {
    const { response, scheduling } = value as Partial<ToolAnswer>;
    const json = jsonOf(response);
    if (json === null) return failed(`The tool "${nameOf(name)}" returned something that is not JSON.`);
    const answer = { response: bounded(json) };
    return { ok: true, answer: SCHEDULINGS.has(scheduling) ? withScheduling(answer, scheduling) : answer };
  } catch {
    return failed(`The tool "${nameOf(name)}" returned nothing.`);
  }
}

export function failed(error: string): Outcome {
  return { ok: false, answer: { response: { error: headOf(oneLine(error), MAX_MESSAGE_CHARS) } } };
}

export function nameOf(name: string): string {
  return headOf(oneLine(name), MAX_NAME_CHARS);
}

function withScheduling(answer: ToolAnswer, scheduling: ToolAnswer['scheduling']): ToolAnswer {
  return scheduling === undefined ? answer : { ...answer, scheduling };
}

/** A copy, so that nobody can change what was checked; what is too long becomes a text that ends early, and says so. */
function bounded(json: string): Record<string, unknown> {
  if (Buffer.byteLength(json) <= MAX_RESPONSE_BYTES) {
    const value: unknown = JSON.parse(json);
    return isObject(value) ? value : { result: value };
  }
  // Characters of JSON within JSON take up to six bytes: halved until they fit.
  let length = MAX_RESPONSE_BYTES;
  for (;;) {
    const cut = { truncated: true, result: headOf(json, length) };
    if (Buffer.byteLength(JSON.stringify(cut)) <= MAX_RESPONSE_BYTES) return cut;
    length = Math.floor(length * 0.75);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
