import {
  CrispenError,
  createUpscaler,
  type Metadata,
  MODELS,
  type UpscaleRequest,
} from '../src/index.ts';
import { canPickFile, EXTENSIONS, pickFile, type SaveFormat, save } from './download.ts';
import { resultName } from './format.ts';
import { listenForFiles, readImage, releaseImage } from './intake.ts';
import { describeModel, isWeightFile, OwnModels } from './own.ts';
import { Session } from './session.ts';
import { PageView } from './view.ts';

/** `?backend=webgpu` takes a software adapter, too; `?backend=cpu` leaves the GPU alone. */
const wanted = new URLSearchParams(location.search).get('backend');
const backend = wanted === 'webgpu' || wanted === 'cpu' ? wanted : 'auto';
const upscaler = createUpscaler({ backend });
let image: HTMLImageElement | null = null;
/** Counts the pictures given, so that of two in quick succession the later one wins. */
let given = 0;

const view = new PageView(MODELS, {
  open: (file) => take(file),
  openSample: (url) => void openSample(url),
  setTask: (task) => void session.setTask(task),
  setScale: (scale) => void session.setScale(scale),
  setKind: (kind) => void session.setKind(kind),
  cancel: () => session.cancel(),
  restart: () => void session.restart(),
  writeToFile: () => void writeToFile(),
  runWith: (way) => void session.runWith(way),
  save: (format, metadata) => saveResult(format, metadata),
});

const session = new Session({
  upscaler,
  models: MODELS,
  draw: (file) => createImageBitmap(file),
  canPickFile: canPickFile(),
  onChange: (state) => {
    view.render(state, image);
    own.show(state.model.id);
  },
});

const own = new OwnModels({
  upscaler,
  likelyScale: () => Math.max(2, session.state.scale),
  onUse: (model) => {
    const { id, name, task, scale } = model;
    const choice = { id, kind: id, title: name, text: describeModel(model) };
    void session.useModel(choice, task, scale);
  },
  onRemoved: () => void session.setKind(''),
  onTrouble: (trouble) => session.report(trouble),
});

/** A picture to enlarge, or a model to do it with. */
function take(file: File): void {
  if (isWeightFile(file.name)) void own.add(file);
  else void open(file, file.name);
}

async function open(file: Blob, name: string): Promise<void> {
  given += 1;
  const turn = given;
  const next = await readImage(file);
  if (turn !== given) {
    releaseImage(next);
    return;
  }
  const old = image;
  image = next;
  const size = next && { width: next.naturalWidth, height: next.naturalHeight };
  const job = session.open({ file, name, size });
  releaseImage(old);
  await job;
}

async function openSample(url: string): Promise<void> {
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`The server answered ${response.status}.`);
    await open(await response.blob(), url);
  } catch {
    session.report({
      message: 'The sample could not be loaded.',
      hint: 'Check the connection, or drop a picture of your own.',
    });
  }
}

async function writeToFile(): Promise<void> {
  const { picture, scale } = session.state;
  try {
    const file = await pickFile(resultName(picture?.name ?? '', scale, EXTENSIONS.png));
    if (file) await session.writeTo(file);
  } catch (error) {
    const { message, hint } = CrispenError.from(error, 'WRITE_FAILED');
    session.report({ message, hint });
  }
}

async function saveResult(format: SaveFormat, metadata: Metadata): Promise<void> {
  const { phase, picture } = session.state;
  if (phase.kind !== 'done' || picture === null) return;
  const { result } = phase;
  if (result.file === null) return;
  try {
    const type = `image/${format}` satisfies UpscaleRequest['output'];
    const isAsWanted = metadata === 'keep' || !result.source.hasMetadata || result.preview !== null;
    const isReady = format === 'png' && isAsWanted;
    const blob = isReady ? result.file : await upscaler.encode(result.file, { type, metadata });
    save(blob, resultName(picture.name, result.scale, EXTENSIONS[format]));
  } catch (error) {
    const { message, hint } = CrispenError.from(error, 'ENCODE_FAILED');
    session.report({ message, hint });
  }
}

listenForFiles({
  onFiles: ([first]) => first && take(first),
  onNothing: () =>
    session.report({
      message: 'That was not a picture file.',
      hint: 'Save the picture first, then drop the file here.',
    }),
});

view.render(session.state, null);
void own.refresh().catch((error: unknown) => console.warn(error));
void session.detect().catch((error: unknown) => {
  const { message, hint } = CrispenError.from(error);
  session.report({ message, hint });
});
