import { createUpscaler, type ErrorCode, MODELS } from '../src/index.ts';
import { Before } from './before.ts';
import { get, onClick, onFreeClick, say, whenIdle } from './dom.ts';
import { canPickFile, canPickFolder, EXTENSIONS, pickFile, type SaveFormat } from './download.ts';
import { fileSize, resultName } from './format.ts';
import { fromFolder, type Given, listenForFiles, readPicture, releasePicture } from './intake.ts';
import { claimKeeping, Keeper } from './keep.ts';
import { Leaving } from './leaving.ts';
import { Elsewhere } from './notify.ts';
import { listenForLaunches } from './offline/given.ts';
import { Offline } from './offline/offline.ts';
import { Output } from './output.ts';
import { describeModel, isWeightFile, OwnModels } from './own.ts';
import { recallSettings, rememberSettings } from './remember.ts';
import { Saving } from './saving.ts';
import { Session } from './session.ts';
import { factorOf, wishName } from './sizes.ts';
import { type State, selectedOf, sourceSizeOf } from './state.ts';
import { startLanguage } from './texts/language.ts';
import { t, useLanguage } from './texts/texts.ts';
import { trouble, troubleOf } from './texts/trouble.ts';
import { PageView } from './view.ts';

/** `?backend=webgpu` also accepts a software adapter. `?backend=cpu` does not use the GPU. */
const wanted = new URLSearchParams(location.search).get('backend');
const backend = wanted === 'webgpu' || wanted === 'cpu' ? wanted : 'auto';
const upscaler = createUpscaler({ backend });

const view = new PageView(MODELS, {
  open: (files, isFolder) => take(Promise.resolve(isFolder ? fromFolder(files) : given(files))),
  openSample: (url) => void openSample(url),
  setTask: (task) => session.setTask(task),
  setSize: (size) => session.setSize(size),
  setKind: (kind) => session.setKind(kind),
  applyToAll: () => session.applyToAll(),
  cancel: () => session.cancel(),
  restart: () => session.restart(),
  revert: () => session.revert(),
  writeToFile: () => void writeToFile(),
  runWith: (way) => session.runWith(way),
  save: (format, metadata) => saving.saveOne(format, metadata),
  dismiss: () => session.report(null),
  copy: () => saving.copy(),
  share: () => saving.share(),
  dragOut: (event) => saving.dragOut(event),
  inspect: () => void inspect(),
  undo: () => session.undo(),
  goBack: () => session.goHome(false),
  crop: () => void crop(),
  uncrop: () => session.setCrop(null),
  setStrength: (strength) => session.setStrength(strength),
  setBefore: (mode) => before.setMode(mode, session.state),
  setReference: (file) => void before.setReference(file, session.state),
  pin: () => void before.pin(session.state),
  select: (id) => session.select(id),
  move: (id, place) => session.move(id, place),
  remove: (ids) => session.remove(ids),
  pause: (isPaused) => session.pause(isPaused),
  cancelAll: () => session.cancelAll(),
  retryAll: () => session.retryAll(),
});

const session = new Session({
  upscaler,
  models: MODELS,
  draw: (file) => createImageBitmap(file),
  canPickFile: canPickFile(),
  release: releasePicture,
  onChange: (state) => {
    before.update(state);
    render(state);
    leaving.render(state);
    keeper.update(state);
    elsewhere.render(state);
    offline.render(state);
    rememberSettings(state);
    own.show(state.settings.model.id);
  },
});

const before = new Before({
  upscaler,
  draw: (file) => createImageBitmap(file),
  onChange: () => render(session.state),
  onTrouble: (trouble) => session.report(trouble),
});

function render(state: State): void {
  const { file = null, width = 0, height = 0 } = selectedOf(state)?.result ?? {};
  output.show(file && { file, width, height });
  view.render(state, {
    ...before.side(state),
    isPinned: before.isPinned(state),
    hasReference: before.hasReference(state),
  });
}

const output = new Output({ upscaler });
const saving = new Saving({ upscaler, session, output });
const keeper = new Keeper({
  root: () => navigator.storage.getDirectory(),
  onTrouble: (trouble) => session.report(trouble),
});
const elsewhere = new Elsewhere();
const offline = new Offline((takeOver) => {
  get('update').hidden = false;
  get('take-update').addEventListener('click', takeOver, { once: true });
});
const leaving = new Leaving({ onHome: (isHome) => session.goHome(isHome) });

const own = new OwnModels({
  upscaler,
  likelyScale: () => {
    const { settings } = session.state;
    const item = selectedOf(session.state);
    const factor = factorOf(settings.size, item && sourceSizeOf(item));
    return Math.max(2, Math.ceil(factor ?? 2));
  },
  onUse: (model) => {
    const { id, name, task, scale } = model;
    const choice = { id, kind: id, title: name, text: describeModel(model) };
    session.useModel(choice, task, scale);
  },
  onRemoved: () => session.setKind(''),
  onTrouble: (trouble) => session.report(trouble),
});

const given = (files: readonly File[]): Given => ({ files, skipped: 0 });

/** Batches of files are processed one at a time, in order. */
let intake = Promise.resolve();

