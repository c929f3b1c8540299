import type { Revert } from './revert.ts';

const DEVICE = 'src/engine/gpu/device.ts';
const READING = 'src/engine/gpu/reading.ts';
const HOST = 'src/worker/host.ts';
const ADDED = 'src/worker/added.ts';
const STORE = 'src/worker/store.ts';
const UNWRAP = 'src/weights/torch/unwrap.ts';
const CONTAINER = 'src/codecs/container.ts';
const ACTIVATION = 'src/shaders/lib/activation.wgsl';

const DEVICE_TEST = 'src/engine/gpu/device.test.ts';
const FAULTS_TEST = 'test/faults/faults.gpu.test.ts';
const HOST_TEST = 'src/worker/host.test.ts';
const ADDED_TEST = 'src/worker/added.test.ts';
const UNWRAP_TEST = 'src/weights/torch/unwrap.test.ts';
const HOSTILE_TEST = 'src/codecs/hostile.test.ts';
const NAN_TEST = 'test/nonFinite.gpu.test.ts';
const MASK_TEST = 'src/kernels/nonlocal/nonlocal.gpu.test.ts';

/** Faults in the engine, the codecs and the command line. */
export const engineReverts: readonly Revert[] = [
  {
    name: 'F1a',
    fault: 'weights were written outside of error scopes',
    edits: [
      {
        file: READING,
        from: `    await device.scoped(what, () => {
      for (const { buffer, offset = 0, data } of uploads) {
        device.gpu.queue.writeBuffer(buffer, offset, data as ArrayBufferView<ArrayBuffer>);
      }
    });`,
        to: `    for (const { buffer, offset = 0, data } of uploads) {
      device.gpu.queue.writeBuffer(buffer, offset, data as ArrayBufferView<ArrayBuffer>);
    }`,
      },
    ],
    project: 'gpu',
    test: [FAULTS_TEST, 'GPUQueue.writeBuffer: out-of-memory gives OUT_OF_MEMORY'],
  },
  {
    name: 'F1b',
    fault: 'pixels and uniforms of a tile were written outside of error scopes',
    edits: [
      {
        file: 'src/engine/gpu/arena.ts',
        from: `      await this.#device.scoped('uploading a tile', () => {
        this.#device.gpu.queue.writeBuffer(this.uniforms, 0, words);
        write?.();
      });`,
        to: `      this.#device.gpu.queue.writeBuffer(this.uniforms, 0, words);
      write?.();`,
      },
    ],
    project: 'gpu',
    test: [FAULTS_TEST, 'pixels of a tile for which there is no memory'],
  },
  {
    name: 'F1c',
    fault: 'nothing listened to errors outside of all scopes',
    edits: [
      {
        file: DEVICE,
        from: `      made.addEventListener('uncapturederror', ({ error }) => device.#hear(error));\n`,
        to: '',
      },
    ],
    project: 'gpu',
    test: [FAULTS_TEST, 'an error outside of all scopes is heard, once: INTERNAL'],
  },
  {
    name: 'F1d',
    fault: 'after a fault of the engine, its device was used on',
    edits: [
      {
        file: HOST,
        from: `code === 'DEVICE_LOST' || code === 'INTERNAL'`,
        to: `code === 'DEVICE_LOST'`,
      },
    ],
    project: 'unit',
    test: [HOST_TEST, 'loads models anew after values that are not finite'],
  },
  {
    name: 'F1e',
    fault: 'a model whose weights were spoilt stayed on the GPU',
    edits: [
      {
        file: HOST,
        from: `      if (code === 'NON_FINITE') await this.#unload(current, engine);\n`,
        to: '',
      },
    ],
    project: 'unit',
    test: [HOST_TEST, 'loads models anew after values that are not finite'],
  },
  {
    name: 'F1f',
    fault: 'weights whose upload a driver dropped made every later picture wrong',
    edits: [
      { file: READING, from: '          receipt.expect(encoder, buffer, offset, data);\n', to: '' },
    ],
    project: 'gpu',
    test: [FAULTS_TEST, 'GPUQueue.writeBuffer: dropped'],
  },
  {
    name: 'F1g',
    fault: 'rows to resize were written outside of error scopes',
    edits: [
      {
        file: READING,
        from: `    await device.scoped(what, () => {
      const mark = `,
        to: `    (() => {
      const mark = `,
      },
      {
        file: READING,
        from: `      device.gpu.queue.submit([encoder.finish()]);
    });`,
        to: `      device.gpu.queue.submit([encoder.finish()]);
    })();`,
      },
    ],
    project: 'gpu',
    test: [FAULTS_TEST, 'rows to resize for which there is no memory'],
  },
  {
    name: 'F2a',
    fault: 'a status that no kernel had written counted as good',
    edits: [
      {
        file: 'src/engine/tile/strips.ts',
        from: `      if (status[DONE_WORD] !== done) throw this.#device.broken('did not finish a tile');\n`,
        to: '',
      },
    ],
    project: 'gpu',
    test: [FAULTS_TEST, 'a last kernel that did not run is noticed by its mark'],
  },
  {
    name: 'F2b',
    fault: 'a tile whose pixels had not arrived on the GPU counted as good',
    edits: [
      {
        file: 'src/engine/tile/strips.ts',
        from: '            receipt.expect(encoder, source, 0, pixels.data);\n',
        to: '',
      },
    ],
    project: 'gpu',
    test: [FAULTS_TEST, 'GPUQueue.writeBuffer: dropped'],
  },
  {
    name: 'F2c',
    fault: 'a mapping that was too short was read',
    edits: [
      {
        file: DEVICE,
        from: `      if (content.byteLength !== bytes) throw this.broken('gave too few bytes back');\n`,
        to: '',
      },
    ],
    project: 'gpu',
    test: [FAULTS_TEST, 'GPUBuffer.getMappedRange: short'],
  },
  {
    name: 'F2d',
    fault: 'a submission that a driver had dropped counted as done',
    edits: [
      {
        file: 'src/engine/gpu/arena.ts',
        from: '          receipt?.expect(encoder, this.uniforms, mark * 4, words.subarray(mark, mark + 1));\n',
        to: '',
      },
    ],
    project: 'gpu',
    test: [FAULTS_TEST, 'a submission amid others that was dropped is noticed by its mark'],
  },
  {
    name: 'F3a',
    fault: "the sigmoid's clamp dropped NaN",
    edits: [
      {
        file: ACTIVATION,
        from: 'return keep_nan(v, 1.0 / (1.0 + exp(-clamp(v, vec4f(-80.0), vec4f(80.0)))));',
        to: 'return 1.0 / (1.0 + exp(-clamp(v, vec4f(-80.0), vec4f(80.0))));',
      },
    ],
    project: 'gpu',
    test: [NAN_TEST, 'a2n with one NaN on the GPU, fused ops'],
  },
  {
    name: 'F3b',
    fault: 'the ReLU of dynamic weights dropped NaN',
    edits: [
      {
        file: 'src/shaders/vector/dynamicWeights.wgsl',
        from: 'keep_nan(vec4f(sum), vec4f(max(sum, 0.0))).x',
        to: 'max(sum, 0.0)',
      },
    ],
    project: 'gpu',
    test: [NAN_TEST, 'a2n with one NaN on the GPU, fused ops'],
  },
  {
    name: 'F3c',
    fault: 'the ReLU of maps dropped NaN',
    edits: [
      {
        file: ACTIVATION,
        from: 'return keep_nan(v, max(v, vec4f(0.0)));',
        to: 'return max(v, vec4f(0.0));',
      },
    ],
    project: 'gpu',
    test: [NAN_TEST, 'compact with ReLU with one NaN on the GPU, op by op'],
  },
  {
    name: 'F3d',
    fault: 'masks of attention on the GPU dropped NaN',
    edits: [
      {
        file: 'src/shaders/nonlocal/keySoftmax.wgsl',
        from: 'v = keep_nan(m, select(vec4f(0.0), v, m > vec4f(0.0)));',
        to: 'v = select(vec4f(0.0), v, m > vec4f(0.0));',
      },
      {
        file: 'src/shaders/nonlocal/keySoftmax.wgsl',
        from: 'v = keep_nan(m, select(vec4f(LOWEST), v, m > vec4f(0.0)));',
        to: 'v = select(vec4f(LOWEST), v, m > vec4f(0.0));',
      },
    ],
    project: 'gpu',
    test: [MASK_TEST, 'sparse keys gives NaN where a mask is NaN'],
  },
  {
    name: 'F3e',
    fault: 'masks of attention on the CPU dropped NaN',
    edits: [
      {
        file: 'src/kernels/nonlocal/nonlocal.reference.ts',
        from: `        Number.isNaN(b[c]) ? b[c] : b[c] <= 0 && gate === 'zero' ? 0 : v,`,
        to: `        !(b[c] > 0) && gate === 'zero' ? 0 : v,`,
      },
      {
        file: 'src/kernels/nonlocal/nonlocal.reference.ts',
        from: `open = Array.from(b, (v) => !(v <= 0));`,
        to: `open = Array.from(b, (v) => v > 0);`,
      },
    ],
    project: 'gpu',
    test: [MASK_TEST, 'sparse keys gives NaN where a mask is NaN'],
  },
  {
    name: 'F3f',
    fault: 'a centroid that was NaN was left out without a word',
    edits: [
      {
        file: 'src/engine/compile/weights.ts',
        from: '  if (!weights.every(Number.isFinite)) throw nonFinite();\n',
        to: '',
      },
    ],
    project: 'gpu',
    test: [NAN_TEST, 'lcoan with one NaN on the CPU'],
  },
  {
    name: 'F3g',
    fault: 'places of attention that were NaN became places of the image',
    edits: [
      {
        file: 'src/shaders/nonlocal/sampleKeys.wgsl',
        from: '    weight += lost.x + lost.y;\n',
        to: '',
      },
    ],
    project: 'gpu',
    test: [NAN_TEST, 'edsr-acla with one NaN on the GPU, fused ops'],
  },
  {
    name: 'F3h',
    fault: 'places that DySample reads became places of the image where they were NaN',
    edits: [
      {
        file: 'src/shaders/plksr/dySample.wgsl',
        from: 'keep_nan(vec4f(learned, vec2f()), vec4f(at - vec2f(near), vec2f())).xy',
        to: 'at - vec2f(near)',
      },
    ],
    project: 'gpu',
    test: [NAN_TEST, 'mosr with one NaN on the GPU, fused ops'],
  },
  {
    name: 'F3i',
    fault: 'what overflowed in f16 was not computed in f32',
    edits: [{ file: HOST, from: `  NON_FINITE: 'f16-overflow',\n`, to: '' }],
    project: 'unit',
    test: [HOST_TEST, 'computes in f32 what overflows f16, from then on'],
  },
  {
    name: 'F4a',
    fault: 'work that the GPU never ended was waited for without end',
    edits: [
      {
        file: DEVICE,
        from: 'this.#watchdog.watch(what, promise, work, isCompiling).then(',
        to: 'promise.then(',
      },
    ],
    project: 'unit',
    test: [DEVICE_TEST, 'gives a device up that does not end its work'],
  },
  {
    name: 'F4b',
    fault: 'an adapter that never came was waited for without end',
    edits: [{ file: DEVICE, from: 'await within(patience, asked, () => {})', to: 'await asked' }],
    project: 'unit',
    test: [DEVICE_TEST, 'an adapter that never comes is NO_WEBGPU'],
  },
  {
    name: 'F4c',
    fault: 'a device that never came was waited for without end',
    edits: [
      {
        file: DEVICE,
        from: 'await within(patience, asked, (late) => late.destroy())',
        to: 'await asked',
      },
    ],
    project: 'unit',
    test: [DEVICE_TEST, 'a device that never comes is NO_WEBGPU'],
  },
  {
    name: 'F4d',
    fault: 'a cancelled job that did not end held the next one up',
    edits: [
      {
        file: HOST,
        from: `      timer = setTimeout(() => engine.abandon('a cancelled job did not end'), CANCEL_MS);\n`,
        to: '',
      },
    ],
    project: 'unit',
    test: [HOST_TEST, 'takes the device from a cancelled job that does not end'],
  },
  {
    name: 'F5a',
    fault: "a PNG's XMP was inflated to 16 MiB",
    edits: [{ file: CONTAINER, from: 'const MAX_XMP = 2 ** 20;', to: 'const MAX_XMP = 2 ** 24;' }],
    project: 'unit-timed',
    test: [HOSTILE_TEST, 'compressed metadata that inflate to 16 MiB are left out'],
  },
  {
    name: 'F5b',
    fault: 'every XMP chunk of a PNG was inflated',
    edits: [
      {
        file: CONTAINER,
        from: '  let packet: PngPart | null = null;',
        to: '  const packets: PngPart[] = [];',
      },
      {
        file: CONTAINER,
        from: '    if (!packet && isXmp(bytes, part)) packet = part;',
        to: '    if (isXmp(bytes, part)) packets.push(part);',
      },
      {
        file: CONTAINER,
        from: '  const profile = parts.get(',
        to: `  let xmp: Container['xmp'] = null;
  for (const packet of packets) xmp = (await pngXmp(bytes, packet, signal)) ?? xmp;
  const profile = parts.get(`,
      },
      {
        file: CONTAINER,
        from: '    xmp: packet ? await pngXmp(bytes, packet, signal) : null,',
        to: '    xmp,',
      },
    ],
    project: 'unit-timed',
    test: [HOSTILE_TEST, 'compressed metadata are those of the first packet alone'],
  },
  {
    name: 'F5c',
    fault: 'XMP became a string byte by byte',
    edits: [
      {
        file: 'src/codecs/bytes.ts',
        from: `  for (let at = 0; at < bytes.length; at += 4096) {
    text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  }`,
        to: '  for (const byte of bytes) text += String.fromCharCode(byte);',
      },
    ],
    project: 'unit-timed',
    test: [HOSTILE_TEST, 'XMP of many megabytes of spaces is read in bounds'],
  },
  {
    name: 'F5d',
    fault: 'a cancelled job inflated metadata to their end',
    edits: [
      {
        file: CONTAINER,
        from: `new DecompressionStream('deflate'), { limit, signal })`,
        to: `new DecompressionStream('deflate'), { limit })`,
      },
    ],
    project: 'unit-timed',
    test: [HOSTILE_TEST, 'compressed metadata end with the job'],
  },
  {
    name: 'F6a',
    fault: 'each prefix of the names was stripped in a pass of its own',
    edits: [
      {
        file: UNWRAP,
        from: '  let at = afterWrappers(shared, 0);\n  const plain = strip(tensors, shared.slice(0, at));',
        to: `  let at = 0;
  let plain = strip(tensors, '');
  for (;;) {
    const names = [...plain.tensors.keys()];
    const common = PREFIXES.find((candidate) => names.every((name) => name.startsWith(candidate)));
    if (common === undefined) break;
    at += common.length;
    plain = { ...strip(plain.tensors, common), prefix: plain.prefix + common };
  }`,
      },
    ],
    project: 'unit-timed',
    test: [UNWRAP_TEST, 'long names of 70 prefixes in 50,000 tensors are stripped in one pass'],
  },
  {
    name: 'F6b',
    fault: 'names of tensors could have any length',
    edits: [{ file: UNWRAP, from: 'const MAX_NAME = 512;', to: 'const MAX_NAME = 2 ** 30;' }],
    project: 'unit-timed',
    test: [UNWRAP_TEST, 'long names of 700,000 prefixes are refused at once'],
  },
  {
    name: 'F6c',
    fault: 'a network was looked for behind each of any number of prefixes',
    edits: [{ file: UNWRAP, from: 'i < MAX_MODEL_PREFIXES && ', to: '' }],
    project: 'unit-timed',
    test: [UNWRAP_TEST, 'long names of many model. are looked at a few times'],
  },
  {
    name: 'F7a',
    fault: 'the stream of a Blob was iterated, which Safari cannot',
    edits: [
      {
        file: 'src/worker/sinks.ts',
        from: 'await whole.stream().pipeTo(new WritableStream({ write }));',
        to: 'for await (const part of whole.stream()) write(part as Bytes);',
      },
    ],
    project: 'unit',
    test: ['src/worker/sinks.test.ts', 'lies in a file where streams cannot be iterated'],
  },
  {
    name: 'F7b',
    fault: 'a stream was transferred where streams cannot be',
    edits: [
      {
        file: 'src/worker/page/target.ts',
        from: '    structuredClone(probe, { transfer: [probe] });\n',
        to: '',
      },
    ],
    project: 'e2e',
    test: [
      'e2e/edges.test.ts',
      'a stream where streams cannot be transferred is written by the page',
    ],
  },
  {
    name: 'F8a',
    fault: 'a file at an address was read before its format was looked at',
    edits: [
      {
        file: 'src/worker/fetchImage.ts',
        from: 'const judge = (start: Uint8Array) => mostBytes(checkStart(start));',
        to: `const judge = () => mostBytes({ format: 'unknown', size: null });`,
      },
    ],
    project: 'unit',
    test: ['src/worker/fetchImage.test.ts', 'a page is refused by its first bytes'],
  },
  {
    name: 'F8b',
    fault: 'an image at an address could have any number of bytes',
    edits: [
      {
        file: 'src/worker/reading.ts',
        from: '      if (limit !== null && length + value.length > limit) throw tooLarge(limit);\n',
        to: '',
      },
    ],
    project: 'unit',
    test: ['src/worker/fetchImage.test.ts', 'more bytes than an image of its kind has'],
  },
  {
    name: 'F8c',
    fault: 'weights at an address could have 2 GiB',
    edits: [
      {
        file: ADDED,
        from: 'return file instanceof Blob ? MAX_BYTES : MAX_FETCHED_BYTES;',
        to: 'return MAX_BYTES;',
      },
    ],
    project: 'unit',
    test: [ADDED_TEST, 'files from addresses are refused by the length that they state'],
  },
  {
    name: 'F8d',
    fault: 'a file at an address was read whole before it was known to hold weights',
    edits: [{ file: ADDED, from: '    sniff(start);\n', to: '' }],
    project: 'unit',
    test: [ADDED_TEST, 'files from addresses are refused by their first bytes'],
  },
  {
    name: 'F8e',
    fault: 'the element read whatever came in the place of its image',
    edits: [
      {
        file: 'src/element/look.ts',
        from: 'const judge = (start: Uint8Array) => mostBytes(readHeader(start));',
        to: 'const judge = () => 2 ** 28;',
      },
    ],
    project: 'e2e',
    test: ['e2e/edges.test.ts', 'an image of the element that is another one'],
  },
  {
    name: 'F9a',
    fault: 'stored weights were used after they had been altered',
    edits: [
      { file: STORE, from: '      if (digest !== facts.sha256) throw damaged(id);\n', to: '' },
    ],
    project: 'unit',
    test: [ADDED_TEST, 'does not use a stored file whose bytes have changed'],
  },
  {
    name: 'F9b',
    fault: 'the element took weights of another site without asking the page',
    edits: [{ file: 'src/element/jobs.ts', from: '  checkModel(element);\n', to: '' }],
    project: 'e2e',
    test: ['e2e/edges.test.ts', '<crispen-image> with weights of another site asks the page'],
  },
  {
    name: 'F9c',
    fault: 'fetched weights were compared with no hash',
    edits: [
      {
        file: ADDED,
        from: '  if (options.integrity !== undefined) await checkIntegrity(bytes, options.integrity, digest);\n',
        to: '',
      },
    ],
    project: 'unit',
    test: [ADDED_TEST, 'integrity of another file: sha256'],
  },
  {
    name: 'F9d',
    fault: 'fetched weights were kept for good, however many',
    edits: [
      {
        file: STORE,
        from: '        if (fetched) await this.#limitFetched(folder, id, bytes.length);\n',
        to: '',
      },
    ],
    project: 'unit',
    test: [ADDED_TEST, 'files from addresses make room for each other'],
  },
  {
    name: 'F10a',
    fault: 'a mapping that failed shortly before the loss was told counted as cancelled',
    edits: [
      {
        file: DEVICE,
        from: `          const told = new Promise<void>((done) => setTimeout(done, isAbort ? LOSS_MS : 0));`,
        to: `          const told = new Promise<void>((done) => setTimeout(done, 0));`,
      },
      {
        file: DEVICE,
        from: `            if (isAbort) this.abandon(messageOf(error));
            reject(this.#typed(error));`,
        to: `            reject(isAbort && !this.isLost ? CrispenError.from(error) : this.#typed(error));`,
      },
    ],
    project: 'gpu',
    test: [FAULTS_TEST, 'GPUBuffer.mapAsync: lost-later'],
  },
  {
    name: 'F10b',
    fault: 'the parts of a file were the arguments of a call',
    edits: [
      {
        file: 'src/codecs/bytes.ts',
        from: 'export function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {',
        to: `export const join = (parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> =>
  joined(...parts);

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {`,
      },
    ],
    project: 'unit-timed',
    test: [HOSTILE_TEST, 'files of many parts are more than the arguments of a call'],
  },
  {
    name: 'F10c',
    fault: 'a GraphError left detect()',
    edits: [
      {
        file: 'src/networks/detect.ts',
        from: '    if (!(cause instanceof GraphError)) throw cause;',
        to: '    throw cause;',
      },
    ],
    project: 'unit-timed',
    test: ['src/networks/hostile.test.ts', 'compact: a network or MODEL_UNSUPPORTED'],
  },
  {
    name: 'F10d',
    fault: 'what getMappedRange threw had no code',
    edits: [
      {
        file: DEVICE,
        from: 'this.called(() => buffer.getMappedRange(0, bytes))',
        to: 'buffer.getMappedRange(0, bytes)',
      },
    ],
    project: 'gpu',
    test: [FAULTS_TEST, 'GPUBuffer.getMappedRange: throw gives INTERNAL'],
  },
  {
    name: 'F11a',
    fault: 'a temporary file was opened through a link that was waiting there',
    edits: [
      { file: 'src/node/output.ts', from: `open(temporary, 'wx', `, to: `open(temporary, 'w', ` },
    ],
    project: 'unit',
    test: ['src/node/output.test.ts', 'one that was guessed leads nowhere'],
  },
  {
    name: 'F11b',
    fault: 'the name of a temporary file could be guessed',
    edits: [
      {
        file: 'src/node/output.ts',
        from: `randomBytes(12).toString('hex')`,
        to: `'0'.repeat(24)`,
      },
    ],
    project: 'unit',
    test: ['src/node/output.test.ts', 'of temporary files differ'],
  },
  {
    name: 'F12a',
    fault: 'a texture stayed behind for each kernel that did not compile',
    edits: [
      {
        file: 'src/engine/pipeline/draw.ts',
        from: `  const shader = await device.compileShader('pixels to texture', pixelsToTexture);
  const texture = await device.scoped('allocating the result', () => make(size));`,
        to: `  const texture = await device.scoped('allocating the result', () => make(size));
  const shader = await device.compileShader('pixels to texture', pixelsToTexture);`,
      },
    ],
    project: 'unit',
    test: ['src/engine/pipeline/draw.test.ts', 'leaves no texture behind'],
  },
  {
    name: 'F12b',
    fault: 'the buffers of a resize stayed behind when it could not begin',
    edits: [
      {
        file: 'src/engine/pipeline/resize.ts',
        from: '      buffers.destroy();\n      throw error;',
        to: '      throw error;',
      },
    ],
    project: 'gpu',
    test: ['src/engine/pipeline/resize.gpu.test.ts', 'frees its buffers'],
  },
  {
    name: 'F13a',
    fault: 'a file that was given up left a rejection unhandled',
    edits: [
      {
        file: 'src/codecs/sink.ts',
        from: `writer.abort(new CrispenError('ABORTED', 'Writing the file was cancelled.')).catch(() => {});`,
        to: `void writer.abort(new CrispenError('ABORTED', 'Writing the file was cancelled.'));`,
      },
    ],
    project: 'unit',
    test: ['src/codecs/sink.test.ts', 'that is cancelled while it closes fails once'],
  },
  {
    name: 'F13b',
    fault: 'the first job after an idle worker had died failed',
    edits: [{ file: 'src/worker/page/client.ts', from: '      await session.alive();\n', to: '' }],
    project: 'e2e',
    test: ['e2e/library.test.ts', 'starts another worker when an idle one has died'],
  },
  {
    name: 'F13c',
    fault: 'the site had no content policy',
    edits: [
      {
        file: 'vite.config.ts',
        from: '    policy,\n    licences({ emit: true }),',
        to: '    licences({ emit: true }),',
      },
    ],
    project: 'e2e',
    test: ['e2e/site.test.ts', 'the page "" allows only its own origin'],
  },
  {
    name: 'F13d',
    fault: 'the worker could not start under Trusted Types',
    edits: [
      {
        file: 'src/worker/trusted.ts',
        from: `  if (!('trustedTypes' in globalThis)) return make();`,
        to: '  return make();',
      },
    ],
    project: 'e2e',
    test: ['e2e/edges.test.ts', 'Trusted Types: trusted-types crispen'],
  },
  {
    name: 'F13e',
    fault: 'the site carried no licences',
    edits: [
      { file: 'vite.config.ts', from: 'licences({ emit: true })', to: 'licences({ emit: false })' },
    ],
    project: 'e2e',
    test: ['e2e/site.test.ts', 'the site carries the licences'],
  },
  {
    name: 'F13f',
    fault: 'shaders had constants made by select, which naga 24 refuses',
    edits: ['packRgba8', 'resampleRows'].map((name) => {
      const wide = name === 'packRgba8' ? 'WIDE' : 'WIDE_OUT';
      return {
        file: `src/shaders/pixels/${name}.wgsl`,
        from: `#if ${wide}\n  const TOP = 65535.0;\n#else\n  const TOP = 255.0;\n#end`,
        to: `const TOP = select(255.0, 65535.0, ${wide});`,
      };
    }),
    project: 'unit',
    test: ['test/shaders.test.ts', 'no constant of a shader is made by select'],
  },
];
