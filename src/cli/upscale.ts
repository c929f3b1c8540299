import { parseArgs } from 'node:util';
import type { AdapterReport, Progress } from '../engine/types.ts';
import { DEVICES, openBackend } from './backend.ts';
import { choice, inputRangeOf, positiveInteger, UsageError } from './command.ts';
import { checkOutput, readImage, writeImage } from './images.ts';
import { chooseModel } from './model.ts';

export const UPSCALE_USAGE = `
crispen INPUT OUTPUT [options]

Enlarges an image (JPEG, PNG, WebP). The output's extension chooses its format: png, jpg, webp.

  --scale N        2, 3 or 4 (default: the model's, else 2); with --weights where the file cannot tell
  --model ID       a shipped model, such as a2n-x2 (default: the photo model of the scale)
  --weights FILE   a weight file (.safetensors, .pth, .pt, .ckpt) of a network that Crispen knows; with
                   --model in place of that model's weights
  --input-range N  the largest value of the network's input, where it is not the usual 1 or 255
  --device NAME    gpu or cpu (default gpu; cpu is very slow)
  --json           print one line of JSON about the run
  --help           this text
`;

/** The command `crispen`. */
export async function upscaleCommand(args: string[], signal?: AbortSignal): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      scale: { type: 'string' },
      model: { type: 'string' },
      weights: { type: 'string' },
      'input-range': { type: 'string' },
      device: { type: 'string', default: 'gpu' },
      json: { type: 'boolean', default: false },
    },
  });
  const [input, output, ...rest] = positionals;
  if (input === undefined || output === undefined || rest.length > 0) {
    throw new UsageError('Name one input file and one output file.');
  }
  const device = choice('--device', values.device, DEVICES);
  const scale = values.scale === undefined ? undefined : positiveInteger('--scale', values.scale);
  await checkOutput(output, input);
  const model = await chooseModel({
    model: values.model,
    weights: values.weights,
    scale,
    inputRange: inputRangeOf(values['input-range']),
  });
  const image = await readImage(input);

  const backend = await openBackend(device);
  try {
    const upscale = await backend.load(model.network, model.weights);
    const { image: result, report } = await upscale(image, { signal, onProgress: showProgress });
    clearProgress();
    await writeImage(output, result);
    if (values.json) {
      const line = {
        backend: report.backend,
        adapter: backend.adapter,
        model: model.name,
        scale: model.network.scale,
        input: [image.width, image.height],
        output: [result.width, result.height],
        milliseconds: Math.round(report.milliseconds),
        tiles: report.tiles,
        statistics: report.statistics,
        approximate: report.approximate,
      };
      console.log(JSON.stringify(line));
    } else {
      const seconds = (report.milliseconds / 1000).toFixed(1);
      console.log(
        `${output}: ${result.width} x ${result.height}, ${model.name}, ${seconds} s on ${adapterName(backend.adapter)}`,
      );
    }
    return 0;
  } finally {
    clearProgress();
    backend.close();
  }
}

/** A line for people: what the driver says of itself. */
export function adapterName(adapter: AdapterReport | null): string {
  if (adapter === null) return 'the CPU';
  const name = adapter.description || adapter.device || adapter.architecture || adapter.vendor;
  return adapter.isFallbackAdapter ? `${name} (software, slow)` : name || 'the GPU';
}

function showProgress({ fraction, remainingMs }: Progress): void {
  if (!process.stderr.isTTY) return;
  const left = remainingMs === null ? '' : `, ${Math.ceil(remainingMs / 1000)} s left`;
  process.stderr.write(`\r\x1b[K${Math.floor(fraction * 100)} %${left}`);
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}
