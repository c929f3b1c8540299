/** The bench page, for visitors and for `npm run bench`, which calls `window.crispenBench`. */
import { decodeImage } from '../../src/codecs/decode.ts';
import type { Rgba8Image } from '../../src/image/image.ts';
import { toRgba8 } from '../../src/image/pixels.ts';
import type { Ceiling } from '../ceiling.ts';
import type { Contender } from '../contender.ts';
import { crispenContenders } from '../crispen.ts';
import { GpuGauge } from '../gauge.ts';
import { measureCore, type Registers } from '../registers.ts';
import { type BenchRequest, modelOf, runSession } from '../session.ts';
import { stageLine } from '../stage.ts';
import { cpuContender } from './cpu.ts';
import { type Outcome, startView, type Watcher } from './view.ts';

/** A request from `npm run bench`. URLs are relative to the page. */
export interface PageRequest extends BenchRequest {
  /** Null selects the shipped model for the scale. */
  readonly weights: { readonly url: string; readonly name: string } | null;
  /**
   * Thread counts for CPU engines. Each count is a separate contender. If empty, the number of
   * cores is used, but at most 8.
   */
  readonly threads: readonly number[];
  /** If null, the CPU's ceiling is not measured. */
  readonly registers: Registers | null;
}

export type PageResult = Outcome;

declare global {
  interface Window {
    /** `npm run bench` calls this function. `onStage` is called with each stage. */
    crispenBench?: (
      request: PageRequest,
      onStage?: (what: string) => unknown,
    ) => Promise<PageResult>;
  }
}

/** All visitors use the same photo, which is one of the demo's samples. */
const PHOTO = './samples/cat.jpg';

/** Starts the page with Crispen's contenders, and with the rivals for the given thread counts. */
export function startPage(rivals: (threads: readonly number[]) => Contender[]): void {
  // The gauge must exist before any device is created.
  const gauge = 'gpu' in navigator ? new GpuGauge(globalThis) : null;

  async function bench(
    request: PageRequest,
    { signal, onStage, onProgress }: Watcher,
  ): Promise<PageResult> {
    const adapter = await findAdapter();
    if (!gauge || !adapter) throw new Error('This browser offers no WebGPU adapter.');
    const shipped = modelOf(request.scale).file;
    const { url, name } = request.weights ?? { url: `./models/${shipped}`, name: shipped };
    const bytes = new Uint8Array(await (await load(url, signal)).arrayBuffer());
    const photo = await loadPhoto(signal);
    let ceiling: Ceiling | null = null;
    const threads =
      request.threads.length > 0 ? request.threads : [Math.min(8, navigator.hardwareConcurrency)];
    const core = request.registers && (await measureCore(request.registers));
    const rows = await runSession(
      request,
      [...crispenContenders(navigator.gpu), ...threads.map(cpuContender), ...rivals(threads)],
      {
        gpu: navigator.gpu,
        gauge,
        photo,
        signal,
        weights: { bytes, name, shipped: !request.weights },
        ...(core !== null && { core }),
      },
      {
        ...(onStage && { onStage }),
        ...(onProgress && { onProgress }),
        onRows: (_, measured) => {
          ceiling = measured;
        },
      },
    );
    if (!ceiling) throw new Error('Nothing was measured.');
    return { rows, ceiling, adapter: namesOf(adapter.info) };
  }

  window.crispenBench = (request, onStage) =>
    bench(request, onStage ? { onStage: (stage) => onStage(stageLine(stage)) } : {});
  startView(
    (request, watcher) =>
      bench({ ...request, weights: null, threads: [], registers: null }, watcher),
    async () => {
      const info = (await findAdapter())?.info;
      return info ? { name: namesOf(info), isSoftware: info.isFallbackAdapter } : null;
    },
  );
}

const findAdapter = async () =>
  navigator.gpu?.requestAdapter({ powerPreference: 'high-performance' });

const namesOf = ({ vendor, architecture, device, description }: GPUAdapterInfo): string =>
  [vendor, architecture, device, description].filter(Boolean).join(' ');

/** @throws Error */
export async function load(url: string, signal?: AbortSignal): Promise<Response> {
  const response = await fetch(new URL(url, document.baseURI), signal ? { signal } : {});
  if (!response.ok) throw new Error(`${url} could not be loaded: status ${response.status}.`);
  return response;
}

export async function loadPhoto(signal?: AbortSignal): Promise<Rgba8Image> {
  const { image } = await decodeImage(await (await load(PHOTO, signal)).blob());
  return toRgba8(image);
}
