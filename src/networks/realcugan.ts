import { GraphBuilder, type NodeId } from '../graph/graph.ts';
import { TransformerBuilder } from '../graph/transformer.ts';
import { type Match, type Outline, shapeOf } from './match.ts';
import type { Network } from './network.ts';
import { arrangeCugan } from './parts/arrangeCugan.ts';
import { constant } from './parts/mean.ts';
import { noUpsampler } from './parts/upsampler.ts';
import { weighChannels } from './parts/weighChannels.ts';

/** The configuration of a Real-CUGAN. The defaults are the published values. */
export interface CuganConfig {
  /** Must be 2, 3 or 4. */
  readonly scale: number;
  /**
   * Whether pixel values are mapped to the range 0.15 to 0.85, as the authors' "pro" files require.
   */
  readonly pro?: boolean;
  /** The number of channels in the first layer, a multiple of 4. */
  readonly features?: number;
  readonly inputRange?: number;
}

type Inset = readonly [first: number, last: number];

/**
 * The settings that depend on the scale. The authors' convolutions have no padding, so their maps
 * shrink. Our convolutions have padding, so our maps do not shrink. Where our map and the authors'
 * map overlap, their values are the same. Squeeze-and-excitation blocks compute means only over the
 * part of our map that the authors' map covers. An `Inset` gives the number of rows and columns to
 * leave out at the top and left (`first`) and at the bottom and right (`last`).
 */
interface Plan {
  /** The number of reflected pixels that are added on each side of the image. */
  readonly border: number;
  /** The sides of the padded image are multiples of this number. */
  readonly multiple: number;
  /**
   * Whether the first U-Net's input is shifted by one pixel. At x2 and x4, the layers that halve
   * the size would otherwise not read the same 2x2 cells as the authors' layers.
   */
  readonly shifted: boolean;
  /** The first U-Net's scale factor. */
  readonly factor: 2 | 3;
  readonly unet1: { readonly conv2: Inset };
  readonly unet2: { readonly conv2: Inset; readonly conv3: Inset; readonly conv4: Inset };
}

const TWICE = {
  multiple: 2,
  shifted: true,
  factor: 2,
  unet1: { conv2: [3, 4] },
  unet2: { conv2: [12, 12], conv3: [8, 8], conv4: [18, 18] },
} as const;

const PLANS: ReadonlyMap<number, Plan> = new Map<number, Plan>([
  // The authors reflect 18 pixels at x2 and 19 at x4. We reflect one more pixel on each side,
  // because the first U-Net's input is shifted by one pixel (`shifted`).
  [2, { ...TWICE, border: 19 }],
  [4, { ...TWICE, border: 20 }],
  [
    3,
    {
      border: 14,
      multiple: 4,
      shifted: false,
      factor: 3,
      unet1: { conv2: [3, 3] },
      unet2: { conv2: [14, 14], conv3: [9, 9], conv4: [20, 20] },
    },
  ],
]);

const SLOPE = 0.1;
/** The first layer of a squeeze-and-excitation block divides the number of channels by this. */
const REDUCTION = 8;
/** For "pro" files, the image is multiplied by the factor, and then the shift is added. */
const [PRO_FACTOR, PRO_SHIFT] = [0.7, 0.15];

/**
 * Builds a Real-CUGAN, which consists of two U-Nets. The first enlarges the image, and the second
 * corrects the result of the first. At x4, both U-Nets produce maps at x2, and a last layer
 * enlarges the sum of these maps to x4. The network then adds the LR image, enlarged with
 * nearest-neighbour interpolation.
 *
 * Source: bilibili, "Real-CUGAN" (2022). Its U-Nets come from waifu2x. The layers are named as in
 * the authors' checkpoints, and the nodes are named like the tensors in the golden files (the
 * reference data for tests). Weights have the form that `arrangeCugan` returns. Images smaller than
 * the border are reflected repeatedly; the authors' code refuses them. Channel weights are computed
 * from means over the whole image; the authors' tool uses the mean of each tile.
 *
 * @throws CrispenError `MODEL_UNSUPPORTED` for scales other than 2, 3 and 4
 */
