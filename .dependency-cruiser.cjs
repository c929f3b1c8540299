/**
 * The import arrows of ARCHITECTURE.md ("Rooms and import arrows"), two rooms deep.
 */
const room = (name) => `^src/${name}/`;
const only = (from, allowed) => ({
  name: `arrows-${from}`,
  severity: 'error',
  comment: `src/${from} may import only: ${allowed.join(', ') || 'nothing'}`,
  from: { path: room(from), pathNot: '\\.test\\.ts$' },
  to: {
    path: '^(src|demo|e2e|test|bench|scripts)/',
    pathNot: [room(from), '^src/(errors|geometry|options|srgb)\\.ts$', ...allowed.map(room)],
  },
});

/** The rooms of the engine; all of them may import its types and its meter of progress. */
const ENGINE = [
  ['compile', []],
  ['gpu', ['compile']],
  ['tile', ['compile', 'gpu']],
  ['tune', ['compile', 'gpu', 'engine.ts']],
  ['oracle', ['compile', 'gpu', 'tile', 'engine.ts', 'lowerFor.ts']],
  ['pipeline', ['compile', 'gpu', 'tile', 'tune', 'engine.ts', 'lowerFor.ts']],
];
const within = (room, from, allowed) => ({
  name: `arrows-${room}-${from}`,
  severity: 'error',
  comment: `src/${room}/${from} may import of src/${room} only: ${allowed.join(', ') || 'nothing'}`,
  from: { path: `^src/${room}/${from}/`, pathNot: '\\.test\\.ts$' },
  to: {
    path: `^src/${room}/`,
    pathNot: [
      `^src/${room}/(types|progress)\\.ts$`,
      ...[from, ...allowed].map((to) => `^src/${room}/${to}${to.endsWith('.ts') ? '$' : '/'}`),
    ],
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
          '^src/(cli|node)/',
          '^src/cpu/wat/',
          '^src/worker/worker\\.ts$',
          '^src/engine/public\\.ts$',
        ],
      },
      to: {},
    },
    {
      name: 'no-dead-worker-modules',
      severity: 'error',
      comment: 'What the worker does not reach is left over from an older design.',
      from: { path: '^src/worker/worker\\.ts$' },
      to: { path: '^src/worker/[^/]+$', pathNot: '(\\.test|/worker)\\.ts$', reachable: false },
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
        path: '^src/(graph|kernels|networks|catalog|weights|engine|image|metrics|codecs)/',
        pathNot: ['\\.test\\.ts$', '^src/codecs/(png/png16|avif/avif)\\.ts$'],
      },
      to: { dependencyTypes: ['npm', 'npm-dev', 'npm-optional', 'npm-peer', 'core'] },
    },
    only('graph', []),
    only('image', []),
    only('weights', []),
    only('metrics', ['image']),
    ...ENGINE.map(([from, allowed]) => within('engine', from, allowed)),
    within('worker', 'page', ['protocol.ts', 'trusted.ts', 'worker.ts']),
    {
      name: 'arrows-worker-side',
      severity: 'error',
      comment: 'What runs in the worker imports nothing of the page side.',
      from: { path: '^src/worker/[^/]+$', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/worker/page/' },
    },
    only('networks', ['graph', 'weights']),
    only('catalog', ['networks', 'image']),
    only('kernels', ['shaders', 'graph']),
    only('engine', ['graph', 'networks', 'kernels', 'weights', 'image']),
    only('cpu', ['graph', 'engine', 'kernels', 'weights', 'image', 'networks']),
    only('codecs', ['image']),
    only('worker', [
      'engine',
      'cpu',
      'catalog',
      'networks',
      'codecs',
      'metrics',
      'weights',
      'image',
      'graph',
    ]),
    only('element', ['worker', 'catalog', 'codecs']),
    only('node', ['worker', 'engine', 'cpu', 'catalog', 'networks', 'codecs', 'weights', 'image']),
    only('cli', [
      'node',
      'worker',
      'engine',
      // For `npm run shader`.
      'kernels',
      'cpu',
      'catalog',
      'networks',
      'codecs',
      'metrics',
      'weights',
      'image',
      'graph',
    ]),
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
