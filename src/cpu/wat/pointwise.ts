import { KINDS } from '../records.ts';
import {
  advance,
  field,
  get,
  int,
  leaky,
  lines,
  locals,
  type MultiplyAdd,
  rowFunction,
  rowOf,
  set,
} from './text.ts';

const splat = (value: number): string =>
  `(v128.const f32x4 ${Array(4).fill(value.toString()).join(' ')})`;

/**
 * Computes `exp(v)` with an error of at most two units in the last place. `v` is split into
 * `n * ln(2) + r`, where `n` is an integer. A polynomial (Cephes expf) computes `e^r`, and `n`
 * becomes the exponent. `v` is clamped so that the result is in the range of f32. NaN stays NaN.
 */
const expText = (madd: MultiplyAdd): string => `(func $exp (param $v v128) (result v128)
${locals('v128', ['n', 'r', 'y'])}
${set('v', `(f32x4.pmin (f32x4.pmax ${get('v')} ${splat(-87.3)}) ${splat(88.3)})`)}
${set('n', `(f32x4.nearest (f32x4.mul ${get('v')} ${splat(Math.LOG2E)}))`)}
${set('r', madd(get('n'), splat(-0.693359375), get('v')))}
${set('r', madd(get('n'), splat(2.1219444e-4), get('r')))}
${set('y', splat(1.98756915e-4))}
${[1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1, 1, 1]
  .map((term) => set('y', madd(get('y'), get('r'), splat(term))))
  .join('\n')}
(f32x4.mul ${get('y')} (i32x4.shl (i32x4.add (i32x4.trunc_sat_f32x4_s ${get('n')}) (v128.const i32x4 127 127 127 127)) (i32.const 23))))`;

/** Computes `erf(v)` with an error of at most 1.5e-7 (Abramowitz and Stegun, 7.1.26). */
const erfText = (madd: MultiplyAdd): string => `(func $erf (param $v v128) (result v128)
${locals('v128', ['a', 't', 's'])}
${set('a', `(f32x4.pmin (f32x4.abs ${get('v')}) ${splat(6)})`)}
${set('t', `(f32x4.div ${splat(1)} ${madd(get('a'), splat(0.3275911), splat(1))})`)}
${set('s', splat(1.061405429))}
${[-1.453152027, 1.421413741, -0.284496736, 0.254829592]
  .map((term) => set('s', madd(get('s'), get('t'), splat(term))))
  .join('\n')}
${set('s', `(f32x4.mul (f32x4.mul ${get('s')} ${get('t')}) (call $exp (f32x4.neg (f32x4.mul ${get('a')} ${get('a')}))))`)}
(v128.bitselect (f32x4.sub ${splat(1)} ${get('s')}) ${get('v')} (v128.const i32x4 0x7fffffff 0x7fffffff 0x7fffffff 0x7fffffff)))`;

/** Generates the function for the activations without a slope. `$kind` selects the activation. */
const specialText = (): string => `(func $special (param $kind i32) (param $v v128) (result v128)
(local $s v128)
(if (i32.eq ${get('kind')} ${int(KINDS.gelu)}) (then (return (f32x4.mul (f32x4.mul ${get('v')} ${splat(0.5)})
  (f32x4.add ${splat(1)} (call $erf (f32x4.mul ${get('v')} ${splat(Math.SQRT1_2)})))))))
${set('s', `(f32x4.div ${splat(1)} (f32x4.add ${splat(1)} (call $exp (f32x4.neg ${get('v')}))))`)}
(if (i32.eq ${get('kind')} ${int(KINDS.silu)}) (then (return (f32x4.mul ${get('v')} ${get('s')}))))
(if (i32.eq ${get('kind')} ${int(KINDS.centredSigmoid)}) (then (return (f32x4.sub ${get('s')} ${splat(0.5)}))))
${get('s')})`;

/** Generates the function `pointwise` (see `RECORDS` in `records.ts`). */
export function pointwiseText(madd: MultiplyAdd): string {
  const operands = ['a', 'm', 'r', 'y'] as const;
  const activate = (kind: 'kind0' | 'kind1', slope: string) =>
    `(if ${get(kind)} (then ${set('v', `(call $special ${get(kind)} ${get('v')})`)})
      (else ${set('v', leaky(get('v'), slope, madd))}))`;
  const body = lines(
    ...operands.map((name) => set(name, rowOf('pointwise', name, `${name}Row`))),
    set('x', field('pointwise', 'width')),
    `(loop $pixels
    ${set('c', int(0))}
    ${set('slopes', field('pointwise', 'slopes'))}
    (loop $channels
      ${set('v', `(v128.load ${get('a')})`)}
      ${activate('kind0', `(v128.load (i32.add ${get('slopes')} ${get('c')}))`)}
      ${set('v', `(f32x4.mul ${get('v')} (v128.load ${get('m')}))`)}
      ${set('v', madd(get('factorR'), `(v128.load ${get('r')})`, `(f32x4.mul ${get('v')} ${get('factorA')})`))}
      ${activate('kind1', get('slope1'))}
      (v128.store ${get('y')} ${get('v')})
      ${operands.map((name) => advance(name, int(16))).join('\n')}
      (br_if $channels (i32.lt_s (local.tee $c (i32.add (local.get $c) (i32.const 16))) ${get('bytes')})))
    ${operands.map((name) => advance(name, get(`${name}Skip`))).join('\n')}
    (br_if $pixels (local.tee $x (i32.sub (local.get $x) (i32.const 1)))))`,
  );
  const declared = lines(
    locals('i32', [...operands, ...operands.map((name) => `${name}Skip`)]),
    locals('i32', ['x', 'c', 'slopes', 'kind0', 'kind1', 'bytes']),
    locals('v128', ['v', 'factorA', 'factorR', 'slope1']),
    ...operands.map((name) => set(`${name}Skip`, field('pointwise', `${name}Skip`))),
    set('kind0', field('pointwise', 'kind0')),
    set('kind1', field('pointwise', 'kind1')),
    set('bytes', field('pointwise', 'channelBytes')),
    set('factorA', `(v128.load32_splat ${field('pointwise', 'factorA')})`),
    set('factorR', `(v128.load32_splat ${field('pointwise', 'factorR')})`),
    set('slope1', field('pointwise', 'slope1').replace('i32.load', 'v128.load32_splat')),
  );
  return lines(
    expText(madd),
    erfText(madd),
    specialText(),
    rowFunction('pointwise', declared, body),
  );
}
