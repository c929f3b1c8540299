import keyQuadSource from '../../shaders/nonlocal/keyQuad.wgsl?raw';
import columnsSource from '../../shaders/nonlocal/quadColumns.wgsl?raw';
import rowMixSource from '../../shaders/nonlocal/rowMixQuad.wgsl?raw';
import rowScoresSource from '../../shaders/nonlocal/rowScoresQuad.wgsl?raw';
import similaritySource from '../../shaders/nonlocal/similarityQuad.wgsl?raw';
import {
  assemble,
  blocksOf,
  type Constants,
  type Contract,
  type ElementType,
  type Kernel,
} from '../kernel.ts';
import { MIX, type RowProducts, SCORES, SIMILARITY, similarityConstants } from './nonlocal.ts';

const SHADERS = {
  'nonlocal/keyQuad': keyQuadSource,
  'nonlocal/quadColumns': columnsSource,
  'nonlocal/rowMixQuad': rowMixSource,
  'nonlocal/rowScoresQuad': rowScoresSource,
  'nonlocal/similarityQuad': similaritySource,
};

const kernel = <R extends string, W extends string, P extends string>(
  label: string,
  element: ElementType,
  constants: Constants,
  bound: Contract<R, W, P>,
  name: string,
): Kernel<R, W, P> => ({
  label,
  code: `enable subgroups;
${assemble(element, constants, name, SHADERS)}`,
  ...bound,
});

/**
 * Kernels that reduce memory loads by sharing loaded values within a subgroup. They are for devices
 * where loads are expensive. See rowMixQuad.wgsl.
 */
export const quadProducts: RowProducts = {
  similarity: (spec, element) =>
    kernel(
      `similarity ${spec.channels} x ${spec.clusters} by quads`,
      element,
      similarityConstants(spec),
      SIMILARITY,
      'nonlocal/similarityQuad',
    ),
  similarityGrid: (length, clusters, rounds) => [
    Math.ceil(length / 64),
    Math.ceil(clusters / 16),
    rounds,
  ],
  scores: (element) => kernel('scores by quads', element, {}, SCORES, 'nonlocal/rowScoresQuad'),
  scoresGrid: (window, count) => [Math.ceil(window / 64), count, 1],
  mix: (element) => kernel('mix by quads', element, {}, MIX, 'nonlocal/rowMixQuad'),
  mixGrid: ({ window, channels }, count) => [
    Math.ceil(window / 64) * Math.ceil(blocksOf(channels) / 4),
    count,
    1,
  ],
};
