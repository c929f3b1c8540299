/** Every text of the demo in English. The other languages have the same keys. */
export const en = {
  /** Texts of index.html, by the keys in its `data-t` attributes. */
  page: {
    title: 'Crispen: enlarge small pictures, sharply and privately',
    description:
      'Drop a small picture and get a larger, sharper one. A neural network does it on your own graphics card; nothing is uploaded.',
    skip: 'Skip to the settings',
    promise: 'Nothing is uploaded',
    addPictures: 'Add pictures',
    files: 'Picture files',
    folder: 'Folder of pictures',
    picture: 'Picture',
    loupe:
      "A cat's eye: the pixels of a small picture on the left, enlarged by Crispen on the right",
    smallIn: 'Small picture in.',
    largeOut: 'Large and sharp out.',
    lead: 'Drop or paste photos anywhere on this page.',
    choose: 'Choose pictures',
    back: 'Back to your pictures',
    wholeFolder: 'A whole folder',
    orTry: 'Or try one of these',
    cat: 'Sample: cat',
    coffee: 'Sample: cup of coffee',
    astronaut: 'Sample: astronaut',
    noPreview: 'No preview of this file.',
    divider: 'Divider between the original and the result',
    comparison: 'Comparison',
    compareWith: 'Compare with',
    compareHint: 'Compare with. Hold Space to see it alone',
    original: 'Original',
    pixels: 'Pixels',
    pinned: 'Pinned',
    pin: 'Pin',
    pinHint: 'Keep this result, to compare the next one with it',
    zoom: 'Zoom',
    zoomOut: 'Zoom out',
    zoomIn: 'Zoom in',
    actualPixels: 'Actual pixels',
    fit: 'Fit',
    queue: 'Queue',
    pause: 'Pause',
    cancelAll: 'Cancel all',
    tryAgain: 'Try again',
    earlier: 'Move the selected picture earlier',
    earlierHint: 'Earlier (Alt + ←)',
    later: 'Move the selected picture later',
    laterHint: 'Later (Alt + →)',
    remove: 'Remove',
    removeHint: 'Remove the selected picture (Delete)',
    removeAll: 'Remove all',
    addFolder: 'Add a folder',
    allAs: 'All as',
    saveZip: 'Save a ZIP',
    saveFolder: 'Save to a folder',
    settings: 'Settings and result',
    noGpu: 'No GPU found',
    turnOn: 'How to turn it on',
    thenReload: 'Then reload this page.',
    tooLarge: 'Without WebAssembly, a network can enlarge pictures of up to 128 × 128 pixels.',
    plainResize: 'Plain resize (Lanczos), at once',
    enlargeInstead: 'Enlarge it instead',
    newVersion: 'A new version is ready.',
    reload: 'Reload',
    undo: 'Undo',
    task: 'What to do',
    scale: 'How much larger',
    or: 'Or',
    anotherSize: 'Another size',
    screens: 'Screens',
    prints: 'Prints at 300 dpi',
    printSmall: '15 × 10 cm (6 × 4 in)',
    ownSize: 'Your own',
    ownTimes: 'Times…',
    ownWidth: 'Width…',
    ownHeight: 'Height…',
    size: 'Size',
    useSize: 'Use it',
    kind: 'What kind of picture',
    singleModel: 'At this size there is only one model so far.',
    strength: 'Strength',
    strengthLabel: 'Strength of the result, in percent',
    strengthNote:
      'Less mixes in a plain resize, without another run. Mixed files have 8 bits and no camera data.',
    several: 'These settings are for the selected picture and those not begun yet.',
    applyAll: 'Use them for all',
    ownModels: 'Models of your own',
    saveSafetensors: 'Save as safetensors',
    modelFile: 'Model file',
    addModel: 'Add a model file',
    ownModelsNote:
      'A2N, PAN, Compact, SPAN, ESRGAN and EDSR, as .pth, .pt or .safetensors. The file stays in this browser.',
    result: 'Result',
    progress: 'Progress',
    cancel: 'Cancel',
    keepThat: 'Keep that',
    tiles:
      'The picture was too large to analyse as a whole. The network used a sample of it, the same for every tile.',
    approximate:
      "The tiles overlap by less than this network's receptive field, so faint seams are possible.",
    saveAs: 'Save as',
    copy: 'Copy',
    share: 'Share',
    inspect: 'What the attention does',
    keepMetadata: 'Keep camera data, date and place (not in AVIF)',
    goOn: 'Enlarge it anyway',
    saveAsFile: 'Save as…',
    dismiss: 'Dismiss',
    again: 'Start again',
    notify: 'Tell me when pictures are done while I look elsewhere',
    kept: 'Kept in this browser',
    keepPictures: 'Keep pictures and results for 7 days, also after a reload',
    forgetAll: 'Forget all now',
    how: 'How it works',
    howNetwork: 'A neural network called A2N',
    paper: 'paper',
    howRuns:
      "runs in WebGPU programs written for this page. Its weights, about 2 MB, come from the same address as the page and stay in the browser's cache.",
    howTrained:
      'They were trained on research collections of photos: BSDS500, Sun-Hays 80 and samples of ImageNet.',
    useOnSite: 'Use it on your own site',
    howFast: 'How fast is this graphics card?',
    dropping: 'Drop to enlarge',
    language: 'Language',
  },

  /** Numbers with units. `about`: an estimate. */
  time: {
    seconds: (n: number | string) => `${n} s`,
    minutes: (n: number) => `${n} min`,
    hours: (n: number) => `${n} h`,
    about: (time: string) => `about ${time}`,
    left: (time: string) => `${time} left`,
    moment: 'a moment left',
  },
  wide: (width: number) => `${width} wide`,
  high: (height: number) => `${height} high`,

  fileTypes: { png: 'PNG picture', zip: 'ZIP archive' },

  stages: {
    decode: 'Reading the picture',
    download: 'Loading the model',
    prepare: 'Getting ready',
    upscale: 'Enlarging',
    encode: 'Finishing',
    restore: 'Cleaning up',
    start: 'Looking for a graphics card',
  },
  tasks: {
    upscale: 'Enlarge',
    dejpeg: 'Remove JPEG artifacts',
    denoise: 'Remove noise',
  },
  kinds: {
    photo: {
      title: 'Photo',
      text: 'From the web or a phone: removes JPEG traces and noise as well.',
    },
    'photo-fast': { title: 'Photo (fast)', text: 'Almost the same in a third of the time.' },
    clean: { title: 'Clean', text: 'Renders, artwork, lossless pictures: keeps every detail.' },
    'clean-fast': { title: 'Clean (fast)', text: 'Almost the same in a third of the time.' },
    lcoan: { title: 'Clean (LCoAN)', text: 'Repeats of a texture help each other. Slow.' },
    a2nm: { title: 'Clean (A2N-M)', text: 'A2N with four fifths of the weights.' },
    a2n: { title: 'Clean (A2N)', text: 'The same by a network of four times the size.' },
    'a2n-photo': {
      title: 'Photo (A2N)',
      text: 'For strongly compressed photos: removes more traces, keeps less detail.',
    },
  },

  status: {
    ready: 'Ready for a picture.',
    behind: 'Waiting for the picture before it…',
    waiting: 'Waiting…',
    working: (stage: string) => `${stage}…`,
    slowly: (stage: string) => `${stage}, slowly in software…`,
    confirm: 'A very large result.',
    choose: 'Waiting for your choice above.',
    done: (time: string) => `Done in ${time}.`,
    cancelled: 'Cancelled.',
    failed: 'That did not work.',
  },
  phases: {
    waiting: 'waiting',
    working: 'in progress',
    confirm: 'needs an answer',
    choose: 'needs an answer',
    done: 'done',
    cancelled: 'cancelled',
    failed: 'failed',
  },
  queue: {
    done: (done: number, all: number) => `${done} of ${all} done`,
    failed: (count: number) => `${count} failed`,
    cancelled: (count: number) => `${count} cancelled`,
    asking: (count: number) => `${count} waiting for your answer`,
    paused: 'paused',
    resume: 'Go on',
    place: (n: number, all: number) => `${n} of ${all}`,
    finished: (count: number) => (count === 1 ? '1 picture is done' : `${count} pictures are done`),
    removed: (name: string) => `Removed ${name}.`,
    removedMany: (count: number) => `Removed ${count} pictures.`,
    forget: (count: number) =>
      `Forget ${count === 1 ? 'the picture' : `all ${count} pictures`} with the results? This cannot be undone.`,
    separator: ', ',
    stop: '.',
  },

  compare: {
    originalPixels: 'Original, pixels',
    originalName: 'original',
    enlarged: 'enlarged',
    cleaned: 'cleaned up',
    split: (percent: number, before: string, after: string) =>
      `${percent} % ${before}, ${100 - percent} % ${after}`,
    zoomLabel: (zoom: string) => `${zoom}, show actual pixels`,
    both: (name: string) =>
      `The original beside the result, ${name}. Arrow keys move a closer look, plus and minus zoom.`,
    alone: (name: string) =>
      `The original, ${name}. Arrow keys move a closer look, plus and minus zoom.`,
    onCpu: 'Crispen on CPU',
  },

  result: {
    stillSee: (what: string) => `You still see ${what}.`,
    next: ', then ',
    runs: (names: string, count: number) => `${names} (${count} runs)`,
    madeBy: (name: string, place: string) => `Made by ${name} on ${place}.`,
    plain: 'A plain resize (Lanczos), made without a network.',
    processor: 'the CPU',
    graphicsCard: 'the graphics card',
    software: (place: string) => `${place}, a software adapter`,
    javascript: (place: string) => `${place}, in plain JavaScript, which is slow`,
    kept: (what: string) => `Kept: ${what}.`,
    p3: 'Display P3 colours',
    profile: 'its colour profile',
    deep: '16 bits per colour (in PNG)',
    grey: 'pure grey',
    savedAs: (name: string) => `Saved as ${name}.`,
    reduced: 'A reduced copy is shown; the file has every pixel.',
    runOnCpu: (what: string) => `Run on the CPU (${what})`,
    pictures: (count: number) => `${count} pictures`,
    saving: (done: number, all: number) => `${done} of ${all}`,
  },

  adapter: {
    unnamed: 'your graphics card',
    looking: 'Looking for a graphics card',
    softwareRenderer: (name: string) => `${name}: no GPU found; a slow software renderer is used.`,
    runsOn: (name: string) => `Runs on ${name}`,
    none: 'No GPU found',
    noneThen: (rest: string) => `No GPU found. ${rest}`,
    loops: 'This page may not run WebAssembly, so networks are slow.',
    processor: (threads: number) =>
      `Runs on the CPU with ${threads === 1 ? 'one thread' : `${threads} threads`}.`,
    noWasm: 'No WebAssembly',
    insecure: 'This address is not secure',
    insecureText:
      'Browsers do not offer the graphics card to pages that come over plain http from another machine. Open this page over https, or as localhost on the machine itself.',
    noneText:
      'This picture takes a while on the CPU. A GPU is much faster, but this browser offers none through WebGPU. Often it only has to be turned on.',
    advice: {
      chrome: {
        browser: 'Chrome and Edge',
        steps: [
          'Use version 113 or newer (on Android 121).',
          'Turn on “Use graphics acceleration when available” in Settings, System, then restart.',
          'On Linux also enable chrome://flags/#enable-unsafe-webgpu and chrome://flags/#enable-vulkan.',
        ],
      },
      firefox: {
        browser: 'Firefox',
        steps: [
          'Use version 141 or newer on Windows, 145 or newer on a Mac with Apple silicon.',
          'Elsewhere open about:config and set dom.webgpu.enabled to true.',
        ],
      },
      safari: {
        browser: 'Safari',
        steps: [
          'Use Safari 26 or newer (iOS 26, iPadOS 26, macOS 26).',
          'In Safari 18 turn on WebGPU in Settings, Feature Flags (on iPhone: Settings, Apps, Safari, Advanced).',
        ],
      },
    },
  },

  size: {
    another: 'another size…',
    times: 'Times',
    width: 'Width in pixels',
    height: 'Height in pixels',
    beyond: (factor: string, most: number) =>
      `This picture would be enlarged ${factor} times; ${most} is the most.`,
    becomes: (size: string) => `Becomes ${size}.`,
    detail: 'Beyond 4× no true detail is added.',
    smaller: 'That is smaller than the picture: it is only resized.',
    tooLarge: (size: string, megapixels: string) =>
      `The result would be ${size} (${megapixels} megapixels): more than browsers can show. It goes to a file as it is made; here a reduced copy is shown.`,
    large: (size: string, megapixels: string, megabytes: number) =>
      `The result would be ${size} (${megapixels} megapixels) and take about ${megabytes} MB of memory at least.`,
  },

  own: {
    dejpeg: 'removes JPEG traces',
    denoise: 'removes noise',
    demosaic: 'for sensor data',
    restore: 'keeps the size',
    assumedScale: (what: string) => `${what} (assumed)`,
    assumed: (what: string) => `assumed: ${what}`,
    notKept: 'not kept: no room in this browser',
    reading: (name: string, percent: number) => `Reading ${name}: ${percent} %`,
  },

  /** What went wrong outside the library: what, and what to do. */
  trouble: {
    noPictures: [
      'There is no picture in that folder.',
      'Drop the pictures themselves, or another folder.',
    ],
    leftOut: (count: number) => [
      `${count === 1 ? '1 file was' : `${count} files were`} left out.`,
      'Only pictures were taken.',
    ],
    unreadable: (message: string) => [
      `That could not be read: ${message}`,
      'It may have been moved or deleted. Drop it again.',
    ],
    sample: [
      'The sample could not be loaded.',
      'Check the connection, or drop a picture of your own.',
    ],
    noFile: ['That was not a picture file.', 'Save the picture first, then drop the file here.'],
    noRoom: [
      'The browser has no room to keep these pictures.',
      'Save the results before you leave this page.',
    ],
    noShow: [
      'The result cannot be shown.',
      'The browser cannot read its file again. It may still be saved.',
    ],
    noResize: ['The picture could not be resized.', 'Compare it as pixels.'],
  },
  /** Errors of the library by code; its own words are English. Null: take those. */
  errors: null as ErrorTexts | null,

  inspector: {
    title: 'What the attention does',
    close: 'Close',
    running: 'Running the network…',
    none: 'This network has no attention to look at.',
    saw: (width: number, height: number, reduction: number) =>
      reduction === 1
        ? `${width} × ${height} pixels, as in the picture.`
        : `${width} × ${height} pixels: the picture reduced ${reduction} times.`,
    closer: 'Closer, at full size',
    whole: 'Whole picture',
    picture: 'The picture with a map over it. Arrow keys move the chosen pixel.',
    map: 'Map',
    opacity: 'Map over picture',
    mean: 'Mean over channels',
    enhanced: (channel: number) => `Most enhanced features (channel ${channel})`,
    suppressed: (channel: number) => `Most suppressed features (channel ${channel})`,
    channel: (channel: number) => `Channel ${channel}`,
    clusters: 'Clusters',
    round: (round: number) => `Clusters, round ${round}`,
    reference: (name: string) => `Weight of ${name}`,
    branches: 'Weight of the attention branch in each block',
    attentions: 'Mean attention in each block',
    bar: (name: string, attention: string, other: string) =>
      `${name}: attention ${attention}, non-attention ${other}`,
    barMean: (name: string, mean: string) => `${name}: mean attention ${mean}`,
    pixel: (x: number, y: number) => `Pixel ${x}, ${y} through the blocks`,
    pixelNone: 'Click a pixel to follow it through the blocks.',
    pixelRow: (name: string, least: string, mean: string, most: string) =>
      `${name}: ${least} to ${most}, mean ${mean}`,
    attends: (count: number) =>
      count === 1 ? 'It attends to one pixel.' : `It attends most to the ${count} marked pixels.`,
    keys: (open: number, all: number) =>
      open === all ? `${all} keys, by weight` : `${all} keys, ${open} of them open`,
    savePng: 'Save as PNG',
    saveJson: 'Save as JSON',
  },
};

/** What is wrong, and what to do, by the code of an error. */
export type ErrorTexts = Readonly<Record<string, readonly [what: string, hint: string]>>;
export type Texts = typeof en;
