import type { Size } from '../src/geometry.ts';
import type { AddedTask, Detection, UpscaleOutput, UpscaleProgress } from '../src/index.ts';
import { dimensions, megapixels } from './format.ts';
import { t } from './texts/texts.ts';
import { troubleOf } from './texts/trouble.ts';

/** The page's text about adapters, stages and limits. All of these functions are pure. */

type Adapter = NonNullable<Detection['adapter']>;

export function stageWords(stage: UpscaleProgress['stage'] | null, task: AddedTask): string {
  if (stage === 'upscale' && task !== 'upscale') return t.stages.restore;
  return t.stages[stage ?? 'start'];
}

/** Returns a name for an adapter, based on the browser's information. */
export function adapterName(adapter: Adapter): string {
  const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
  const parts = [adapter.vendor, adapter.architecture].filter((part) => part !== '');
  return adapter.description || adapter.device || parts.map(capital).join(' ') || t.adapter.unnamed;
}

/** Describes the device that does the work, and returns whether it will be slow. */
export function workerWords(detection: Detection | null): { text: string; slow: boolean } {
  if (detection === null) return { text: t.adapter.looking, slow: false };
  if (detection.adapter === null) return cpuWords(detection);
  const name = adapterName(detection.adapter);
  return detection.adapter.isFallbackAdapter
    ? { text: t.adapter.softwareRenderer(name), slow: true }
    : { text: t.adapter.runsOn(name), slow: false };
}

function cpuWords({ cpu, reason }: Detection): { text: string; slow: boolean } {
  const words = t.adapter;
  if (cpu === null) return { text: words.none, slow: true };
  const isLoops = cpu.code === 'loops';
  const text = isLoops ? words.loops : words.processor(cpu.threads);
  return { text: reason ? words.noneThen(text) : text, slow: isLoops };
}

/** Describes in a sentence how a result was produced. */
export function madeBy(
  output: Pick<UpscaleOutput, 'backend' | 'adapter' | 'model'> & {
    readonly diagnostics?: Pick<UpscaleOutput['diagnostics'], 'slow'>;
  },
  name = output.model,
): string {
  const words = t.result;
  if (output.backend === 'lanczos') return words.plain;
  const place =
    output.backend === 'cpu'
      ? words.processor
      : output.adapter === null
        ? words.graphicsCard
        : adapterName(output.adapter);
  const slow = output.adapter?.isFallbackAdapter
    ? words.software(place)
    : output.diagnostics?.slow
      ? words.javascript(place)
      : place;
  return words.madeBy(name ?? '', slow);
}

/**
 * Describes which of the picture's colour information was kept and which was lost. Empty for an
 * ordinary picture.
 */
export function keptWords(source: UpscaleOutput['source']): string {
  const { colorSpace, hasProfile, depth, grey, notes } = source;
  const words = t.result;
  const profile = colorSpace === 'display-p3' ? words.p3 : words.profile;
  const kept = [
    ...(hasProfile ? [profile] : []),
    ...(depth === 16 ? [words.deep] : []),
    ...(grey ? [words.grey] : []),
  ];
  return [...(kept.length > 0 ? [words.kept(kept.join(t.queue.separator))] : []), ...notes].join(
    ' ',
  );
}

/** Returns the short label for the result's side of the comparison. */
export function resultTag(backend: UpscaleOutput['backend'], size: string): string {
  const maker = { webgpu: 'Crispen', cpu: t.compare.onCpu, lanczos: 'Lanczos' }[backend];
  return `${maker} ${size}`.trim();
}

export interface BrowserAdvice {
  readonly browser: string;
  readonly steps: readonly string[];
}

/** Returns instructions for enabling WebGPU. The visitor's own browser comes first. */
export function advice(userAgent: string): BrowserAdvice[] {
  const { chrome, firefox, safari } = t.adapter.advice;
  if (/firefox|fxios/i.test(userAgent)) return [firefox, chrome, safari];
  if (/safari/i.test(userAgent) && !/chrome|chromium|android/i.test(userAgent)) {
    return [safari, chrome, firefox];
  }
  return [chrome, firefox, safari];
}

/**
 * Returns a title and an explanation of why a picture takes a long time or cannot be enlarged here.
 */
export function noAdapterWords({ cpu, reason }: Pick<Detection, 'cpu' | 'reason'>): {
  title: string;
  text: string;
} {
  const words = t.adapter;
  if (cpu?.reason) {
    const { message, hint } = troubleOf(cpu.reason);
    return { title: words.noWasm, text: `${message} ${hint}` };
  }
  if (reason?.code === 'INSECURE_CONTEXT') {
    return { title: words.insecure, text: words.insecureText };
  }
  return { title: words.none, text: words.noneText };
}

/**
 * The longest canvas side that all current browsers support. Most of them can also encode such a
 * canvas.
 */
const MAX_SIDE = 16_384;
/** The largest canvas area of desktop browsers, in pixels. */
const MAX_AREA = 268_435_456;
/** From this area upwards (a 256 MB picture), phones and older machines can run out of memory. */
const LARGE_AREA = 67_108_864;

/** Returns whether a result is too large for a page to show and must be written to a file. */
export function isBeyondCanvas({ width, height }: Size): boolean {
  return Math.max(width, height) > MAX_SIDE || width * height > MAX_AREA;
}

/**
 * Returns a warning for the visitor to confirm if a browser might not be able to handle a result.
 * Returns null if no warning is needed.
 */
export function sizeWarning({ width, height }: Size): string | null {
  const area = width * height;
  const [size, mega] = [dimensions(width, height), megapixels(width, height)];
  if (isBeyondCanvas({ width, height })) return t.size.tooLarge(size, mega);
  return area > LARGE_AREA ? t.size.large(size, mega, Math.round((area * 4) / 1e6)) : null;
}
