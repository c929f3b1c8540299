import keyQuadSource from '../../shaders/nonlocal/keyQuad.wgsl?raw';
import columnsSource from '../../shaders/nonlocal/quadColumns.wgsl?raw';
import rowMixSource from '../../shaders/nonlocal/rowMixQuad.wgsl?raw';
import rowScoresSource from '../../shaders/nonlocal/rowScoresQuad.wgsl?raw';
import similaritySource from '../../shaders/nonlocal/similarityQuad.wgsl?raw';
import { assemble, blocksOf, type Constants, type ElementType, type Kernel } from '../kernel.ts';
import type { Sources } from '../wgsl.ts';
import { type RowProducts, similarityConstants } from './nonlocal.ts';

const SHADERS: Sources = {
  'nonlocal/keyQuad': keyQuadSource,
  'nonlocal/quadColumns': columnsSource,
  'nonlocal/rowMixQuad': rowMixSource,
  'nonlocal/rowScoresQuad': rowScoresSource,
  'nonlocal/similarityQuad': similaritySource,
};

const kernel = (
  label: string,
  element: ElementType,
  constants: Constants,
  bindings: Kernel['bindings'],
  name: string,
): Kernel => ({
  label,
  code: `enable subgroups;\n${assemble(element, constants, name, SHADERS)}`,
  bindings,
});

/** For devices with `subgroups` where loads are dear: see rowMixQuad.wgsl. */
export const quadProducts: RowProducts = {
  similarity: (spec, element) =>
    kernel(
      `similarity ${spec.channels} x ${spec.clusters} by quads`,
      element,
      similarityConstants(spec),
      ['read', 'read', 'write'],
      'nonlocal/similarityQuad',
    ),
  similarityGrid: (length, clusters, rounds) => [
    Math.ceil(length / 64),
    Math.ceil(clusters / 16),
    rounds,
  ],
  scores: (element) =>
    kernel(
      'scores by quads',
      element,
      {},
      ['read', 'read', 'write', 'write'],
      'nonlocal/rowScoresQuad',
    ),
  scoresGrid: (window, count) => [Math.ceil(window / 64), count, 1],
  mix: (element) =>
    kernel('mix by quads', element, {}, ['read', 'read', 'write'], 'nonlocal/rowMixQuad'),
  mixGrid: ({ window, channels }, count) => [
    Math.ceil(window / 64) * Math.ceil(blocksOf(channels) / 4),
    count,
    1,
  ],
};
