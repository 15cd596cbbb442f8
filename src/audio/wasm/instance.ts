/** The little of the WebAssembly interface that is used here: Node's types leave it out. */
interface WebAssemblyInterface {
  Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  Instance: new (module: object) => { readonly exports: Record<string, unknown> };
}

/** A module of `assembleModule`, ready to be called. */
export interface WasmFilter {
  run(...parameters: number[]): void;
  readonly memory: ArrayBuffer;
}

/** Compiles a module; null where WebAssembly or its SIMD instructions are missing. */
export function instantiate(bytes: Uint8Array<ArrayBuffer>): WasmFilter | null {
  const { WebAssembly } = globalThis as { readonly WebAssembly?: WebAssemblyInterface };
  if (WebAssembly === undefined) return null;
  try {
    const { run, memory } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
    return { run: run as WasmFilter['run'], memory: (memory as { readonly buffer: ArrayBuffer }).buffer };
  } catch {
    return null;
  }
}
