import { stat } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { FORMATS } from '../codecs/formats.ts';
import { openBackend } from '../node/backend.ts';
import { Enlarger } from '../node/enlarger.ts';
import { formatOf, OUTPUT_FORMATS, readPicture } from '../node/images.ts';
import { findOutput, openSink, STDIO } from '../node/output.ts';
import { BULK_OPTIONS, BULK_USAGE, bulkCommand, isBulk } from './bulk/run.ts';
import { statusCommand } from './bulk/status.ts';
import { UsageError } from './command.ts';
import { autoWords, lineOf, RECOVERIES } from './line.ts';
import { NETWORK_USAGE } from './network.ts';
import { adapterName, clearProgress, IMAGE_OPTIONS, settingsOf, showProgress } from './settings.ts';
import { TILING_USAGE } from './tiling.ts';

const EXTENSIONS = Object.values(FORMATS)
  .map(({ extensions }) => extensions[0])
  .join(', ');

export const UPSCALE_USAGE = `
crispen INPUT OUTPUT [options]
crispen INPUT... --out DIR [options]
crispen status DIR [--json]

Enlarges or restores an image (JPEG, PNG, WebP, AVIF, GIF, TIFF). Colours stay as they are: the profile goes into the
output, a PNG of 16 bits becomes one of 16 bits. The output's extension chooses its format:
${EXTENSIONS}. "-" is standard input or standard output; what is reported of the run then goes to standard
error. Links are followed, permissions stay.

  --scale N        any factor up to 16, such as 2 or 2.7 (default: the model's own, else 2): the next
                   network's scale, then resized to the exact size. Above 4 there are several
                   passes, which add size but no true detail. Below 1 no network runs
  --width N, --height N, --fit WxH
                   instead of --scale: a side in pixels, or a box that the result fits into
  --method NAME    network or lanczos (default network)
  --task NAME      upscale (default); dejpeg removes JPEG artifacts, denoise removes noise. They keep
                   the image's size; with another size, the default models enlarge the result. With
                   --weights also dehalo, deband and deblur (default: by the file's name)
  --model ID       a shipped model, such as a2n-x2; at another scale, the model of the same family
                   (default: the best photo models). auto: the fast photo models if the best would
                   take more than 3 s for this picture on this machine
  --weights FILE   a weight file (.safetensors, .pth, .pt, .ckpt) of a network that Crispen knows. With
                   --model, it replaces the weights of that model
${NETWORK_USAGE}
  --device NAME    auto (default: a GPU, or else the CPU), gpu or cpu; with --out also all: every GPU
  --tune MODE      how kernels for the GPU are chosen: quick (default: a table, and after the image a
                   measurement of at most 250 ms of GPU time, kept for later runs), full (a
                   measurement of some seconds before the image, also kept) or off (the table)
  --threads N      threads on the CPU (default: one per core, at most 8)
${TILING_USAGE}
  --edge MODE      pixels beyond the border: zero (default; as networks were trained), replicate,
                   or wrap, for textures that tile
  --precision NAME precision of feature maps and weights on the GPU: auto (default: f16 for shipped
                   models if the GPU has it), f32 or f16
  --format NAME    ${OUTPUT_FORMATS.join(', ')} (default: by the extension of the output; png for standard
                   output, pipes and devices)
  --quality N      1 to 100, for all but PNG (default 92)
  --keep-metadata  copy EXIF and XMP to the result (not to AVIF)
  --json           print one line of JSON about the run
${BULK_USAGE}
  --help           this text
`;

/**
 * Returns whether the arguments are the command `status DIR`. They could instead name an input file
 * called `status` and an output file. They are the command if DIR is a folder or if no file named
 * `status` exists.
 */
async function isStatus([first, ...rest]: readonly string[]): Promise<boolean> {
  const [folder, ...more] = rest.filter((arg) => arg !== '--json');
  if (first !== 'status' || folder === undefined || more.length > 0) return false;
  const isFolder = async (path: string) => (await stat(path).catch(() => null))?.isDirectory();
  const isThere = async (path: string) => (await stat(path).catch(() => null)) !== null;
  return (await isFolder(folder)) || !(await isThere(first));
}

/** Runs the command `crispen`. */
export async function upscaleCommand(args: string[], signal?: AbortSignal): Promise<number> {
  if (await isStatus(args)) return statusCommand(args.slice(1));
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { ...IMAGE_OPTIONS, ...BULK_OPTIONS },
  });
  const settings = settingsOf(values);
  if (isBulk(values)) return bulkCommand(positionals, values, settings, signal);
  const [input, output, ...rest] = positionals;
  if (input === undefined || output === undefined || rest.length > 0) {
    throw new UsageError(
      'Name one input file and one output file, or several inputs and --out DIR.',
    );
  }
  if (input === STDIO && values.weights === STDIO) {
    throw new UsageError('The image and the weights cannot both come from standard input.');
  }
  const to = await findOutput(output, input);
  const format = settings.format ?? formatOf(to);
  // If the image is written to standard output, messages are printed to standard error.
  const say = to.kind === 'stdout' ? console.error : console.log;
  const picture = await readPicture(input, format);
  const { device, tiling, threads, tune, models, task, quality, keepsMetadata } = settings;
  if (device === 'all') throw new UsageError('--device all is for many pictures, with --out DIR.');
  const backend = await openBackend(device, tiling, threads, tune);
  try {
    const enlarger = new Enlarger(backend, models);
    const request = { ...task, format, quality, keepsMetadata, signal, onProgress: showProgress };
    const enlarged = await enlarger.enlarge(picture, () => openSink(to, signal), request);
    clearProgress();
    if (settings.json) {
      say(JSON.stringify({ ...lineOf(picture, enlarged), adapter: backend.adapter }));
    } else {
      const { plan, report } = enlarged;
      const name = to.kind === 'stdout' ? 'Standard output' : output;
      const by = report.passes.join(', then ') || 'Lanczos';
      const seconds = (report.milliseconds / 1000).toFixed(1);
      const { width, height } = plan.size;
      say(`${name}: ${width} x ${height}, ${by}, ${seconds} s on ${adapterName(backend.adapter)}`);
      const reason = plan.auto && autoWords(plan.auto);
      if (reason) say(reason);
      for (const note of picture.notes) say(note);
      if (report.slow) say('Plain loops ran parts of the network, which is slow.');
      for (const recovery of new Set(report.recovered)) say(RECOVERIES[recovery]);
      for (const assumption of plan.assumptions) say(`Assumed: ${assumption}.`);
    }
    if (enlarged.report.backend === 'webgpu') await backend.tune(signal);
    return 0;
  } finally {
    clearProgress();
    backend.close();
  }
}
