/** Defines how bundlers divide the worker into chunks. */

/** Parts of the CPU backend that few visitors need. */
const RARE = ['averaged', 'crew', 'band', 'loops', 'moves', 'others', 'planar', 'sample', 'trace'];

/**
 * The code that runs networks on the CPU is a single file. Otherwise, bundlers would split the code
 * that it shares with its rare parts into small files. These parts are always loaded after the
 * file.
 */
const CPU = {
  name: 'cpu',
  includeDependenciesRecursively: false,
  test: new RegExp(
    `/src/(cpu/(?!generated/(simd|relaxed)|(${RARE.join('|')})\\.ts)|worker/(cpu|threads|trusted)\\.ts|kernels/vector/vector\\.reference\\.ts)`,
  ),
};

/**
 * Small modules that several lazily loaded chunks share. If each were a separate file, half of the
 * bytes would be overhead.
 */
const SHARED = {
  name: 'shared',
  test: /\/src\/(srgb|kernels\/nonlocal\/rows|engine\/gpu\/bound)\.ts$/,
};

/** The code that inspect() uses on both backends to read values from a run. */
const TRACE = {
  name: 'trace',
  includeDependenciesRecursively: false,
  test: /\/src\/(cpu|engine\/oracle)\/trace\.ts$/,
};

/**
 * The formats that the browser encodes. If each were a separate file, half of the bytes would be
 * overhead.
 */
const ENCODERS = {
  name: 'encoders',
  includeDependenciesRecursively: false,
  test: /\/src\/codecs\/(canvas|png\/png|(jpeg|webp)\/(jpeg|webp))\.ts$/,
};

/** Plain loops that the interpreter, the CPU backend and averaged tiles all use. */
const REFERENCES = {
  name: 'references',
  includeDependenciesRecursively: false,
  test: /\/src\/kernels\/(planar|steps|(conv\/conv|maps\/enlarge|pixels\/rgba8)\.reference)\.ts$/,
};

export const WORKER_CHUNKS = [CPU, SHARED, TRACE, ENCODERS, REFERENCES];
