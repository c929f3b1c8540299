/** npm run profile: prints how long a network runs on the GPU, kernel by kernel. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { choice, positiveInteger, runCommand, UsageError } from '../src/cli/command.ts';
import { CONV_VARIANTS, type ConvMethod } from '../src/engine/tune/tuning.ts';
import { openGpu } from '../src/node/driver.ts';
import { readImage } from '../src/node/images.ts';
import { chooseModel, PACKAGE_ROOT } from '../src/node/model.ts';
import { measureCeiling } from './ceiling.ts';
import { formatProfile, profile } from './kernels.ts';
import { withOwnMaps } from './ownMaps.ts';
import { cropPhoto } from './photo.ts';
import { inTurn, type Turns } from './turns.ts';

const LEVELS = ['none', 'ops', 'blocks'] as const;
const METHODS = [
  ...(Object.keys(CONV_VARIANTS) as (keyof typeof CONV_VARIANTS)[]),
  'quad',
] as const;

const USAGE = `
npm run profile -- [options]

Times each kernel of a network on the GPU at hand, by timestamp queries where the GPU has them, else from
submission to completion; sums them up by kind, with multiply-adds and bytes per second in parts of what
the GPU does at best, and the vectors that the loops load per multiply-add from storage, uniform and
workgroup memory, counted on the source. Each step runs by itself: steps that would overlap take longer here.

  --model ID              default a2n-x2
  --weights FILE          instead: a weight file of a network that Crispen knows
  --size WxH              of the LR picture, default 128x128
  --precision f32|f16     of maps and weights, default f32
  --fuse none|ops|blocks  level of fusion, default what the engine chooses
  --conv V                of ${METHODS.join(', ')}; default what the engine chooses
  --repeats N             of each step, the median counts; default 5
  --own-maps              of ASID: times it again with attention maps of each block, from the same weights, and then
                          whole pictures of both in turn, on the GPU and on one thread of the CPU
  --against ID            instead: times whole pictures of this model and of the given one in turn
  --threads N             with --against: on N threads of the CPU instead of the GPU
  --json                  one JSON object instead of the table`;

await runCommand(USAGE, async (args) => {
  const { values } = parseArgs({
    args,
    options: {
      model: { type: 'string' },
      weights: { type: 'string' },
      size: { type: 'string', default: '128x128' },
      precision: { type: 'string', default: 'f32' },
      fuse: { type: 'string' },
      conv: { type: 'string' },
      repeats: { type: 'string', default: '5' },
      'own-maps': { type: 'boolean', default: false },
      against: { type: 'string' },
      threads: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const [, width, height] = /^(\d+)x(\d+)$/.exec(values.size) ?? [];
  if (width === undefined || height === undefined) {
    throw new UsageError(`--size takes a size such as 128x96, not "${values.size}".`);
  }
  const size = {
    width: positiveInteger('--size', width),
    height: positiveInteger('--size', height),
  };
  const precision = choice('--precision', values.precision, ['f32', 'f16'] as const);
  const fuse = values.fuse === undefined ? undefined : choice('--fuse', values.fuse, LEVELS);
  const conv: ConvMethod | undefined =
    values.conv === undefined ? undefined : choice('--conv', values.conv, METHODS);
  const repeats = positiveInteger('--repeats', values.repeats);
  const threads =
    values.threads === undefined ? undefined : positiveInteger('--threads', values.threads);
  const { network, weights, name } = await chooseModel({
    weights: values.weights,
    model: values.model ?? (values.weights === undefined ? 'a2n-x2' : undefined),
  });
  const photo = await readImage(join(PACKAGE_ROOT, 'public/samples/cat.jpg'));
  const image = cropPhoto(photo, size.width, size.height);
  const time = async (devices: readonly ('gpu' | 'cpu')[], tasks: Parameters<typeof inTurn>[1]) => {
    for (const device of devices) {
      const turns = await inTurn(device, tasks, image, repeats, threads);
      for (const turn of turns) {
        console.log(
          values.json ? JSON.stringify({ device, ...turn }) : turnLine(device, turn, turns[0]),
        );
      }
    }
  };
  if (values.against !== undefined) {
    const other = await chooseModel({ model: values.against });
    await time([threads === undefined ? 'gpu' : 'cpu'], [other, { network, weights, name }]);
    return 0;
  }
  const gpu = await openGpu();
  const ceiling = await measureCeiling(gpu);
  const task = { name, network, weights, size, precision, repeats, fuse, conv };
  const tasks = [task];
  if (values['own-maps']) {
    const own = withOwnMaps(network, weights);
    tasks.push({ ...task, ...own, name: `${name} with maps of each block` });
  }
  for (const each of tasks) {
    const result = await profile(gpu, each, ceiling);
    console.log(values.json ? JSON.stringify(result) : formatProfile(result));
  }
  if (values['own-maps']) await time(['gpu', 'cpu'], tasks);
  return 0;
});

function turnLine(device: string, turn: Turns, first: Turns): string {
  const [clock, cpu] = (['milliseconds', 'cpuMilliseconds'] as const).map((of) => {
    const share = (turn[of] / first[of]) * 100;
    return `${turn[of].toFixed(0).padStart(7)} ms (${share.toFixed(1).padStart(5)} %)`;
  });
  return `a picture on the ${device}: ${clock}, ${cpu} of all processors: ${turn.name}`;
}
