import storeSource from '../../shaders/conv/convStore.wgsl?raw';
import wideSource from '../../shaders/conv/convWide.wgsl?raw';
import epilogueSource from '../../shaders/lib/epilogue.wgsl?raw';
import { assemble, blocksOf } from '../kernel.ts';
import type { Sources } from '../wgsl.ts';
import type { ConvVariant } from './conv.ts';

const SHADERS: Sources = {
  'conv/convStore': storeSource,
  'conv/convWide': wideSource,
  'lib/epilogue': epilogueSource,
};

/** How convWide.wgsl is cut. */
export interface WideCut {
  /** Neighbouring pixels, and blocks of output channels, per invocation. */
  readonly pixels: number;
  readonly blocks: number;
  /** Whether a workgroup brings weights into its own memory: blocks * 9 matrices at most. */
  readonly shared: boolean;
}

/** Convolutions with more than one block per invocation; weights are packed as for the plain ones. */
export const wideConv = ({ pixels, blocks, shared }: WideCut): ConvVariant => ({
  kernel: ({ kernel, upsample }, element) => ({
    label: `conv${kernel}x${kernel} of ${pixels} x ${blocks}${shared ? ' shared' : ''}`,
    code: assemble(
      element,
      { SIDE: kernel, PIXELS: pixels, BLOCKS: blocks, SHARED: shared, UPSAMPLE: upsample },
      'conv/convWide',
      SHADERS,
    ),
    bindings: ['read', 'read', 'read', 'read', 'read', 'write'],
  }),
  grid: ({ cOut }, width, height) => [
    Math.ceil(width / (8 * pixels)),
    Math.ceil(height / 8),
    Math.ceil(blocksOf(cOut) / blocks),
  ],
});
