import type { AutoChoice } from '../catalog/auto.ts';
import { roughly } from '../engine/progress.ts';
import type { Recovery } from '../engine/types.ts';
import type { DecodedImage } from '../image/tags.ts';
import type { Enlarged } from '../node/enlarger.ts';

/** The messages that report how a run recovered from a problem. */
export const RECOVERIES: Readonly<Record<Recovery, string>> = {
  'device-lost': 'The GPU was lost during the work, which went on from the last finished rows.',
  'f16-overflow': 'The values were too large for f16, so the model ran in f32.',
  'f16-blank': 'In f16 the model made one colour of the whole image, so it ran in f32.',
};

/**
 * Returns a message about the choice that `--model auto` made, or an empty string if there were no
 * other models to choose from.
 */
export function autoWords({ speed, bestMs, others }: AutoChoice): string {
  if (others.length === 0) return '';
  const names = others.join(', then ');
  if (speed === 'best') return `The fast choice would be ${names}.`;
  return `The best choice, ${names}, would take ${roughly(bestMs ?? 0)} here.`;
}

/** Returns the fields that `--json` prints for an image, except for `adapter`. */
export function lineOf(
  { image, animated, notes }: DecodedImage,
  { plan, report, depth, tags }: Enlarged<unknown>,
) {
  return {
    backend: report.backend,
    model: report.passes[0] ?? null,
    scale: plan.factor,
    networkScale: report.networkScale,
    passes: report.passes,
    auto: plan.auto,
    input: [image.width, image.height],
    output: [plan.size.width, plan.size.height],
    milliseconds: Math.round(report.milliseconds),
    tiles: report.tiles,
    tileSize: report.tileSize,
    statistics: report.statistics,
    approximate: report.approximate,
    precision: report.precision,
    threads: report.threads ?? null,
    slow: report.slow ?? false,
    recovered: report.recovered ?? [],
    depth,
    colorSpace: tags.colorSpace,
    animated,
    notes,
    assumptions: plan.assumptions,
  };
}