/** Accepts pictures to enlarge and models for enlarging them. */
function take(batch: Promise<Given>): void {
  intake = intake.then(async () => {
    try {
      const { files, skipped } = await batch;
      for (const file of files) if (isWeightFile(file.name)) await own.add(file);
      const pictures = files.filter(({ name }) => !isWeightFile(name));
      if (pictures.length > 0) {
        const read = pictures.map((file) => readPicture(file, file.name));
        session.add(await Promise.all(read));
      }
      if (files.length === 0) {
        session.report(trouble(t.trouble.noPictures));
      } else if (skipped > 0) {
        session.report(trouble(t.trouble.leftOut(skipped)));
      }
    } catch (error) {
      session.report(trouble(t.trouble.unreadable(troubleOf(error).message)));
    }
  });
}

async function openSample(url: string): Promise<void> {
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`The server answered ${response.status}.`);
    session.add([await readPicture(await response.blob(), url)]);
  } catch {
    session.report(trouble(t.trouble.sample));
  }
}

/** Runs `work` and reports its error on the page, if there is one. */
async function orReport(work: () => Promise<unknown>, code?: ErrorCode): Promise<void> {
  try {
    await work();
  } catch (error) {
    session.report(troubleOf(error, code));
  }
}

/** Opens the attention inspector for the selected picture. */
async function inspect(): Promise<void> {
  const { picture, result } = selectedOf(session.state) ?? {};
  const part = result?.crop ?? null;
  const model = result?.passes[0];
  if (!picture || !model) return;
  await orReport(async () => {
    const { openInspector } = await import('./inspector/inspector.ts');
    openInspector({
      upscaler,
      picture,
      part,
      model,
      onTrouble: (trouble) => session.report(trouble),
    });
  });
}

/** Lets the visitor choose a part of the selected picture. */
async function crop(): Promise<void> {
  const item = selectedOf(session.state);
  const image = item?.picture.image;
  if (!image) return;
  await orReport(async () => {
    const { chooseCrop } = await import('./crop/crop.ts');
    const chosen = await chooseCrop(image, item.crop);
    // The visitor might have selected another picture in the meantime.
    if (chosen !== 'cancelled' && session.state.selected === item.id) session.setCrop(chosen);
  });
}

async function writeToFile(): Promise<void> {
  const item = selectedOf(session.state);
  if (!item) return;
  await orReport(async () => {
    const { picture, settings } = item;
    const name = resultName(picture.name, wishName(settings.size), EXTENSIONS.png);
    const file = await pickFile(name);
    if (file) session.writeTo(file);
  }, 'WRITE_FAILED');
}

/** Handles the buttons that save all results. */
function listenForSaveAll(): void {
  const format = get<HTMLSelectElement>('queue-format');
  const folder = get('queue-save-folder');
  folder.hidden = !canPickFolder();
  for (const [button, work] of [
    [get('queue-save-zip'), saving.saveZip.bind(saving)],
    [folder, saving.saveFolder.bind(saving)],
  ] as const) {
    onFreeClick(button, async () => {
      const label = button.textContent ?? '';
      await work(format.value as SaveFormat, (done, all) =>
        say(button, t.result.saving(done, all)),
      );
      say(button, label);
    });
  }
}

/**
 * The key of a setting in local storage. The setting is `off` if the visitor does not want anything
 * stored.
 */
const KEEP = 'crispen-keep';

/**
 * Restores the pictures from an earlier visit and stores new pictures, unless the visitor has
 * turned this off.
 */
async function keepPictures(): Promise<void> {
  const keeping = get<HTMLInputElement>('keep-pictures');
  keeping.checked = localStorage.getItem(KEEP) !== 'off';
  if (!(await claimKeeping())) return;
  get('kept').hidden = false;
  const open = async () => {
    const { items, selected } = await keeper.open();
    session.restore(items, selected);
    keeper.update(session.state);
  };
  keeping.addEventListener('change', async () => {
    localStorage.setItem(KEEP, keeping.checked ? 'on' : 'off');
    await (keeping.checked ? open() : keeper.close());
  });
  onClick('forget-all', () => {
    const { items } = session.state;
    if (!confirm(t.queue.forget(items.length))) return;
    session.remove(items.map(({ id }) => id));
    session.forget();
  });
  listenForStorage();
  if (keeping.checked) await open();
}

/** The cache for the library's weight files. */
const WEIGHTS = 'crispen-weights';

/**
 * Shows how much the page has stored, and deletes weights on request. They can be downloaded again.
 */
function listenForStorage(): void {
  const show = async () => {
    const { usage = 0 } = await navigator.storage.estimate();
    say(get('kept-size'), t.keptSize(fileSize(usage)));
  };
  get('kept').addEventListener('toggle', () => void show());
  onClick('forget-weights', async () => {
    await caches.delete(WEIGHTS);
    await show();
  });
}

listenForFiles({
  onFiles: take,
  onReference: (file) => void before.setReference(file, session.state),
  onNothing: () => session.report(trouble(t.trouble.noFile)),
});
listenForLaunches((files) => take(files.then(given)));
listenForSaveAll();
const probe = new File([], 'a.png', { type: 'image/png' });
get('share').hidden = navigator.canShare?.({ files: [probe] }) !== true;
get('copy').hidden = typeof ClipboardItem === 'undefined';
recallSettings(session);
render(session.state);
void startLanguage(useLanguage, () => {
  own.render();
  elsewhere.render(session.state);
  render(session.state);
}).finally(() => {
  // The settings are filled in by now, so nothing moves when they appear.
  document.body.dataset.ready = '';
});
void keepPictures().catch((error: unknown) => console.warn(error));
// This starts the worker and its engine, so it waits until the page is idle.
whenIdle(() => void own.refresh().catch((error: unknown) => console.warn(error)));
whenIdle(() => void orReport(() => session.detect()));