export function realcugan(config: CuganConfig): Network {
  const { scale, pro = false, features = 32, inputRange = 1 } = config;
  const plan = PLANS.get(scale);
  if (!plan) throw noUpsampler(scale);
  const { border, multiple, shifted, factor } = plan;
  const channels = 3;
  const gain = (pro ? PRO_FACTOR : 1) / inputRange;
  const lift = pro ? PRO_SHIFT : 0;
  const converts = gain !== 1 || lift !== 0;
  const b = new GraphBuilder();
  const t = new TransformerBuilder(b);
  const { conv, halves, doubles, up } = layersOf(b, t);

  const image = b.input('input', channels, { multiple, least: multiple, border });
  const input = converts
    ? b.affine('lifted', image, constant(channels, gain), constant(channels, lift))
    : image;

  // If `shifted` is true, the border is one pixel wider than the authors' border. The shift removes
  // the additional top row and left column.
  const own = shifted ? t.shift('unet1.input', input, 1) : input;
  const a = doubles('unet1.conv1', own, features, 2 * features);
  const low = doubles(
    'unet1.conv2',
    halves('unet1.conv1_down', a, 2 * features),
    4 * features,
    2 * features,
    plan.unet1.conv2,
  );
  const sum1 = b.add('unet1.sum', a, up('unet1.conv2_up', low, 2 * features));
  const last1 = b.leakyRelu('unet1.conv3_lrelu', conv('unet1.conv3', sum1, 2 * features), SLOPE);
  const back = shifted ? t.shift('unet1.output', last1, -1) : last1;
  const between = scale === 4 ? 2 * features : channels;
  const wide = conv('unet1.conv_bottom', back, between * factor ** 2);
  const y = b.pixelShuffle('unet1', wide, factor);

  const c = doubles('unet2.conv1', y, features, 2 * features);
  const half = doubles(
    'unet2.conv2',
    halves('unet2.conv1_down', c, 2 * features),
    2 * features,
    4 * features,
    plan.unet2.conv2,
  );
  const quarter = doubles(
    'unet2.conv3',
    halves('unet2.conv2_down', half, 4 * features),
    8 * features,
    4 * features,
    plan.unet2.conv3,
  );
  const sum2 = b.add('unet2.sum2', half, up('unet2.conv3_up', quarter, 4 * features));
  const d = doubles('unet2.conv4', sum2, 2 * features, 2 * features, plan.unet2.conv4);
  const sum1of2 = b.add('unet2.sum1', c, up('unet2.conv4_up', d, 2 * features));
  const last2 = b.leakyRelu('unet2.conv5_lrelu', conv('unet2.conv5', sum1of2, 2 * features), SLOPE);
  const ends = scale !== 4 && !converts ? 'output' : 'unet2';
  const z = b.add(ends, y, conv('unet2.conv_bottom', last2, between));
  const enlarge = (): NodeId => {
    const final = conv('conv_final', z, channels * 4);
    const large = b.nearest('enlarged', input, 4);
    return b.add(converts ? 'sum' : 'output', large, b.pixelShuffle('final', final, 2));
  };
  const sum = scale === 4 ? enlarge() : z;
  const output = converts
    ? b.affine('output', sum, constant(channels, 1 / gain), constant(channels, -lift / gain))
    : sum;
  return { architecture: 'realcugan', scale, inputRange, graph: b.build(output) };
}

/**
 * Returns functions that append the layers that both U-Nets use. By default, a layer and its node
 * have the same name.
 */
function layersOf(b: GraphBuilder, t: TransformerBuilder) {
  const conv = (name: string, x: NodeId, cOut: number, kernel: 1 | 3 = 3, layer = name): NodeId =>
    b.conv(name, x, { layer, kernel, cOut, bias: true });
  const active = (name: string, x: NodeId): NodeId => b.leakyRelu(`${name}_lrelu`, x, SLOPE);

  return {
    conv,
    /** Appends a 2x2 convolution of stride 2. */
    halves: (name: string, x: NodeId, cOut: number): NodeId =>
      active(name, conv(name, t.pixelUnshuffle(`${name}.cells`, x, 2), cOut, 1)),
    /** Appends a transposed 2x2 convolution of stride 2. */
    up: (name: string, x: NodeId, cOut: number): NodeId =>
      b.pixelShuffle(`${name}.pixels`, active(name, conv(name, x, 4 * cOut, 1)), 2),
    /**
     * Appends two convolutions. If `inset` is given, also appends a squeeze-and-excitation block.
     * This block computes means without the rows and columns that the inset specifies.
     */
    doubles(name: string, x: NodeId, middle: number, cOut: number, inset?: Inset): NodeId {
      const first = active(`${name}.0`, conv(`${name}.0`, x, middle, 3, `${name}.conv.0`));
      const second = conv(`${name}.2`, first, cOut, 3, `${name}.conv.2`);
      if (!inset) return b.leakyRelu(name, second, SLOPE);
      const x2 = active(`${name}.2`, second);
      const mean = b.append(`${name}.mean`, { op: 'globalAveragePool', inset }, [x2]);
      return weighChannels(b, name, x2, mean, {
        prefix: `${name}.`,
        squeeze: `${name}.seblock.conv1`,
        expand: `${name}.seblock.conv2`,
        hidden: cOut / REDUCTION,
      });
    },
  };
}

/**
 * Recognises a Real-CUGAN by the tensor names in the authors' checkpoints. Does not match the fast
 * variant for x2, which reads cells of 2x2 pixels.
 */
export function matchCugan(outline: Outline): Match | null {
  const head = shapeOf(outline, 'unet1.conv1.conv.0.weight', 4);
  const bottom = shapeOf(outline, 'unet1.conv_bottom.weight', 4);
  const squeeze = shapeOf(outline, 'unet1.conv2.seblock.conv1.weight', 4);
  if (!head || !bottom || !squeeze || !outline.has('unet2.conv5.weight')) return null;
  const [features, channels] = head;
  const [, between, side] = bottom;
  const large = outline.has('conv_final.weight');
  const scale = side === 5 && !large ? 3 : side !== 4 ? null : large ? 4 : 2;
  const fits =
    channels === 3 &&
    between === (large ? 2 * features : 3) &&
    features === 4 * squeeze[0] &&
    squeeze[1] === 2 * features;
  if (scale === null || !fits) return null;
  const pro = outline.has('pro');
  return {
    scales: [scale],
    inputRange: 1,
    build: ({ inputRange }) => realcugan({ scale, features, pro, inputRange }),
    prepare: arrangeCugan,
  };
}
