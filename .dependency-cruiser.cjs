/**
 * The import arrows of ARCHITECTURE.md. A room may import only what stands to its left:
 *   graph, weights <- models; shaders <- kernels; image <- metrics
 *   graph, models, kernels, weights, image <- engine; all of these, codecs <- worker <- element <- demo
 */
const room = (name) => `^src/${name}/`;
const only = (from, allowed) => ({
  name: `arrows-${from}`,
  severity: 'error',
  comment: `src/${from} may import only: ${allowed.join(', ') || 'nothing'}`,
  from: { path: room(from), pathNot: '\\.test\\.ts$' },
  to: {
    path: '^(src|demo|e2e|test|bench|scripts)/',
    pathNot: [room(from), '^src/(errors|geometry|options)\\.ts$', ...allowed.map(room)],
  },
});

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: {
        orphan: true,
        path: '^src/',
        pathNot: [
          '\\.d\\.ts$',
          '\\.test\\.ts$',
          '^src/cli/',
          '^src/worker/worker\\.ts$',
          '^src/engine/public\\.ts$',
        ],
      },
      to: {},
    },
    {
      name: 'no-unresolvable',
      severity: 'error',
      from: { path: '^(src|demo)/', pathNot: '^demo/docs/recipes/' },
      to: { couldNotResolve: true, pathNot: ['\\?raw$', '\\?url$', '\\?worker'] },
    },
    {
      name: 'core-without-packages',
      severity: 'error',
      comment: 'The core has no runtime dependency; codecs that load when needed bundle theirs.',
      from: {
        path: '^src/(graph|kernels|models|weights|engine|image|metrics|codecs)/',
        pathNot: ['\\.test\\.ts$', '^src/codecs/(png16|avif)\\.ts$'],
      },
      to: { dependencyTypes: ['npm', 'npm-dev', 'npm-optional', 'npm-peer', 'core'] },
    },
    only('graph', []),
    only('image', []),
    only('weights', []),
    only('metrics', ['image']),
    only('models', ['graph', 'weights']),
    only('kernels', ['shaders', 'graph']),
    only('engine', ['graph', 'models', 'kernels', 'weights', 'image']),
    only('codecs', ['image']),
    only('worker', ['engine', 'codecs', 'metrics', 'models', 'weights', 'image', 'graph']),
    only('element', ['worker', 'models', 'codecs']),
    only('cli', ['worker', 'engine', 'codecs', 'metrics', 'models', 'weights', 'image', 'graph']),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.mjs', '.js'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'types'],
    },
  },
};
