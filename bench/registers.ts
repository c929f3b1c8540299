/** Measures the maximum speed of one core in WebAssembly: multiply-adds in registers alone. */
import { supportedVariant, type VariantName } from '../src/cpu/module.ts';

/**
 * The number of independent sums, which is large enough for the sums to hide each other's latency.
 */
const CHAINS = 12;
const LOOPS = 30_000;
const ROUNDS = 200;
/** How often the loop is unrolled, which makes the cost of its counter negligible. */
const UNROLLED = 4;

/** Modules that contain the loop, in base64, by variant (`assembleRegisters`). */
export type Registers = Readonly<Record<VariantName, string>>;

/**
 * Generates a module's text. Its function `run` executes the loop n times. Each iteration has
 * `UNROLLED` * `CHAINS` multiply-adds of four numbers.
 */
export function registersText(relaxed: boolean): string {
  const chains = Array.from({ length: CHAINS }, (_, i) => `$a${i}`);
  const step = (sum: string) =>
    relaxed
      ? `(local.set ${sum} (f32x4.relaxed_madd (local.get $x) (local.get $w) (local.get ${sum})))`
      : `(local.set ${sum} (f32x4.add (f32x4.mul (local.get $x) (local.get $w)) (local.get ${sum})))`;
  const total = chains.map((sum) => `(local.get ${sum})`).reduce((a, b) => `(f32x4.add ${a} ${b})`);
  // x changes in each iteration, so no product can be computed in advance.
  return `(module (func (export "run") (param $n i32) (result f32)
    (local $x v128) (local $w v128) ${chains.map((sum) => `(local ${sum} v128)`).join(' ')}
    (local.set $w (v128.const f32x4 0.25 0.5 0.75 1))
    (loop $l
      (local.set $x (f32x4.splat (f32.convert_i32_s (local.get $n))))
      ${Array(UNROLLED).fill(chains.map(step).join('\n')).join('\n')}
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (f32x4.extract_lane 0 ${total})))`;
}

/**
 * Returns a function that runs one round of the loop and returns the calling thread's multiply-adds
 * per second. A round takes a third of a millisecond.
 */
export async function openRegisters(
  registers: Registers,
  variant: VariantName,
): Promise<() => number> {
  const bytes = Uint8Array.from(atob(registers[variant]), (c) => c.charCodeAt(0));
  const { instance } = await WebAssembly.instantiate(bytes);
  const run = instance.exports.run as (loops: number) => number;
  return () => {
    const started = performance.now();
    run(LOOPS);
    return (4 * CHAINS * UNROLLED * LOOPS * 1000) / (performance.now() - started);
  };
}

/**
 * Returns the multiply-adds per second that one core reaches with its best variant, in the best of
 * several rounds.
 */
export async function measureCore(registers: Registers): Promise<number> {
  const variant = supportedVariant();
  if (variant === null) throw new Error('There is no WebAssembly SIMD here.');
  const round = await openRegisters(registers, variant);
  return Math.max(...Array.from({ length: ROUNDS }, round));
}
