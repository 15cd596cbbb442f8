/** An answer's audio as the server cuts and paces it. */
import { samplesToBytes } from '../../audio/pcm.ts';
import { CLIP_RATE, type Clip } from '../clip.ts';
import type { ModelPlan } from '../scenario.ts';
import { seededRandom } from './random.ts';
import { markReusable } from './wire.ts';

export interface AudioPart {
  readonly inlineData: { readonly mimeType: string; readonly data: string };
}

export interface AudioChunk {
  readonly part: AudioPart;
  /** The part in a message of its own, shared by all sessions and encoded once. */
  readonly message: object;
  readonly bytes: number;
  readonly durationMs: number;
}

/** Cuts each clip once per way of cutting, so that two hundred sessions that say the same share the work and memory. */
export class ChunkStore {
  readonly #ways = new Map<string, WeakMap<Clip, readonly AudioChunk[]>>();

  /** @param nearSilent nothing but the lowest bit of the clip is left: audio of full length that nobody hears */
  chunksOf(
    clip: Clip,
    plan: Pick<ModelPlan, 'seed' | 'chunkBytes'>,
    mimeType: string,
    nearSilent = false,
  ): readonly AudioChunk[] {
    const key = `${mimeType} ${plan.seed} ${nearSilent} ${plan.chunkBytes.join(' ')}`;
    let known = this.#ways.get(key);
    if (known === undefined) {
      // A peer that sets ever new scenarios must not fill the memory.
      if (this.#ways.size >= 64) this.#ways.clear();
      known = new WeakMap();
      this.#ways.set(key, known);
    }
    let chunks = known.get(clip);
    if (chunks === undefined) {
      chunks = cut(nearSilent ? clip.samples.map(Math.sign) : clip.samples, plan, mimeType);
      known.set(clip, chunks);
    }
    return chunks;
  }
}

function cut(
  samples: Int16Array,
  plan: Pick<ModelPlan, 'seed' | 'chunkBytes'>,
  mimeType: string,
): AudioChunk[] {
  const random = seededRandom(plan.seed);
  const bytes = samplesToBytes(samples);
  const chunks: AudioChunk[] = [];
  for (let from = 0; from < bytes.length; ) {
    const size = plan.chunkBytes[Math.floor(random() * plan.chunkBytes.length)]!;
    const piece = bytes.subarray(from, from + size);
    const part = { inlineData: { mimeType, data: piece.toString('base64') } };
    chunks.push({
      part,
      message: markReusable({ serverContent: { modelTurn: { parts: [part] } } }),
      bytes: piece.length,
      durationMs: (piece.length / 2 / CLIP_RATE) * 1000,
    });
    from += size;
  }
  return chunks;
}

/**
 * When each chunk goes out, in milliseconds after the first: the first two back to back, then so that play-out time
 * over wall time is `pace` (traces show 2.5 to 3).
 */
export function dueOffsetsMs(chunks: readonly AudioChunk[], pace: ModelPlan['pace']): number[] {
  const factor = pace === 'burst' ? Number.POSITIVE_INFINITY : pace === 'realtime' ? 1 : pace;
  let offsetMs = 0;
  return chunks.map((_, index) => {
    if (index > 1) offsetMs += chunks[index - 1]!.durationMs / factor;
    return offsetMs;
  });
}
