import { describe, expect, it } from 'vitest';
import { randomStream } from '../../test/random.ts';
import { cuganCheckpoint } from '../cli/golden-cugan.ts';
import { datCheckpoint } from '../cli/golden-dat.ts';
import { CrispenError } from '../errors.ts';
import { fromFloat32 } from '../weights/convert.ts';
import { DTYPE_BYTES, type Tensor } from '../weights/tensor.ts';
import { detect, identify, recognise } from './detect.ts';
import type { Network } from './network.ts';
import { type Architecture, createNetwork, FAMILIES, type NetworkConfigs } from './registry.ts';

const SIZES: Partial<{ readonly [K in Architecture]: Partial<NetworkConfigs[K]> }> = {
  a2n: { features: 8, blocks: 2 },
  a2nm: { features: 8, blocks: 2 },
  pan: { features: 8, blocks: 2 },
  esrgan: { features: 8, growth: 4, blocks: 2 },
  edsr: { features: 8, blocks: 12 },
  compact: { features: 8, blocks: 2 },
  mosr: { features: 8, blocks: 2, upsampler: 'ps' },
  omnisr: { features: 8, groups: 1, heads: 2 },
  dat: { features: 32, depths: [2], heads: 4, split: [4, 8] },
  swinir: { features: 12, depths: [2, 1], heads: [3, 3] },
  srformer: { features: 12, depths: [2], heads: [3], window: 8 },
  rcan: { features: 8, groups: 2, blocks: 2, reduction: 4 },
  realcugan: { features: 8 },
  realplksr: { features: 8, blocks: 2, kernel: 5 },
  plksr: { features: 8, blocks: 2, kernel: 5 },
};
const MUTATIONS = 2000;
/**
 * `lcoan` and `dlsn` are left out, because the tensor names in their files differ from the weight
 * names in their graphs.
 */
const ARCHITECTURES = (Object.keys(FAMILIES) as Architecture[]).filter(
  (name) => name !== 'lcoan' && name !== 'dlsn',
);

const tensor = (shape: readonly number[], fill: number): Tensor => {
  const count = shape.reduce((product, size) => product * size, 1);
  const bytes = new Uint8Array(count * DTYPE_BYTES.f32);
  new Float32Array(bytes.buffer).fill(fill);
  return { dtype: 'f32', shape, bytes };
};

/** Returns the names and shapes of a network's weights, as a file stores them. */
function storedWeights(name: Architecture, network: Network) {
  if (name === 'dat') return datCheckpoint(network.graph.weights, 32);
  return name === 'realcugan' ? cuganCheckpoint(network) : network.graph.weights;
}

/**
 * Returns all possible offsets (y, x) between two pixels of a window of `rows` x `columns`, as the
 * weight files of DAT networks store them.
 */
function offsets([rows, columns]: readonly [number, number]): Tensor {
  const values: number[] = [];
  for (let y = 1 - rows; y < rows; y++) {
    for (let x = 1 - columns; x < columns; x++) values.push(y, x);
  }
  return fromFloat32(Float32Array.from(values), [values.length / 2, 2], 'f32');
}

describe('networks whose tensors were changed', () => {
  it.each(ARCHITECTURES)('%s: a network or MODEL_UNSUPPORTED', (name) => {
    const network = createNetwork(name, { scale: 2, ...SIZES[name] });
    const stored = storedWeights(name, network);
    const whole = new Map(stored.map(({ name, shape }) => [name, tensor(shape, -0.4488)]));
    if (name === 'dat') whole.set('layers.0.blocks.0.attn.attns.0.rpe_biases', offsets([4, 8]));
    expect(identify(whole)).not.toBeNull();
    const random = randomStream(20);
    const below = (limit: number) => Math.floor(random() * limit);
    const codes = { read: 0, MODEL_UNSUPPORTED: 0 };
    for (let i = 0; i < MUTATIONS; i++) {
      const tensors = new Map(whole);
      for (let changes = 1 + below(3); changes > 0; changes--) {
        const names = [...tensors.keys()];
        const changed = names[below(names.length)];
        const shape = [...tensors.get(changed)!.shape];
        if (shape.length === 0) continue;
        const at = below(shape.length);
        const size = [0, 1, 2, 3, 4, 9, 12, 27, 48, shape[at] + 1, shape[at] * 2][below(11)];
        const kind = below(6);
        if (kind === 0) tensors.delete(changed);
        else if (kind === 1) tensors.set(changed, tensor([...shape, 1], 1));
        else if (kind === 2) tensors.set(changed, tensor(shape.slice(1), 1));
        else if (kind === 3)
          tensors.set(`sub_mean.${['weight', 'bias'][below(2)]}`, tensor([below(5)], -1));
        else tensors.set(changed, tensor(shape.with(at, Math.min(size, 64)), 1));
      }
      try {
        recognise(tensors);
        detect(tensors, { likelyScale: 2 });
        codes.read++;
      } catch (error) {
        if (!(error instanceof CrispenError) || error.code !== 'MODEL_UNSUPPORTED') {
          throw new Error(`mutation ${i}`, { cause: error });
        }
        codes.MODEL_UNSUPPORTED++;
      }
    }
    expect(codes.MODEL_UNSUPPORTED).toBeGreaterThan(0);
    expect(codes.read).toBeGreaterThan(0);
  });
});
