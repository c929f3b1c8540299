/** The attention inspector, a dialog that is loaded when it is first opened. */
import './inspector.css';
import type { Rect } from '../../src/geometry.ts';
import type { AttentionInspection, Upscaler } from '../../src/index.ts';
import { save } from '../download.ts';
import { withoutFolder } from '../format.ts';
import type { Picture, Trouble } from '../state.ts';
import { t } from '../texts/texts.ts';
import { troubleOf } from '../texts/trouble.ts';
import { ARROWS, button, make } from './build.ts';
import { layerBars, pixelChart } from './charts.ts';
import {
  attendedMap,
  choicesOf,
  exported,
  indexOf,
  type Layer,
  layersOf,
  type MapChoice,
  mapOf,
  type Pixel,
  pixelValues,
  sampledKeys,
} from './maps.ts';
import { drawOverlay } from './overlay.ts';

interface Parts {
  readonly upscaler: Pick<Upscaler, 'inspect'>;
  readonly picture: Picture;
  /** The part of the picture that was processed. Null means the whole picture. */
  readonly part: Rect | null;
  /** The model's id. */
  readonly model: string;
  readonly onTrouble: (trouble: Trouble) => void;
}

/** The side length of the part that is inspected at full size, in pixels. */
const PART = 128;

/** Opens the inspector for a picture and a model. */
export function openInspector(parts: Parts): void {
  void new Inspector(parts).run(null);
}

