import type { Rgba8Image } from '../src/image/image.ts';
import type { Network } from '../src/networks/network.ts';
import { fromFloat32 } from '../src/weights/convert.ts';
import type { Tensor, TensorMap } from '../src/weights/tensor.ts';
import { randomStream } from './random.ts';

/** Creates seeded weights with a gain of about one. */
export function seededWeights({ graph }: Network): TensorMap {
  const random = randomStream(7);
  return new Map(
    graph.weights.map(({ name, shape }): [string, Tensor] => {
      const length = shape.reduce((product, side) => product * side, 1);
      const bound = Math.sqrt((3 * shape[0]) / length);
      const values = Float32Array.from({ length }, () => (2 * random() - 1) * bound);
      return [name, fromFloat32(values, shape, 'f32')];
    }),
  );
}

/** Creates an opaque image of seeded noise. */
export function seededImage(width: number, height: number, seed: number): Rgba8Image {
  const random = randomStream(seed);
  const data = Uint8ClampedArray.from({ length: width * height * 4 }, (_, i) =>
    i % 4 === 3 ? 255 : 256 * random(),
  );
  return { width, height, data };
}
