/**
 * npm run bench:cpu [-- --variant simd|relaxed] [--size N]
 *
 * Times each kind of layer of A2N x2 on the CPU backend against a register-only loop of the same
 * multiply-adds in the same run. Rounds of both alternate, and the best of each counts, so that other
 * work on the machine disturbs the ratio little.
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { CpuModel } from '../src/cpu/model.ts';
import { compileModule, supportedVariant, type VariantName } from '../src/cpu/module.ts';
import type { Step } from '../src/cpu/program.ts';
import { upscale } from '../src/cpu/upscale.ts';
import { assemble } from '../src/cpu/wat/assemble.ts';
import { a2n } from '../src/networks/a2n.ts';
import { readSafetensors } from '../src/weights/safetensors.ts';
import { picture } from '../test/pictures.ts';

const ROUNDS = 30;
/** Independent sums, enough to hide the latency of one another. */
const CHAINS = 12;
const LOOPS = 30_000;
/** Turns of the loop are written out so often, that counting them does not count. */
const UNROLLED = 4;

/** A module whose `peak` runs turns of `UNROLLED` * `CHAINS` multiply-adds of four numbers in registers. */
function peakText(relaxed: boolean): string {
  const chains = Array.from({ length: CHAINS }, (_, i) => `$a${i}`);
  const step = (sum: string) =>
    relaxed
      ? `(local.set ${sum} (f32x4.relaxed_madd (local.get $x) (local.get $w) (local.get ${sum})))`
      : `(local.set ${sum} (f32x4.add (f32x4.mul (local.get $x) (local.get $w)) (local.get ${sum})))`;
  const total = chains.map((sum) => `(local.get ${sum})`).reduce((a, b) => `(f32x4.add ${a} ${b})`);
  // x changes in each turn, so that no product can be computed once and for all.
  return `(module (func (export "peak") (param $n i32) (result f32)
    (local $x v128) (local $w v128) ${chains.map((sum) => `(local ${sum} v128)`).join(' ')}
    (local.set $w (v128.const f32x4 0.25 0.5 0.75 1))
    (loop $l
      (local.set $x (f32x4.splat (f32.convert_i32_s (local.get $n))))
      ${Array(UNROLLED).fill(chains.map(step).join('\n')).join('\n')}
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (f32x4.extract_lane 0 ${total})))`;
}

const sumOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

function kindOf({ op }: Step): string {
  if (op.op !== 'conv') return op.op;
  const { kernel, cIn, cOut, upsample } = op;
  return `conv ${kernel}x${kernel} ${cIn} -> ${cOut}${upsample > 1 ? `, nearest x${upsample}` : ''}`;
}

const { values } = parseArgs({
  options: { variant: { type: 'string' }, size: { type: 'string', default: '64' } },
});
setFlagsFromString('--experimental-wasm-relaxed-simd');
const variant = (values.variant ?? supportedVariant()) as VariantName;
const size = Number(values.size);
const bytes = await assemble(peakText(variant === 'relaxed'));
const { instance } = await WebAssembly.instantiate(bytes as Uint8Array<ArrayBuffer>);
const peak = instance.exports.peak as (loops: number) => number;
const network = a2n({ variant: 'a2n', scale: 2 });
const weights = readSafetensors(await readFile('public/models/a2n-x2.safetensors')).tensors;
const model = await CpuModel.load(network, weights, { module: await compileModule(variant) });
const image = picture(size, size);
const out = new Uint8ClampedArray(size * size * 16);

let peakMs = Number.POSITIVE_INFINITY;
let whole = Number.POSITIVE_INFINITY;
/** Least milliseconds of each step. */
const best = new Map<Step, number>();
await upscale(model, image);
for (let round = 0; round < ROUNDS; round++) {
  const before = performance.now();
  peak(LOOPS);
  peakMs = Math.min(peakMs, performance.now() - before);
  const started = performance.now();
  await model.run(
    image,
    image,
    {
      core: { x: 0, y: 0, width: size, height: size },
      to: { data: out, offset: 0, width: size * 2 },
    },
    {
      onStep(step, milliseconds) {
        best.set(step, Math.min(milliseconds, best.get(step) ?? milliseconds));
      },
    },
  );
  whole = Math.min(whole, performance.now() - started);
}
const layers = new Map<string, [Step, number][]>();
for (const entry of best) {
  const kind = kindOf(entry[0]);
  layers.set(kind, [...(layers.get(kind) ?? []), entry]);
}

const peakGflops = (2 * 4 * CHAINS * UNROLLED * LOOPS) / peakMs / 1e6;
console.log(
  `A2N x2 at ${size} x ${size}, ${variant}, one thread of Node ${process.versions.node}: ${Math.round(whole)} ms, ${Math.round(sumOf([...best.values()]))} by the best of each step; registers alone reach ${peakGflops.toFixed(1)} GFLOP/s`,
);
for (const [kind, steps] of layers) {
  const milliseconds = sumOf(steps.map(([, spent]) => spent));
  const multiplyAdds = sumOf(steps.map(([{ op }]) => op.multiplyAdds * size ** 2));
  const gflops = (2 * multiplyAdds) / milliseconds / 1e6;
  const speed =
    multiplyAdds === 0
      ? ''
      : `${gflops.toFixed(1).padStart(7)} GFLOP/s ${Math.round((100 * gflops) / peakGflops)
          .toString()
          .padStart(4)} %`;
  console.log(
    `${String(steps.length).padStart(3)} x ${kind.padEnd(30)}${milliseconds.toFixed(1).padStart(8)} ms${speed}`,
  );
}
