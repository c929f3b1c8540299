/** Defines how bundlers divide the worker into chunks. */

/** Parts of the CPU backend that few visitors need. */
const RARE = ['averaged', 'crew', 'band', 'loops', 'moves', 'others', 'planar', 'sample', 'trace'];

/**
 * The code that runs networks on the CPU is one file. Otherwise, bundlers would make small files of
 * the code that it shares with its rare parts. These parts are all loaded after it.
 */
const CPU = {
  name: 'cpu',
  includeDependenciesRecursively: false,
  test: new RegExp(
    `/src/(cpu/(?!generated/(simd|relaxed)|(${RARE.join('|')})\\.ts)|worker/(cpu|threads|trusted)\\.ts|kernels/vector/vector\\.reference\\.ts)`,
  ),
};

/**
 * Small modules that several lazily loaded chunks share. In separate files, half of the bytes would
 * be overhead.
 */
const SHARED = {
  name: 'shared',
  test: /\/src\/(srgb|kernels\/nonlocal\/rows|engine\/gpu\/bound)\.ts$/,
};

/** The code with which inspect() reads values from a run, on both backends. */
const TRACE = {
  name: 'trace',
  includeDependenciesRecursively: false,
  test: /\/src\/(cpu|engine\/oracle)\/trace\.ts$/,
};

/** The formats that the browser encodes. Each alone would be half overhead. */
const ENCODERS = {
  name: 'encoders',
  includeDependenciesRecursively: false,
  test: /\/src\/codecs\/(canvas|png\/png|(jpeg|webp)\/(jpeg|webp))\.ts$/,
};

/** Plain loops that the interpreter, the CPU backend and averaged tiles share. */
const REFERENCES = {
  name: 'references',
  includeDependenciesRecursively: false,
  test: /\/src\/kernels\/(planar|steps|(conv\/conv|maps\/enlarge|pixels\/rgba8)\.reference)\.ts$/,
};

export const WORKER_CHUNKS = [CPU, SHARED, TRACE, ENCODERS, REFERENCES];
