/**
 * Formats a section of the report for people: its name, its result, and the reason if it failed.
 */

/** The maximum number of measurements and kernels to list per section. */
const MOST = 6;

/**
 * @param {string} name
 * @param {any} entry {seconds, result, error} or {skipped}
 * @returns {string[]}
 */
export function linesOf(name, { seconds, result, error, skipped }) {
  const head = skipped === undefined ? `${name}: ${seconds} s` : `${name}: skipped, ${skipped}`;
  const found = result == null ? [] : detailsOf(name.split(' ')[0], result);
  const failed = error === undefined ? [] : [`failed: ${String(error).split('\n')[0]}`];
  return [head, ...[...found, ...failed].map((line) => `  ${line}`)];
}

/**
 * @param {string} section
 * @param {any} result
 * @returns {string[]}
 */
function detailsOf(section, result) {
  switch (section) {
    case 'adapter':
      return adapterLines(result);
    case 'tests':
      return [
        `${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped`,
        ...result.failures.map((/** @type {any} */ { test, why }) => `${test}: ${firstLine(why)}`),
      ];
    case 'tuning':
      return tuningLines(result);
    case 'profile':
      return profileLines(result);
    default:
      return result.map(rowLine);
  }
}

/** @param {any} adapter */
function adapterLines({ vendor, architecture, description, features, matrices }) {
  const units = matrices.map(
    (/** @type {any} */ { componentType, resultComponentType, M, N, K }) =>
      `${M} x ${N} x ${K} ${componentType} in ${resultComponentType}`,
  );
  return [
    [vendor, architecture, description].filter(Boolean).join(', '),
    features.includes('shader-f16') ? 'has f16' : 'has no f16',
    `matrices: ${units.join('; ') || 'none'}`,
  ];
}

/** Lists each layer's fastest variants. `best` is missing if tuning was stopped. */
function tuningLines(/** @type {any} */ { measurements, best }) {
  /** @type {Map<string, any[]>} */
  const layers = new Map();
  for (const one of measurements) {
    const key = `${one.kernel} ${one.element} ${one.width}x${one.height}`;
    layers.set(key, [...(layers.get(key) ?? []), one]);
  }
  const lines = [...layers].map(([key, all]) => {
    const right = all.filter(({ milliseconds }) => milliseconds !== null);
    const times = right
      .toSorted((a, b) => a.milliseconds - b.milliseconds)
      .slice(0, MOST)
      .map(({ variant, milliseconds }) => `${variant} ${milliseconds.toFixed(3)} ms`);
    const wrong = all
      .filter(({ error }) => error !== null)
      .map(({ variant, error }) => `${variant}: ${firstLine(error)}`);
    return `${key}: ${[...times, ...wrong].join(', ')}`;
  });
  return best ? [...lines, `best: ${JSON.stringify(best)}`] : lines;
}

/** @param {any} profile */
function profileLines({ model, size, precision, fuse, conv, clock, kernels }) {
  const sum = kernels.reduce(
    (/** @type {number} */ ms, /** @type {any} */ { milliseconds }) => ms + milliseconds,
    0,
  );
  return [
    `${model} at ${size.width}x${size.height} in ${precision}, ${fuse}, ${conv}: ${sum.toFixed(2)} ms by ${clock}`,
    ...kernels
      .slice(0, MOST)
      .map(
        (/** @type {any} */ { kernel, steps, milliseconds, multiplyAddShare }) =>
          `${kernel}, ${steps} steps: ${milliseconds.toFixed(2)} ms${multiplyAddShare === null ? '' : `, ${(multiplyAddShare * 100).toFixed(1)} % of the peak`}`,
      ),
  ];
}

/** Formats a result row from the bench or from PyTorch. @param {any} row */
function rowLine({ engine, width, height, medianMs, firstMs, maxAbsDiff, error }) {
  const what = `${engine} ${width}x${height}: `;
  if (error !== undefined || medianMs === null) return what + firstLine(error ?? 'not timed');
  return `${what}${medianMs.toFixed(2)} ms, the first ${firstMs.toFixed(0)} ms, off by ${maxAbsDiff.toExponential(1)}`;
}

const firstLine = (/** @type {unknown} */ text) => String(text).split('\n')[0];
