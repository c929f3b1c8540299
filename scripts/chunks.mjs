/** How bundlers divide the worker. */

/** Parts of the CPU backend that few visitors need. */
const RARE = ['averaged', 'crew', 'band', 'loops', 'moves', 'others', 'planar', 'sample', 'trace'];

/**
 * What runs networks on the CPU is one file. By themselves, bundlers make small ones of what it
 * shares with its rare parts, which are all loaded after it.
 */
const CPU = {
  name: 'cpu',
  includeDependenciesRecursively: false,
  test: new RegExp(
    `/src/(cpu/(?!generated/(simd|relaxed)|(${RARE.join('|')})\\.ts)|worker/(cpu|threads|trusted)\\.ts|kernels/vector/vector\\.reference\\.ts)`,
  ),
};

/** Small modules that several lazily loaded chunks share. Each alone would be half overhead. */
const SHARED = {
  name: 'shared',
  test: /\/src\/(srgb|kernels\/nonlocal\/rows|engine\/gpu\/bound)\.ts$/,
};

/** What inspect() reads from a run, on either backend. */
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
