/**
 * Extracts parts of tensors, because golden files contain only parts of large tensors. The README
 * files in the shared golden folders explain the names of the parts.
 */
import type { TracedTensor } from '../engine/types.ts';
import type { Rect } from '../geometry.ts';
import { elementCount } from '../weights/tensor.ts';

/** Specifies a part of the tensor that the graph node `node` computes. */
interface View {
  readonly node: string;
  readonly of: (tensor: TracedTensor, shape: readonly number[]) => TracedTensor;
}

/** Returns the part that a golden tensor's name describes, or null if it names a whole tensor. */
export function viewOf(name: string): View | null {
  const found = /^(.*)\.(mean|crop|first(\d+)|group0|last_group)$/.exec(name);
  if (!found) return scoresOf(name);
  const [, node, kind, first] = found;
  if (kind === 'mean') return { node, of: mean };
  if (kind === 'crop') return { node, of: crop };
  if (kind === 'group0') return { node, of: (tensor, shape) => part(tensor, shape, 0) };
  if (kind === 'last_group') {
    const of = (tensor: TracedTensor, shape: readonly number[]) =>
      part(tensor, shape, tensor.data.length - elementCount(shape));
    return { node, of };
  }
  const channels = Number(first);
  return { node, of: ({ shape, data }) => part({ shape, data }, [channels, ...shape.slice(1)], 0) };
}

/**
 * Returns the view for a name such as `scores.last_window_head0`. The view contains the attention
 * scores of one head in the first or last group of pixels, such as a window. Returns null for other
 * names.
 */
function scoresOf(name: string): View | null {
  const found = /^(.*)[._](?:window0|group0|first_window|(last_window))_head(\d)$/.exec(name);
  if (!found) return null;
  const [, node, last, head] = found;
  return {
    node,
    of: ({ shape: [groups], data }, shape) => {
      const group = last ? (data.length / groups) * (groups - 1) : 0;
      return part({ shape: [], data }, shape, group + Number(head) * elementCount(shape));
    },
  };
}

const part = ({ data }: TracedTensor, shape: readonly number[], from: number): TracedTensor => ({
  shape: [...shape],
  data: data.slice(from, from + elementCount(shape)),
});

function mean({ shape: [channels, height, width], data }: TracedTensor): TracedTensor {
  const plane = height * width;
  return {
    shape: [channels],
    data: Float32Array.from({ length: channels }, (_, c) => {
      let sum = 0;
      for (let i = 0; i < plane; i++) sum += data[c * plane + i];
      return sum / plane;
    }),
  };
}

/**
 * Cuts a square out of a map. A square with a side of 12 pixels begins at row and column 26, and
 * all other squares begin at 6. The square is moved inwards if it would not fit into the map.
 */
function crop(map: TracedTensor, [, side]: readonly number[]): TracedTensor {
  const [, height, width] = map.shape;
  const from = (whole: number) => Math.min(side === 12 ? 26 : 6, whole - side);
  return cut(map, { x: from(width), y: from(height), width: side, height: side });
}

/** Cuts a rectangle out of a map. */
export function cut(map: TracedTensor, { x, y, width, height }: Rect): TracedTensor {
  const [channels, rows, columns] = map.shape;
  const data = new Float32Array(channels * height * width);
  for (let row = 0; row < channels * height; row++) {
    const from = (Math.floor(row / height) * rows + y + (row % height)) * columns + x;
    data.set(map.data.subarray(from, from + width), row * width);
  }
  return { shape: [channels, height, width], data };
}
