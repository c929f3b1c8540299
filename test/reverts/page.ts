import type { Revert } from './revert.ts';

const DEMO = 'e2e/demo.test.ts';
const QUEUE = 'e2e/queue.test.ts';
const LAYOUT = 'e2e/layout.test.ts';
const PICTURE = 'e2e/element-picture.test.ts';
const SESSION = 'demo/session.test.ts';

/** Bugs in the demo, the docs and the element. */
export const pageReverts: readonly Revert[] = [
  {
    name: 'B1',
    fault: 'A comparison lost its left half where images are blocks',
    edits: [
      {
        file: 'src/element/template.ts',
        from: "[part='before'] { display: block; height: 100% }\n",
        to: '',
      },
      {
        file: 'src/element/template.ts',
        from: 'clip-path: var(--hole);',
        to: 'clip-path: inset(-100vmax calc(100% - var(--split)) -100vmax -100vmax);',
      },
      {
        file: 'src/element/template.ts',
        from: "const before = make('div', 'before');",
        to: "const before = make('span', 'before');",
      },
    ],
    project: 'e2e',
    test: [PICTURE, 'the comparison is right: block'],
  },
  {
    name: 'B2',
    fault: 'Labels of a narrow picture lay on the other side',
    edits: [
      {
        file: 'demo/compare.ts',
        from: 'room >= tag.offsetWidth + 2 * TAG_MARGIN',
        to: 'room >= Math.min(tag.offsetWidth + 2 * TAG_MARGIN, (end - start) / 2)',
      },
    ],
    project: 'e2e',
    test: [DEMO, 'keeps each label on its side, and hides it where it does not fit'],
  },
  {
    name: 'B3',
    fault: 'With the divider at an end, the label of the hidden side lay on the other one',
    edits: [
      {
        file: 'demo/compare.ts',
        from: '[tagBefore, split - start],\n      [tagAfter, end - split],',
        to: '[tagBefore, end - start],\n      [tagAfter, end - start],',
      },
    ],
    project: 'e2e',
    test: [DEMO, 'keeps each label on its side, and hides it where it does not fit'],
  },
  {
    name: 'B4',
    fault: '"about 3471.5 h left", by a first fraction near zero',
    edits: [
      {
        file: 'src/engine/progress.ts',
        from: '  readonly #timeLeft = new TimeLeft();',
        to: '  #started = 0;',
      },
      {
        file: 'src/engine/progress.ts',
        from: '    this.#now = now;',
        to: '    this.#now = now;\n    this.#started = now();',
      },
      {
        file: 'src/engine/progress.ts',
        from: 'this.#timeLeft.estimate(this.#done, this.#total, this.#now());',
        to: '((this.#now() - this.#started) / this.#fraction) * (1 - this.#fraction);',
      },
    ],
    project: 'unit',
    test: ['src/engine/progress.test.ts', 'is not told by a first report that took 7.8 s'],
  },
  {
    name: 'B5a',
    fault: 'A drop that failed took the place of a finished result',
    edits: [
      {
        file: 'demo/session.ts',
        from: 'items: [...items, ...added], trouble: null, isHome: false',
        to: 'items: added, trouble: null, isHome: false',
      },
      {
        file: 'demo/session.ts',
        from: 'first?.id ?? (current?.picture.size ? current.id : added[0]?.id) ?? null;',
        to: 'added[0]?.id ?? null;',
      },
    ],
    project: 'unit',
    test: [SESSION, 'results stay when another file fails, and when saving does'],
  },
  {
    name: 'B5b',
    fault: 'A dropped folder was taken for a file that cannot be read',
    edits: [
      {
        file: 'demo/intake.ts',
        from: `    if (entry?.isDirectory) {
      parts.push(filesBelow(entry as FileSystemDirectoryEntry).then(fromFolder));
    } else if (file)`,
        to: '    if (entry && file)',
      },
    ],
    project: 'e2e',
    test: [QUEUE, 'the queue takes folders, without what is no picture in them'],
  },
  {
    name: 'B6a',
    fault: 'Of several dropped files only the first was taken',
    edits: [
      {
        file: 'demo/intake.ts',
        from: 'all.flatMap(({ files }) => files),',
        to: 'all.flatMap(({ files }) => files).slice(0, 1),',
      },
    ],
    project: 'e2e',
    test: [QUEUE, 'the queue takes many files and a model in one drop'],
  },
  {
    name: 'B6b',
    fault: 'A weight file that was dropped with pictures was ignored',
    edits: [
      {
        file: 'demo/main.ts',
        from: 'for (const file of files) if (isWeightFile(file.name)) await own.add(file);',
        to: 'if (files.every(({ name }) => isWeightFile(name))) await own.add(files[0]);',
      },
    ],
    project: 'e2e',
    test: [QUEUE, 'the queue takes many files and a model in one drop'],
  },
  {
    name: 'B7a',
    fault: 'At 3x, "Photo" became "Clean" unasked',
    edits: [
      {
        file: 'demo/models.ts',
        from: 'own.find(({ scale }) => scale >= factor);',
        to: 'own.find(({ scale }) => scale === factor);',
      },
      {
        file: 'demo/models.ts',
        from: "return above ?? (kind.endsWith('-fast') ? [] : (own.at(-1) ?? []));",
        to: 'return above ?? [];',
      },
    ],
    project: 'unit',
    test: [SESSION, 'one picture keeps its kind of model at every size'],
  },
  {
    name: 'B7b',
    fault: 'The command line and the library had no default for photos at 3x',
    edits: [
      {
        file: 'src/catalog/files.ts',
        from: "id: 'pan-photo-x3',\n    network: 'pan',\n    scale: 3,\n    kind: 'photo',\n    best: true,",
        to: "id: 'pan-photo-x3',\n    network: 'pan',\n    scale: 3,\n    kind: 'photo',",
      },
    ],
    project: 'unit',
    test: ['src/catalog/passes.test.ts', 'shipped models by 3, undefined chosen'],
  },
  {
    name: 'B8',
    fault: 'Without WebGPU, a large picture to be restored waited for a choice that nobody had',
    edits: [
      {
        file: 'demo/job.ts',
        from: "cpu.code === 'loops' && width * height > CPU_MAX_PIXELS;",
        to: 'width * height > CPU_MAX_PIXELS;',
      },
      {
        file: 'demo/job-view.ts',
        from: "hidden = isPossible || settings.task === 'upscale';",
        to: 'hidden = true;',
      },
    ],
    project: 'e2e',
    test: [DEMO, 'the page without an adapter always leaves a way to go on'],
  },
  {
    name: 'B9',
    fault: 'Four sizes were wider than the panel',
    edits: [
      {
        file: 'demo/styles.css',
        from: '    grid: auto-flow / minmax(0, 1fr) minmax(0, 1fr);\n',
        to: '',
      },
      {
        file: 'demo/styles.css',
        from: '.segments {\n  display: grid;\n  grid-auto-columns: minmax(0, 1fr);',
        to: '.segments {\n  display: grid;\n  grid-auto-columns: 1fr;',
      },
      {
        file: 'demo/styles.css',
        from: '  min-width: 0;\n  min-height: 68px;',
        to: '  min-height: 68px;',
      },
    ],
    project: 'e2e',
    test: [LAYOUT, 'at 1440 x 900 has room for the sizes of a large picture'],
  },
  {
    name: 'B10a',
    fault: 'Offline, the message was the browser\u2019s own, without advice',
    edits: [{ file: 'src/errors.ts', from: 'if (NOT_LOADED.test(message)) {', to: 'if (false) {' }],
    project: 'unit',
    test: [
      'src/errors.test.ts',
      'CrispenError.from says what to do where a part cannot be fetched',
    ],
  },
  {
    name: 'B10b',
    fault: 'Offline, a result could not be saved as AVIF',
    edits: [
      {
        file: 'demo/offline/offline.ts',
        from: "worker.postMessage('keep the rest');",
        to: '',
      },
    ],
    project: 'e2e',
    test: ['e2e/offline.test.ts', 'enlarges and saves in every format without a connection'],
  },
  {
    name: 'B10c',
    fault: 'Offline, a reload found no page',
    edits: [
      {
        file: 'demo/offline/service-worker.js',
        from: '  if (url.href === scope.href) url.href = index;\n',
        to: '',
      },
    ],
    project: 'e2e',
    test: ['e2e/offline.test.ts', 'enlarges and saves in every format without a connection'],
  },
  {
    name: 'B11',
    fault: 'Save lay below the edge of a low window',
    edits: [
      {
        file: 'demo/styles.css',
        from: '.job {\n  position: sticky;',
        to: '.job {\n  position: static;',
      },
    ],
    project: 'e2e',
    test: [LAYOUT, 'at 720 x 450 Save is in view'],
  },
  {
    name: 'B12',
    fault: 'A picture of one pixel was too small to be seen',
    edits: [
      {
        file: 'demo/zoom.ts',
        from: 'Math.max(LARGEST_FIT, enough));',
        to: 'LARGEST_FIT);',
      },
    ],
    project: 'unit',
    test: ['demo/zoom.test.ts', 'fitScale enlarges a small picture'],
  },
  {
    name: 'B13a',
    fault: 'The first code of README failed in plain HTML',
    edits: [
      {
        file: 'README.md',
        from: '<script type="module" src="./dist/lib/element.js"></script>',
        to: '<script type="module">import \'crispen/element\';</script>',
      },
    ],
    project: 'e2e',
    test: ['e2e/pasted.test.ts', 'README.md enlarges the picture when it is pasted'],
  },
  {
    name: 'B13b',
    fault: 'The first code of the docs failed in plain HTML',
    edits: [
      {
        file: 'docs.html',
        from: '&lt;script type="module" src="./dist/lib/element.js"&gt;&lt;/script&gt;',
        to: '&lt;script type="module"&gt;import \'crispen/element\';&lt;/script&gt;',
      },
    ],
    project: 'e2e',
    test: ['e2e/pasted.test.ts', 'docs.html enlarges the picture when it is pasted'],
  },
  {
    name: 'B14',
    fault: 'An enlarged image could not be dragged out',
    edits: [
      {
        file: 'src/element/resultView.ts',
        from: "    shadow.stage.addEventListener('pointerover', () => this.#makeImage());\n",
        to: '',
      },
    ],
    project: 'e2e',
    test: [PICTURE, 'is an image for the browser once a pointer is on it'],
  },
  {
    name: 'B15',
    fault: 'Within a link, setting the divider also followed the link',
    edits: [
      {
        file: 'src/element/divider.ts',
        from: '      if (host.compare && event.button === 0 && !isForLink) event.preventDefault();\n',
        to: '',
      },
    ],
    project: 'e2e',
    test: [PICTURE, 'moves the divider within a link without following it'],
  },
  {
    name: 'B16',
    fault: 'The divider said "enlarged" of a picture that was cleaned up',
    edits: [
      {
        file: 'demo/view.ts',
        from: "made.task === 'upscale' ? t.compare.enlarged : t.compare.cleaned]",
        to: 't.compare.enlarged]',
      },
    ],
    project: 'e2e',
    test: [DEMO, 'restores by a network of scale 1 at the own size of a picture'],
  },
  {
    name: 'B17a',
    fault: 'A reload threw results away without a question',
    edits: [
      {
        file: 'demo/leaving.ts',
        from: `  unsavedOf(state).length > 0 ||
  state.items.some(({ phase }) => phase.kind === 'working' || phase.kind === 'waiting');`,
        to: '  unsavedOf(state).length < 0;',
      },
    ],
    project: 'unit',
    test: [SESSION, 'results are at stake until they are saved'],
  },
  {
    name: 'B17b',
    fault: 'Back left the page with its results',
    edits: [
      {
        file: 'demo/leaving.ts',
        from: "    if (!state.isHome && !showsPictures(history.state)) history.pushState(PICTURES, '');\n",
        to: '',
      },
    ],
    project: 'e2e',
    test: [QUEUE, 'a result is behind the welcome page after Back'],
  },
  {
    name: 'B17c',
    fault: 'The browser was not told to ask before unsaved results are lost',
    edits: [
      {
        file: 'demo/leaving.ts',
        from: "    if (isGuarded) addEventListener('beforeunload', ask);\n",
        to: "    if (isGuarded) removeEventListener('beforeunload', ask);\n",
      },
    ],
    project: 'e2e',
    test: [QUEUE, 'a result is asked for before the page is left'],
  },
  {
    name: 'B18a',
    fault: 'Going back to settings computed their result again',
    edits: [
      {
        file: 'demo/session.ts',
        from: 'item.results.find((made) => made.key === key);',
        to: 'item.results.find(() => false);',
      },
    ],
    project: 'unit',
    test: [SESSION, 'results are kept per task, size and model: going back runs nothing'],
  },
  {
    name: 'B18b',
    fault: 'A change of settings threw the finished result away at once',
    edits: [
      {
        file: 'demo/session.ts',
        from: 'trouble: null, ...(result && { result }) });',
        to: 'trouble: null, result: result ?? null });',
      },
    ],
    project: 'unit',
    test: [SESSION, 'results stay until the next one succeeds'],
  },
  {
    name: 'B19',
    fault: 'Listings of the docs appeared by script and moved the page',
    edits: [
      {
        file: 'scripts/listings.mjs',
        from: '`<div class="listing"><pre',
        to: '`<div class="listing" hidden><pre',
      },
      {
        file: 'demo/docs/docs.ts',
        from: '// Readers come back to a picture after a while.\n',
        to: "for (const listing of document.querySelectorAll<HTMLElement>('.listing')) listing.hidden = false;\n",
      },
    ],
    project: 'e2e',
    test: ['e2e/docs.test.ts', 'at 1440 x 900: can be read without scripts, and nothing moves'],
  },
  {
    name: 'B20',
    fault: 'Estimates of the CPU were a half or a third of the time',
    edits: [
      {
        file: 'src/cpu/estimate.ts',
        from: "const cost = op.op === 'conv' ? costOf(op) : { multiplyAdds: op.multiplyAdds, values: 0 };",
        to: 'const cost = { multiplyAdds: op.multiplyAdds, values: 0 };',
      },
      { file: 'src/cpu/estimate.ts', from: 'const REST = 1.5;', to: 'const REST = 1;' },
    ],
    project: 'unit-timed',
    test: ['src/cpu/estimate.test.ts', 'counts what a convolution computes'],
  },
  {
    name: 'B21a',
    fault: 'A measurement of the bench could not be cancelled',
    edits: [
      {
        file: 'bench/page/view.ts',
        from: "  cancel.addEventListener('click', () => job?.abort());\n",
        to: '',
      },
    ],
    project: 'e2e',
    test: ['e2e/bench.test.ts', 'for a visitor a measurement is cancelled at once'],
  },
  {
    name: 'B21b',
    fault: 'The bench did not tell how far a measurement was',
    edits: [
      {
        file: 'bench/measure.ts',
        from: 'const progress: OnProgress = (done) => options.onProgress?.((step + done) / steps);',
        to: 'const progress: OnProgress = () => {};',
      },
    ],
    project: 'unit',
    test: ['bench/measure.test.ts', 'measure tells how far it is'],
  },
  {
    name: 'B21c',
    fault: 'The bench looked unlike the other pages, without links to them',
    edits: [
      {
        file: 'bench/page/page.css',
        from: '@import url("../../demo/docs/docs.css");\n',
        to: '',
      },
      {
        file: 'bench.html',
        from: `      <nav class="links" data-t-label="links">
        <a data-t="demo" href="./index.html"></a>
        <a data-t="docs" href="./docs.html"></a>
        <a href="./api/index.html">API</a>
        <a data-t="bench" href="./bench.html" aria-current="page"></a>
      </nav>
`,
        to: '',
      },
    ],
    project: 'e2e',
    test: ['e2e/bench.test.ts', 'for a visitor at 390 x 844 the page fits'],
  },
];
