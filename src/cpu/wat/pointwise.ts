import { KINDS } from '../records.ts';
import {
  add,
  advance,
  call,
  countDown,
  fieldsOf,
  get,
  int,
  leaky,
  lines,
  load,
  locals,
  loopTo,
  type MultiplyAdd,
  rowAt,
  rowFunction,
  set,
  store,
  vadd,
  vmul,
  vsub,
} from './text.ts';

const splat = (value: number): string =>
  `(v128.const f32x4 ${Array(4).fill(value.toString()).join(' ')})`;

/**
 * Generates code that computes a polynomial of `$<x>` and stores the result in `$<sum>`. The
 * coefficient of the highest power is first.
 */
const polynomial = (
  madd: MultiplyAdd,
  sum: string,
  x: string,
  [first, ...others]: readonly number[],
): string =>
  lines(
    set(sum, splat(first)),
    ...others.map((term) => set(sum, madd(get(sum), get(x), splat(term)))),
  );

/**
 * 1.5 * 2^23 plus the bias of the exponent. The last bits of `v + MAGIC` are those of the integer
 * `round(v) + 127`.
 */
const MAGIC = 12582912 + 127;

/**
 * Generates code that sets `$y` to `exp($r)`, with an error of at most two units in the last place.
 * `$r` is split into `n * ln(2) + r`, where `n` is an integer. A polynomial (Cephes expf) computes
 * `e^r`, and `n` becomes the exponent. `$r` is first clamped to -87.3..46. Sigmoids are therefore
 * at least 1e-20, and products with them are not subnormal. Intel CPUs need about 150 cycles for an
 * operation on a subnormal number. NaN stays NaN.
 */
const expText = (madd: MultiplyAdd): string =>
  lines(
    set('r', `(f32x4.pmin (f32x4.pmax ${get('r')} ${splat(-87.3)}) ${splat(46)})`),
    set('n', madd(get('r'), splat(Math.LOG2E), splat(MAGIC))),
    set('y', `(i32x4.shl ${get('n')} ${int(23)})`),
    set('n', vsub(get('n'), splat(MAGIC))),
    set('r', madd(get('n'), splat(-0.693359375), get('r'))),
    set('r', madd(get('n'), splat(2.1219444e-4), get('r'))),
    polynomial(
      madd,
      'n',
      'r',
      [
        1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1,
        5.0000001201e-1, 1, 1,
      ],
    ),
    set('y', vmul(get('y'), get('n'))),
  );

const isKind = (kind: number): string => `(i32.eq ${get('kind')} ${int(kind)})`;
const returnFor = (kind: number, value: string): string =>
  `(if ${isKind(kind)} (then (return ${value})))`;

/**
 * Generates the function for the activations without a slope. `$kind` selects the activation. GELU
 * uses an approximation of `erf` with an error of at most 1.5e-7 (Abramowitz and Stegun, 7.1.26).
 */
const specialText = (madd: MultiplyAdd): string => {
  const half = vmul(get('v'), splat(0.5));
  const erf = `(v128.bitselect ${vsub(splat(1), vmul(get('s'), get('y')))} ${get('v')}
    (v128.const i32x4 0x7fffffff 0x7fffffff 0x7fffffff 0x7fffffff))`;
  return `(func $special (param $kind i32) (param $v v128) (result v128)
${locals('v128', ['s', 't', 'n', 'r', 'y'])}
(if (result v128) ${isKind(KINDS.gelu)}
  (then
    ${set('r', `(f32x4.pmin ${vmul(`(f32x4.abs ${get('v')})`, splat(Math.SQRT1_2))} ${splat(6)})`)}
    ${set('t', `(f32x4.div ${splat(1)} ${madd(get('r'), splat(0.3275911), splat(1))})`)}
    ${polynomial(madd, 's', 't', [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592])}
    ${set('s', vmul(get('s'), get('t')))}
    (f32x4.neg ${vmul(get('r'), get('r'))}))
  (else (f32x4.neg ${get('v')})))
(local.set $r)
${expText(madd)}
${returnFor(KINDS.gelu, vmul(half, vadd(splat(1), erf)))}
${set('s', `(f32x4.div ${splat(1)} ${vadd(splat(1), get('y'))})`)}
${returnFor(KINDS.silu, vmul(get('v'), get('s')))}
${returnFor(KINDS.centredSigmoid, vsub(get('s'), splat(0.5)))}
${get('s')})`;
};

/** Generates the function `pointwise` (see `RECORDS` in `records.ts`). */
export function pointwiseText(madd: MultiplyAdd): string {
  const field = fieldsOf('pointwise');
  const operands = ['a', 'm', 'r', 'y'] as const;
  const skips = ['aSkip', 'mSkip', 'rSkip', 'ySkip'] as const;
  const kinds = ['kind0', 'kind1'] as const;
  const activate = (kind: (typeof kinds)[number], slope: string) =>
    `(if ${get(kind)} (then ${set('v', call('special', get(kind), get('v')))})
      (else ${set('v', leaky(get('v'), slope, madd))}))`;
  const body = lines(
    ...operands.map((name) => set(name, rowAt(field(name), field(`${name}Row`)))),
    set('x', field('width')),
    countDown(
      'x',
      set('c', int(0)),
      set('slopes', field('slopes')),
      loopTo(
        'c',
        16,
        get('bytes'),
        set('v', load(get('a'))),
        activate('kind0', load(add(get('slopes'), get('c')))),
        set('v', vmul(get('v'), load(get('m')))),
        set('v', madd(get('factorR'), load(get('r')), vmul(get('v'), get('factorA')))),
        activate('kind1', get('slope1')),
        store(get('y'), get('v')),
        ...operands.map((name) => advance(name, int(16))),
      ),
      ...operands.map((name) => advance(name, get(`${name}Skip`))),
    ),
  );
  const declared = lines(
    locals('i32', [...operands, ...skips, 'x', 'c', 'slopes', ...kinds, 'bytes']),
    locals('v128', ['v', 'factorA', 'factorR', 'slope1']),
    ...[...skips, ...kinds].map((name) => set(name, field(name))),
    set('bytes', field('channelBytes')),
    set('factorA', `(v128.load32_splat ${field('factorA')})`),
    set('factorR', `(v128.load32_splat ${field('factorR')})`),
    set('slope1', field('slope1').replace('i32.load', 'v128.load32_splat')),
  );
  return lines(specialText(madd), rowFunction('pointwise', declared, body));
}