class Inspector {
  readonly #parts: Parts;
  readonly #dialog: HTMLDialogElement;
  readonly #stage = make('div', { className: 'inspector-stage' });
  readonly #side = make('div', { className: 'inspector-side' });
  readonly #canvas: HTMLCanvasElement;
  /** The controls below the bars, which are rebuilt for each layer. */
  readonly #pixelPart = make('section', { 'aria-live': 'polite' });
  #controller = new AbortController();
  #inspection: AttentionInspection | null = null;
  #layers: readonly Layer[] = [];
  #layer: Layer | null = null;
  #choice: MapChoice = 'mean';
  #pixel: Pixel | null = null;
  #opacity = 0.7;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#canvas = make('canvas', { tabIndex: 0, role: 'img', 'aria-label': t.inspector.picture });
    this.#canvas.dataset.testid = 'inspector-canvas';
    const close = make('button', { type: 'button', className: 'button quiet' }, t.inspector.close);
    close.addEventListener('click', () => this.#dialog.close());
    this.#dialog = make(
      'dialog',
      { className: 'inspector', 'aria-label': t.inspector.title },
      make(
        'div',
        { className: 'inspector-body' },
        make('header', { className: 'inspector-head' }, make('h2', {}, t.inspector.title), close),
        this.#stage,
        this.#side,
      ),
    );
    this.#dialog.addEventListener('close', () => {
      this.#controller.abort();
      this.#dialog.remove();
    });
    // Escape closes only the dialog. On the page, it cancels jobs.
    this.#dialog.addEventListener('keydown', (event) => event.stopPropagation());
    this.#canvas.addEventListener('click', (event) => this.#choosePixel(this.#pixelAt(event)));
    this.#canvas.addEventListener('keydown', (event) => this.#moveByKey(event));
    document.body.append(this.#dialog);
    this.#dialog.showModal();
  }

  /** Inspects the whole processed part (`null`), or only a region at full size. */
  async run(region: AttentionInspection['region'] | null): Promise<void> {
    const { upscaler, picture, part, model, onTrouble } = this.#parts;
    const wanted = region ?? part;
    this.#controller.abort();
    this.#controller = new AbortController();
    const { signal } = this.#controller;
    const bar = make('progress', { max: 1, value: 0, 'aria-label': t.inspector.running });
    this.#stage.replaceChildren(make('p', { role: 'status' }, t.inspector.running, ' ', bar));
    this.#side.replaceChildren();
    try {
      const inspection = await upscaler.inspect(picture.file, {
        model,
        ...(wanted && { region: wanted }),
        signal,
        onProgress: ({ fraction }) => {
          bar.value = fraction;
        },
      });
      this.#show(inspection);
    } catch (error) {
      if (signal.aborted) return;
      this.#dialog.close();
      onTrouble(troubleOf(error));
    }
  }

  #show(inspection: AttentionInspection): void {
    this.#inspection = inspection;
    const name = this.#layer?.name;
    this.#layers = layersOf(inspection);
    this.#pixel = null;
    const [first] = this.#layers;
    if (!first) {
      this.#stage.replaceChildren(make('p', {}, t.inspector.none));
      return;
    }
    this.#stage.replaceChildren(this.#canvas);
    this.#chooseLayer(this.#layers.find((layer) => layer.name === name) ?? first);
  }

  #chooseLayer(layer: Layer): void {
    const hadFocus = this.#side.contains(document.activeElement);
    this.#layer = layer;
    const choices = choicesOf(layer);
    if (!choices.includes(this.#choice)) this.#choice = choices[0] ?? 'mean';
    this.#renderSide(layer, choices);
    this.#render();
    if (hadFocus) this.#side.querySelector<HTMLElement>('[aria-pressed="true"]')?.focus();
  }

  #renderSide(layer: Layer, choices: readonly MapChoice[]): void {
    const words = t.inspector;
    const select = make(
      'select',
      {},
      ...choices.map((choice) => make('option', { value: choice }, choiceWords(layer, choice))),
    );
    select.value = this.#choice;
    select.dataset.testid = 'inspector-map';
    select.addEventListener('change', () => {
      this.#choice = select.value as MapChoice;
      this.#render();
    });
    const opacity = make('input', { type: 'range', min: '0', max: '1', step: '0.05' });
    opacity.value = String(this.#opacity);
    opacity.addEventListener('input', () => {
      this.#opacity = Number(opacity.value);
      this.#render();
    });
    this.#side.replaceChildren(
      this.#sizeRow(),
      layerBars(this.#layers, layer, (chosen) => this.#chooseLayer(chosen)),
      ...(choices.length > 0 ? [make('label', {}, words.map, select)] : []),
      make('label', {}, words.opacity, opacity),
      this.#pixelPart,
      make(
        'p',
        { className: 'inspector-out' },
        button('button small', words.savePng, 'inspector-png', () => void this.#savePng()),
        button('button small', words.saveJson, 'inspector-json', () => this.#saveJson()),
      ),
    );
  }

  #sizeRow(): HTMLElement {
    const { width, height, reduction, region } = this.#inspection as AttentionInspection;
    const { part, picture } = this.#parts;
    const size = part ?? picture.size;
    const isPart = size !== null && (region.width < size.width || region.height < size.height);
    const { closer, whole } = t.inspector;
    const small = 'button small';
    const buttons = [
      ...(reduction > 1
        ? [button(small, closer, 'inspector-closer', () => void this.run(this.#part()))]
        : []),
      ...(isPart ? [button(small, whole, 'inspector-whole', () => void this.run(null))] : []),
    ];
    const saw = t.inspector.saw(width, height, reduction);
    return make('p', { className: 'aside' }, `${saw} `, ...buttons);
  }

  /**
   * Returns the region to inspect at full size: around the chosen pixel, or around the middle if
   * none is chosen.
   */
  #part(): AttentionInspection['region'] {
    const { region, reduction, width, height } = this.#inspection as AttentionInspection;
    const { x, y } = this.#pixel ?? { x: width / 2, y: height / 2 };
    const [partWidth, partHeight] = [region.width, region.height].map((side) => {
      return Math.min(PART, side);
    });
    const place = (middle: number, part: number, from: number, whole: number) =>
      from + Math.round(Math.min(whole - part, Math.max(0, middle * reduction - part / 2)));
    return {
      x: place(x, partWidth, region.x, region.width),
      y: place(y, partHeight, region.y, region.height),
      width: partWidth,
      height: partHeight,
    };
  }

  #render(): void {
    const inspection = this.#inspection;
    const layer = this.#layer;
    const { image } = this.#parts.picture;
    if (!inspection || !layer || !image) return;
    drawOverlay(this.#canvas, image, inspection, {
      map: mapOf(layer, this.#choice),
      layer,
      pixel: this.#pixel,
      opacity: this.#opacity,
    });
    this.#renderPixel(inspection, layer);
  }

  #renderPixel(inspection: AttentionInspection, layer: Layer): void {
    const words = t.inspector;
    const pixel = this.#pixel;
    if (!pixel) {
      this.#pixelPart.replaceChildren(make('p', { className: 'aside' }, words.pixelNone));
      return;
    }
    const channel = this.#choice.startsWith('channel-') ? indexOf(this.#choice) : null;
    const values = pixelValues(inspection, pixel, channel);
    const lines: string[] = [];
    if (layer.kind === 'clusters') {
      const map = attendedMap(layer.of, pixel);
      lines.push(words.attends(Array.from(map.values).filter((weight) => weight > 0).length));
    }
    if (layer.kind === 'keys') {
      const keys = sampledKeys(layer.of, pixel);
      lines.push(words.keys(keys.filter(({ gate }) => gate !== 0).length, keys.length));
    }
    this.#pixelPart.replaceChildren(
      make('p', {}, words.pixel(pixel.x, pixel.y)),
      ...lines.map((line) => make('p', { className: 'aside' }, line)),
      ...(values.length > 0 ? [pixelChart(values)] : []),
    );
  }

  #pixelAt({ clientX, clientY }: MouseEvent): Pixel {
    const { left, top, width, height } = this.#canvas.getBoundingClientRect();
    const { width: columns, height: rows } = this.#inspection as AttentionInspection;
    return {
      x: Math.floor(((clientX - left) / width) * columns),
      y: Math.floor(((clientY - top) / height) * rows),
    };
  }

  #choosePixel({ x, y }: Pixel): void {
    const { width, height } = this.#inspection as AttentionInspection;
    const inside = (value: number, side: number) => Math.min(side - 1, Math.max(0, value));
    this.#pixel = { x: inside(x, width), y: inside(y, height) };
    this.#render();
  }

  #moveByKey(event: KeyboardEvent): void {
    const step = ARROWS[event.key];
    const inspection = this.#inspection;
    if (!step || !inspection) return;
    event.preventDefault();
    const { x, y } = this.#pixel ?? {
      x: Math.floor(inspection.width / 2),
      y: Math.floor(inspection.height / 2),
    };
    const size = event.shiftKey ? 10 : 1;
    this.#choosePixel({ x: x + step[0] * size, y: y + step[1] * size });
  }

  async #savePng(): Promise<void> {
    const file = await new Promise<Blob | null>((resolve) => this.#canvas.toBlob(resolve));
    if (file) save(file, `${this.#fileName()}.png`);
  }

  #saveJson(): void {
    const [inspection, layer] = [this.#inspection, this.#layer];
    if (!inspection || !layer) return;
    const data = exported(inspection, { layer, choice: this.#choice, pixel: this.#pixel });
    const file = new Blob([JSON.stringify(data)], { type: 'application/json' });
    save(file, `${this.#fileName()}.json`);
  }

  #fileName(): string {
    const base = withoutFolder(this.#parts.picture.name)
      .replace(/\.[A-Za-z0-9]{1,5}$/, '')
      .trim();
    return `${base || 'picture'} ${this.#layer?.name} ${this.#choice}`;
  }
}

function choiceWords(layer: Layer, choice: MapChoice): string {
  const words = t.inspector;
  if (layer.kind === 'clusters') {
    return layer.of.rounds === 1 ? words.clusters : words.round(indexOf(choice) + 1);
  }
  if (layer.kind === 'keys') return words.reference(layer.of.references[indexOf(choice)].name);
  if (choice === 'enhanced') return words.enhanced(layer.of.enhanced?.channel ?? 0);
  if (choice === 'suppressed') return words.suppressed(layer.of.suppressed?.channel ?? 0);
  return choice === 'mean' ? words.mean : words.channel(indexOf(choice));
}
