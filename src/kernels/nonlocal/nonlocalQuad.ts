import keyQuadSource from '../../shaders/nonlocal/keyQuad.wgsl?raw';
import columnsSource from '../../shaders/nonlocal/quadColumns.wgsl?raw';
import rowMixSource from '../../shaders/nonlocal/rowMixQuad.wgsl?raw';
import rowScoresSource from '../../shaders/nonlocal/rowScoresQuad.wgsl?raw';
import similaritySource from '../../shaders/nonlocal/similarityQuad.wgsl?raw';
import { blocksOf, type Kernel } from '../kernel.ts';
import {
  kernel,
  MIX,
  type RowProducts,
  SCORES,
  SIMILARITY,
  similarityConstants,
} from './nonlocal.ts';

const SHADERS = {
  'nonlocal/keyQuad': keyQuadSource,
  'nonlocal/quadColumns': columnsSource,
  'nonlocal/rowMixQuad': rowMixSource,
  'nonlocal/rowScoresQuad': rowScoresSource,
  'nonlocal/similarityQuad': similaritySource,
};

const withSubgroups = <K extends Kernel>(plain: K): K => ({
  ...plain,
  code: `enable subgroups;\n${plain.code}`,
});

/**
 * Kernels that reduce memory loads by sharing loaded values within a subgroup. They are for devices
 * where loads are expensive. See rowMixQuad.wgsl.
 */
export const quadProducts: RowProducts = {
  similarity: (spec, element) =>
    withSubgroups(
      kernel(
        `similarity ${spec.channels} x ${spec.clusters} by quads`,
        element,
        similarityConstants(spec),
        SIMILARITY,
        'similarityQuad',
        SHADERS,
      ),
    ),
  similarityGrid: (length, clusters, rounds) => [
    Math.ceil(length / 64),
    Math.ceil(clusters / 16),
    rounds,
  ],
  scores: (element) =>
    withSubgroups(kernel('scores by quads', element, {}, SCORES, 'rowScoresQuad', SHADERS)),
  scoresGrid: (window, count) => [Math.ceil(window / 64), count, 1],
  mix: (element) => withSubgroups(kernel('mix by quads', element, {}, MIX, 'rowMixQuad', SHADERS)),
  mixGrid: ({ window, channels }, count) => [
    Math.ceil(window / 64) * Math.ceil(blocksOf(channels) / 4),
    count,
    1,
  ],
};
