/** npm run bench:dawn: measures Crispen through Dawn in Node, on the machine's adapter. */
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { runCommand } from '../src/cli/command.ts';
import { openGpu } from '../src/node/driver.ts';
import { readImage } from '../src/node/images.ts';
import { PACKAGE_ROOT } from '../src/node/model.ts';
import { fromFloat32 } from '../src/weights/convert.ts';
import type { Tensor } from '../src/weights/tensor.ts';
import { writeSafetensors } from '../src/weights/writeSafetensors.ts';
import type { Ceiling } from './ceiling.ts';
import { CRISPEN_ENGINES } from './contender.ts';
import { crispenContenders } from './crispen.ts';
import { type GpuClasses, GpuGauge } from './gauge.ts';
import { COMMON_USAGE, parseOptions } from './options.ts';
import { toPlanar } from './photo.ts';
import { printResult } from './print.ts';
import { modelOf, runSession } from './session.ts';
import { stageLine } from './stage.ts';

const USAGE = `
npm run bench:dawn -- [options]

Times Crispen through Dawn (npm webgpu) on the machine's own adapter, or a software adapter where
there is none.
${COMMON_USAGE.replace('ENGINES', CRISPEN_ENGINES.join(', '))}
  --save FILE             pictures and outputs as safetensors, for bench/pytorch.py
`;

await runCommand(USAGE, async (args) => {
  const options = parseOptions(args, CRISPEN_ENGINES);
  const gpu = await openGpu();
  const gauge = new GpuGauge(globalThis as unknown as GpuClasses);
  const { description, vendor, architecture } = (await gpu.requestAdapter())!.info;
  const shipped = join(PACKAGE_ROOT, 'public/models', modelOf(options.scale).file);
  const file = options.weights ?? shipped;
  const weights = {
    bytes: new Uint8Array(await readFile(file)),
    name: basename(file),
    shipped: options.weights === null,
  };
  const photo = await readImage(join(PACKAGE_ROOT, 'public/samples/cat.jpg'));
  const saved = new Map<string, Tensor>();
  let ceiling: Ceiling | null = null;
  const rows = await runSession(
    options,
    crispenContenders(gpu),
    { gpu, gauge, photo, weights },
    {
      onStage: (stage) => console.error(stageLine(stage)),
      onRows: (_, measured) => {
        ceiling = measured;
      },
      onReference(image, output) {
        const { width, height } = image;
        const { scale } = options;
        const keep = (name: string, values: Float32Array, by: number) =>
          saved.set(
            `${name}.${width}x${height}`,
            fromFloat32(values, [1, 3, height * by, width * by], 'f32'),
          );
        keep('input', toPlanar(image, 1), 1);
        keep('output', output, scale);
      },
    },
  );
  if (options.save !== null) await writeFile(options.save, writeSafetensors(saved));
  const adapter = [vendor, architecture, description].filter(Boolean).join(' ');
  return printResult({ rows, ceiling: ceiling!, adapter }, options);
});
