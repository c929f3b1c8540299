import type { EngineId } from '../../contender.ts';
import { COLUMNS } from '../../table.ts';

/**
 * All of the bench page's text in English. The other languages have the same keys. If a key also
 * exists in the demo's `page`, its text is the same in both.
 */
export const en = {
  /** The text in bench.html, by the keys in its `data-t` attributes. */
  page: {
    title: 'Crispen: how fast is this graphics card?',
    description: "Measures Crispen's kernels on your own graphics card.",
    links: 'Pages',
    demo: 'Demo',
    docs: 'Docs',
    bench: 'Bench',
    howFast: 'How fast is this graphics card?',
    intro:
      "This page enlarges part of a photo by two with the A2N network: with Crispen's kernels fused, unfused and in half precision. It compares their results first. Nothing is uploaded.",
    picture: 'Picture',
    repeats: 'Repeats',
    measure: 'Measure',
    progress: 'Progress',
    cancel: 'Cancel',
    results: 'Results',
    times: 'Time for one picture',
    timesNote: 'The median of all runs. Shorter is faster.',
    shares: 'Shares of the peak',
    figures: 'All figures',
    report: 'Report',
    reportNote: 'Copy this text into an issue, with the machine and all figures.',
    copy: 'Copy',
    licence: 'Licence',
    thirdParty: 'Third-party software',
    language: 'Language',
  },

  copied: 'Copied',
  /** Shown if copying is not allowed. The report is selected instead. */
  selected: 'Selected',

  engines: {
    'crispen-fused': 'Fused kernels',
    'crispen-unfused': 'One kernel per operation',
    'crispen-f16': 'Fused, half precision',
  } satisfies Partial<Record<EngineId, string>>,

  status: {
    ready: 'Ready.',
    noAdapter: 'This browser offers no WebGPU adapter, so there is nothing to measure.',
    measuring: (stage: string) => `Measuring ${stage}…`,
    done: 'Done.',
    cancelled: 'Cancelled.',
    /** `message` is in English. It comes from the library or the browser. */
    failed: (message: string) => `That did not work: ${message}`,
  },
  stages: {
    ceilings: 'the ceilings of the adapter',
    reference: 'the output that all are compared with',
    first: 'first run',
    run: (n: number, of: number) => `run ${n} of ${of}`,
    at: (size: string, engine: string, stage: string) => `${size}: ${engine}: ${stage}`,
  },
  adapter: (name: string) => `GPU: ${name}`,
  softwareAdapter: (name: string) =>
    `GPU: ${name}. This is a software renderer, which takes minutes.`,

  milliseconds: (n: string) => `${n} ms`,
  seconds: (n: string) => `${n} s`,
  summary: (width: number, height: number, time: string, megapixels: string) =>
    `${width} × ${height} pixels in ${time}: ${megapixels} megapixels a second`,
  notMeasured: (why: string) => `Not measured: ${why}`,
  noHalf: 'this GPU has no half precision (f16)',
  unknown: 'unknown',
  multiplyAdds: (engine: string) => `${engine}, multiply-adds`,
  memory: (engine: string) => `${engine}, memory`,
  peak: 'How much of this GPU’s measured peak each one reaches.',
  peakWithoutHalf:
    'How much of this GPU’s measured peak each one reaches. This GPU has no half precision.',
  /** The headings in the order of `COLUMNS`. */
  columns: COLUMNS as readonly string[],
};

export type Texts = typeof en;
