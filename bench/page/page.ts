/** The bench's page for visitors, and for `npm run bench`, which calls `window.crispenBench`. */
import { decodeImage } from '../../src/codecs/decode.ts';
import { toRgba8 } from '../../src/image/pixels.ts';
import type { Ceiling } from '../ceiling.ts';
import type { Contender, Row } from '../contender.ts';
import { crispenContenders } from '../crispen.ts';
import { GpuGauge } from '../gauge.ts';
import { measureCore, type Registers } from '../registers.ts';
import { type BenchRequest, modelOf, runSession } from '../session.ts';
import { COLUMNS, cells, formatCeiling } from '../table.ts';
import { cpuContender } from './cpu.ts';

/** A request from outside. URLs are relative to the page. */
export interface PageRequest extends BenchRequest {
  /** Null: the shipped model of the scale. */
  readonly weights: { readonly url: string; readonly name: string } | null;
  /**
   * Thread counts for engines on the CPU, each a contender; empty: the number of cores, at most 8.
   */
  readonly threads: readonly number[];
  /** Null: the CPU's ceiling is not measured. */
  readonly registers: Registers | null;
}

export interface PageResult {
  readonly rows: Row[];
  readonly ceiling: Ceiling;
  readonly adapter: string;
}

declare global {
  interface Window {
    /** `npm run bench` calls this. `onStage` receives the stages. */
    crispenBench?: (
      request: PageRequest,
      onStage?: (what: string) => unknown,
    ) => Promise<PageResult>;
  }
}

/** The same photo for all visitors: a sample of the demo. */
const PHOTO = './samples/cat.jpg';

/** Starts the page with Crispen's contenders and the given others, by numbers of threads. */
export function startPage(rivals: (threads: readonly number[]) => Contender[]): void {
  // Before any device is made.
  const gauge = 'gpu' in navigator ? new GpuGauge(globalThis) : null;

  async function bench(
    request: PageRequest,
    onStage: (what: string) => unknown = () => {},
    onRows: (rows: Row[], ceiling: Ceiling) => void = () => {},
  ): Promise<PageResult> {
    const adapter = await navigator.gpu?.requestAdapter({ powerPreference: 'high-performance' });
    if (!gauge || !adapter) throw new Error('This browser offers no WebGPU adapter.');
    const { vendor, architecture, device, description } = adapter.info;
    const shipped = modelOf(request.scale).file;
    const { url, name } = request.weights ?? { url: `./models/${shipped}`, name: shipped };
    const bytes = new Uint8Array(await (await load(url)).arrayBuffer());
    const { image } = await decodeImage(await (await load(PHOTO)).blob());
    const photo = toRgba8(image);
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
        weights: { bytes, name, shipped: !request.weights },
        ...(core !== null && { core }),
      },
      {
        onStage,
        onRows: (rows, measured) => {
          ceiling = measured;
          onRows(rows, measured);
        },
      },
    );
    if (!ceiling) throw new Error('Nothing was measured.');
    const names = [vendor, architecture, device, description].filter(Boolean);
    return { rows, ceiling, adapter: names.join(' ') };
  }

  window.crispenBench = (request, onStage) => bench(request, onStage);
  const find = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
  find<HTMLFormElement>('form').addEventListener('submit', async (event) => {
    event.preventDefault();
    const [status, start] = [find('status'), find<HTMLButtonElement>('start')];
    const [width, height] = find<HTMLSelectElement>('size').value.split('x').map(Number);
    start.disabled = true;
    try {
      const { adapter } = await bench(
        {
          engines: ['crispen-fused', 'crispen-unfused', 'crispen-f16'],
          sizes: [[width, height]],
          repeats: Math.max(1, find<HTMLInputElement>('repeats').valueAsNumber || 1),
          scale: 2,
          weights: null,
          threads: [],
          registers: null,
        },
        (what) => {
          status.textContent = `Measuring ${what}…`;
        },
        show,
      );
      status.textContent = `Done: ${adapter}`;
    } catch (error) {
      status.textContent = error instanceof Error ? error.message : String(error);
    } finally {
      start.disabled = false;
    }
  });

  function show(rows: Row[], ceiling: Ceiling): void {
    const table = find<HTMLTableElement>('table');
    table.replaceChildren();
    const line = (kind: 'th' | 'td', texts: readonly string[]) => {
      const row = table.insertRow();
      for (const text of texts) row.appendChild(document.createElement(kind)).textContent = text;
    };
    line('th', [...COLUMNS, '']);
    for (const row of rows) line('td', [...cells(row, rows), row.error ?? '']);
    table.hidden = false;
    find('ceiling').textContent = formatCeiling(ceiling, rows);
  }
}

/** @throws Error */
export async function load(url: string): Promise<Response> {
  const response = await fetch(new URL(url, document.baseURI));
  if (!response.ok) throw new Error(`${url} could not be loaded: status ${response.status}.`);
  return response;
}
