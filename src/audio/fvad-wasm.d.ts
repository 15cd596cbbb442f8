/** The package brings no types. This is what libfvad 1.0's fvad.h looks like through it. */
declare module '@echogarden/fvad-wasm' {
  export interface FvadModule {
    /** Replaced whenever the module's memory grows: never to be kept across a call into it. */
    readonly HEAP16: Int16Array;
    _malloc(bytes: number): number;
    /** A handle, or 0 when memory is exhausted. */
    _fvad_new(): number;
    _fvad_free(handle: number): void;
    /** Forgets the signal, and the mode and rate as well. */
    _fvad_reset(handle: number): void;
    _fvad_set_mode(handle: number, mode: number): number;
    _fvad_set_sample_rate(handle: number, hertz: number): number;
    /** 1 speech, 0 none, -1 a frame whose length is not 10, 20 or 30 ms. */
    _fvad_process(handle: number, frame: number, samples: number): number;
  }
  export default function createModule(): Promise<FvadModule>;
}
