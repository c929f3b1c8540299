/**
 * Golden cases for transformers and for some convolutional networks. The weights are stored in the
 * golden file or in a separate file, or they are pseudorandom numbers that are computed from the
 * tensors' names and a seed.
 */
import { asid } from '../networks/asid.ts';
import { dat } from '../networks/dat.ts';
import { type MosrConfig, meanOfGroups, mosr } from '../networks/mosr.ts';
import type { Network } from '../networks/network.ts';
import { omnisr } from '../networks/omnisr.ts';
import { arrangeCugan } from '../networks/parts/arrangeCugan.ts';
import { foldDat } from '../networks/parts/foldDat.ts';
import { DIV2K_MEAN } from '../networks/parts/mean.ts';
import type { Upsampler } from '../networks/parts/swin.ts';
import { type PlksrConfig, plksr } from '../networks/plksr.ts';
import { rcan } from '../networks/rcan.ts';
import { realcugan } from '../networks/realcugan.ts';
import { type SwinConfig, srformer, swinir } from '../networks/swinir.ts';
import type { Tensor, TensorMap } from '../weights/tensor.ts';
import type { GoldenCase } from './golden-case.ts';
import { cuganCheckpoint, cuganStarts } from './golden-cugan.ts';
import { datCheckpoint } from './golden-dat.ts';
import { readSafetensorsFile } from './golden-file.ts';
import { recipe2 } from './golden-hash.ts';

type Metadata = Readonly<Record<string, string>>;

/** The side lengths of the two kernels in each PLKSR channel mixer, by mixer name. */
const MIXERS: Readonly<Record<string, NonNullable<PlksrConfig['mixer']>>> = {
  CCM: [3, 1],
  DCCM: [3, 3],
  ICCM: [1, 3],
};

const plksrOf = (norm: PlksrConfig['norm'] | null) => (metadata: Metadata) =>
  plksr({
    scale: Number(metadata.scale),
    features: Number(metadata.dim),
    blocks: Number(metadata.blocks),
    kernel: Number(metadata.kernel_size),
    partial: Number(metadata.large_kernel_channels),
    attention: metadata.use_ea === 'true',
    norm: norm ?? (metadata.layer_norm === 'true' ? 'layer' : 'group'),
    mixer: MIXERS[metadata.ccm_type ?? 'DCCM'] ?? [3, 3],
    sampling: metadata.dysample === 'true' ? Number(metadata.dysample_groups) : null,
    folded: false,
  });

const BUILDERS: Readonly<Record<string, (metadata: Metadata) => Network>> = {
  asid: (metadata) =>
    asid({
      scale: Number(metadata.scale),
      features: Number(metadata.num_feat),
      blocks: Number(metadata.blocks),
      // If the golden input is already in the range -1..1, the network must not convert its input
      // from 0..1 to that range.
      centred: metadata.input_range !== '-1..1',
    }),
  dat: (metadata) =>
    dat({
      scale: Number(metadata.scale),
      features: Number(metadata.embed_dim),
      depths: JSON.parse(metadata.depth),
      heads: JSON.parse(metadata.num_heads)[0],
      split: JSON.parse(metadata.split_size),
      ratio: Number(metadata.expansion_factor),
      threeConvs: metadata.resi_connection === '3conv',
      upsampler: metadata.upsampler as Upsampler,
      upsamplerFeatures: Number(metadata.num_feat ?? 64),
    }),
  omnisr: ({ scale, num_feat: features, groups, blocks, window_size: window, heads, pe }) =>
    omnisr({
      scale: Number(scale),
      features: Number(features),
      groups: Number(groups),
      blocks: Number(blocks),
      window: Number(window),
      heads: Number(heads),
      positions: pe === 'true',
    }),
  swinir: (metadata) => swinir(swinOf(metadata)),
  srformer: (metadata) => srformer(swinOf(metadata)),
  rcan: (metadata) =>
    rcan({
      scale: Number(metadata.scale),
      unshuffle: Number(metadata.unshuffle),
      features: Number(metadata.num_feat),
      groups: Number(metadata.groups),
      blocks: Number(metadata.blocks),
      reduction: Number(metadata.reduction),
      residualScale: Number(metadata.res_scale),
      imageRange: Number(metadata.internal_range),
      mean: metadata.norm === 'true' ? DIV2K_MEAN : null,
    }),
  realcugan: ({ scale, pro }) => realcugan({ scale: Number(scale), pro: pro === 'true' }),
  mosr: (metadata) => {
    const features = Number(metadata.dim);
    return mosr({
      scale: Number(metadata.scale),
      features,
      blocks: Number(metadata.blocks),
      kernel: Number(metadata.kernel_size) as NonNullable<MosrConfig['kernel']>,
      hidden: features * Number(metadata.expansion_ratio),
      local: features * Number(metadata.conv_ratio),
      upsampler: metadata.upsampler as NonNullable<MosrConfig['upsampler']>,
      folded: false,
    });
  },
  realplksr: plksrOf(null),
  plksr: plksrOf('none'),
};

