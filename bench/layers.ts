/** Times each kind of layer in a shipped model on the CPU backend, in Node or in a page. */
import { findModel } from '../src/catalog/files.ts';
import { shippedNetwork } from '../src/catalog/network.ts';
import { CpuModel } from '../src/cpu/model.ts';
import { compileModule, supportedVariant, type VariantName } from '../src/cpu/module.ts';
import type { Step } from '../src/cpu/program.ts';
import type { Rgba8Image } from '../src/image/image.ts';
import { readSafetensors } from '../src/weights/safetensors.ts';
import { cropPhoto } from './photo.ts';
import { openRegisters, type Registers } from './registers.ts';

const ROUNDS = 30;

export interface LayersRequest {
  /** The id of the model. */
  readonly model: string;
  /** The side length of the image. */
  readonly size: number;
  /** Null selects the best variant that the runtime supports. */
  readonly variant: VariantName | null;
  readonly registers: Registers;
}

export interface Layer {
  readonly kind: string;
  readonly steps: number;
  /** The sum of the best times of all steps of this kind. */
  readonly milliseconds: number;
  /** Null for steps without multiply-adds. A multiply-add counts as two operations. */
  readonly gflops: number | null;
  /** `gflops` as a share of the speed of arithmetic in registers alone. */
  readonly share: number | null;
}

export interface Layers {
  readonly model: string;
  readonly size: number;
  readonly variant: VariantName;
  /** The best time for the whole network, from pixels to pixels. */
  readonly milliseconds: number;
  /** The speed of arithmetic in registers alone on this core. */
  readonly peakGflops: number;
  readonly layers: readonly Layer[];
}

/**
 * Alternates rounds of the register-only loop and of the network on one thread, and uses the best
 * round of each. Other work on the machine therefore changes the ratio only slightly.
 * @param weights the model's weights
 * @param photo the photo from which the image is cut
 */
export async function measureLayers(
  weights: Uint8Array<ArrayBuffer>,
  photo: Rgba8Image,
  { size, registers, ...request }: LayersRequest,
): Promise<Layers> {
  const variant = request.variant ?? supportedVariant();
  if (variant === null) throw new Error('There is no WebAssembly SIMD here.');
  const peak = await openRegisters(registers, variant);
  const module = await compileModule(variant);
  const network = await shippedNetwork(findModel(request.model));
  const model = await CpuModel.load(network, readSafetensors(weights).tensors, { module });
  const image = cropPhoto(photo, size, size);
  const core = { x: 0, y: 0, width: size, height: size };
  const width = size * network.scale;
  const to = { data: new Uint8ClampedArray(width ** 2 * 4), offset: 0, width };
  const best = new Map<Step, number>();
  const onStep = (step: Step, milliseconds: number) =>
    best.set(step, Math.min(milliseconds, best.get(step) ?? milliseconds));
  let [peakGflops, whole] = [0, Number.POSITIVE_INFINITY];
  await model.run(image, image, { core, to });
  for (let round = 0; round < ROUNDS; round++) {
    peakGflops = Math.max(peakGflops, (peak() * 2) / 1e9);
    const started = performance.now();
    await model.run(image, image, { core, to }, { onStep });
    whole = Math.min(whole, performance.now() - started);
  }
  const kinds = new Map<string, [Step, number][]>();
  for (const entry of best) {
    const kind = kindOf(entry[0]);
    kinds.set(kind, [...(kinds.get(kind) ?? []), entry]);
  }
  const layers = [...kinds].map(([kind, steps]): Layer => {
    const milliseconds = sumOf(steps.map(([, spent]) => spent));
    const multiplyAdds = sumOf(steps.map(([{ op }]) => op.multiplyAdds * size ** 2));
    const gflops = multiplyAdds === 0 ? null : (2 * multiplyAdds) / milliseconds / 1e6;
    const share = gflops === null ? null : gflops / peakGflops;
    return { kind, steps: steps.length, milliseconds, gflops, share };
  });
  return { model: request.model, size, variant, milliseconds: whole, peakGflops, layers };
}

/** Formats the measurements as a table. */
export function formatLayers({ layers, ...all }: Layers): string {
  const best = sumOf(layers.map(({ milliseconds }) => milliseconds));
  return [
    `${all.model} at ${all.size} x ${all.size}, ${all.variant}, one thread: ${all.milliseconds.toFixed(0)} ms, ${best.toFixed(0)} by the best of each step; registers alone reach ${all.peakGflops.toFixed(1)} GFLOP/s`,
    ...layers.map(({ kind, steps, milliseconds, gflops, share }) =>
      [
        `${String(steps).padStart(3)} x ${kind.padEnd(30)}${milliseconds.toFixed(1).padStart(8)} ms`,
        gflops === null ? '' : `${gflops.toFixed(1).padStart(7)} GFLOP/s`,
        share === null ? '' : `${(share * 100).toFixed(0).padStart(4)} %`,
      ].join(''),
    ),
  ].join('\n');
}

const sumOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

function kindOf({ op }: Step): string {
  if (op.op !== 'conv') return op.op;
  const { kernel, cIn, cOut, upsample } = op;
  return `conv ${kernel}x${kernel} ${cIn} -> ${cOut}${upsample > 1 ? `, nearest x${upsample}` : ''}`;
}