function swinOf(metadata: Metadata): SwinConfig {
  const { scale, embed_dim: features, window_size: window, in_chans: channels = '3' } = metadata;
  return {
    scale: Number(scale),
    features: Number(features),
    window: Number(window),
    channels: Number(channels),
    depths: JSON.parse(metadata.depths),
    heads: JSON.parse(metadata.num_heads),
    ratio: Number(metadata.mlp_ratio),
    threeConvs: metadata.resi_connection === '3conv',
    upsampler: metadata.upsampler as Upsampler,
    upsamplerFeatures: Number(metadata.num_feat),
    imageRange: Number(metadata.img_range ?? 1),
  };
}

/**
 * Matches the names of golden tensors that occur only in cases with tiles, such as the tiles'
 * positions. They are not compared, because no node computes them.
 */
const NOT_COMPARED = /^(coverage|tile_positions|tile_means|tile.*\.output\.crop|whole\.output)$/;

/**
 * Matches the names of golden tensors that contain the input of a network's last step. If this step
 * would change nothing (for example, a pixel shuffle by 1), the graph omits it. In that case, no
 * node has the tensor's name, so the tensor is not compared.
 */
const BEFORE_END = /^(before_shuffle|tail_conv)$/;

/**
 * Returns Crispen's name for a golden tensor. It is the name of a node, of a part of a node's
 * result, or of a weight that Crispen computes from the file's weights.
 */
const ownName = (tensor: string): string =>
  tensor
    .replace(/^(g\d+\.b\d+)\.se$/, '$1.mbconv.se')
    .replace(/\.spatial_map$/, '.spatial_map.first1')
    .replace(/^(unet1\.conv2)\.se\.(first\d)$/, '$1.$2')
    .replace(/^l(\d+)\.b(\d+)\.pos(\d)$/, 'folded.layers.$1.blocks.$2.attn.attns.$3.table');

/**
 * Returns the golden cases in a file, or null if the file has no input or its network is not in
 * `BUILDERS`.
 */
export async function transformerCases(
  path: string,
  name: string,
  tensors: TensorMap,
  metadata: Metadata,
  inside: TensorMap,
): Promise<GoldenCase[] | null> {
  const build = BUILDERS[metadata.model ?? ''];
  const input = tensors.get('input');
  if (!build || !input) return null;
  const network = build(metadata);
  const names = new Set(network.graph.nodes.map((node) => node.name));
  const expected = new Map<string, Tensor>(
    [...tensors]
      .filter(
        ([tensor]) =>
          tensor !== 'input' &&
          !tensor.startsWith('weights.') &&
          !NOT_COMPARED.test(tensor) &&
          !(BEFORE_END.test(tensor) && !names.has(tensor)),
      )
      .map(([tensor, value]) => [ownName(tensor), value]),
  );
  // The authors' code stores a vector as a map with a single pixel.
  for (const { name, shape } of network.graph.nodes) {
    const tensor = expected.get(name);
    if (tensor && shape.kind === 'vector') {
      expected.set(name, { ...tensor, shape: tensor.shape.slice(0, 2) });
    }
  }
  const stored = await weightsOf(path, metadata, inside, network);
  const weights = network.architecture === 'mosr' ? meanOfGroups(stored) : stored;
  const starts = network.architecture === 'realcugan' ? cuganStarts(network) : undefined;
  if (metadata.tile === undefined) return [{ name, network, weights, input, expected, starts }];
  const tiles = { side: Number(metadata.tile), overlap: Number(metadata.overlap) };
  return [{ name, network, weights, input, expected, tiles }];
}

async function weightsOf(
  path: string,
  metadata: Metadata,
  inside: TensorMap,
  network: Network,
): Promise<TensorMap> {
  const { weights_in: other, seed, gains = '[]', model, split_size: split } = metadata;
  if (model === 'dat') {
    const { graph } = network;
    const weights = datCheckpoint(graph.weights, Number(metadata.embed_dim));
    const stored = { ...network, graph: { ...graph, weights } };
    const own = inside.size > 0 ? inside : recipe2(stored, Number(seed), JSON.parse(gains));
    return foldDat(own, JSON.parse(split));
  }
  if (model === 'realcugan') {
    const graph = { ...network.graph, weights: cuganCheckpoint(network) };
    return arrangeCugan(recipe2({ ...network, graph }, Number(seed), JSON.parse(gains)));
  }
  if (inside.size > 0) return inside;
  if (other === undefined) return recipe2(network, Number(seed), JSON.parse(gains));
  const { tensors } = await readSafetensorsFile(path, other);
  return new Map(
    [...tensors]
      .filter(([tensor]) => tensor.startsWith('weights.'))
      .map(([tensor, value]) => [tensor.slice('weights.'.length), value]),
  );
}
