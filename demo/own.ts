import type { AddedModel, Upscaler } from '../src/index.ts';
import { copyOf, get, onClick } from './dom.ts';
import { save } from './download.ts';
import type { Trouble } from './state.ts';
import { t } from './texts/texts.ts';
import { troubleOf } from './texts/trouble.ts';

/** Returns whether a file is treated as a weight file rather than a picture. */
export const isWeightFile = (name: string): boolean => /\.(pth|pt|ckpt|safetensors)$/i.test(name);

const NAMES: Readonly<Record<string, string>> = {
  a2n: 'A2N',
  a2nm: 'A2N-M',
  pan: 'PAN',
  compact: 'Compact',
  span: 'SPAN',
  esrgan: 'ESRGAN',
  edsr: 'EDSR',
  lcoan: 'LCoAN',
  'edsr-acla': 'EDSR-ACLA',
  dlsn: 'DLSN',
  asid: 'ASID',
  omnisr: 'OmniSR',
  swinir: 'SwinIR',
  srformer: 'SRFormer',
  dat: 'DAT',
  rcan: 'RCAN',
  realplksr: 'RealPLKSR',
  plksr: 'PLKSR',
  mosr: 'MoSR',
  realcugan: 'Real-CUGAN',
};

/** Describes an added model in one line. */
export function describeModel(model: AddedModel): string {
  const { architecture, task, scale, scaleSource, bytes, kept, assumptions } = model;
  const does = task === 'upscale' ? `${scale}×` : t.own[task];
  const megabytes = Math.max(0.1, bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
  return [
    `${NAMES[architecture] ?? architecture}, ${scaleSource === 'default' ? t.own.assumedScale(does) : does}, ${megabytes} MB`,
    ...assumptions.map((text) => t.own.assumed(text)),
    ...(kept ? [] : [t.own.notKept]),
  ].join('; ');
}

interface Parts {
  readonly upscaler: Pick<Upscaler, 'addModel' | 'models' | 'removeModel' | 'exportModel'>;
  /**
   * Returns the scale that is chosen on the page. It is used if a file does not determine its own
   * scale.
   */
  readonly likelyScale: () => number;
  readonly onUse: (model: AddedModel) => void;
  /** Called before a model is removed, if it is the one in use. */
  readonly onRemoved: () => void;
  readonly onTrouble: (trouble: Trouble) => void;
}

/**
 * The list of the visitor's own models. Models can be selected, saved as safetensors, removed and
 * added.
 */
export class OwnModels {
  readonly #parts: Parts;
  #models: readonly AddedModel[] = [];
  #used = '';

  constructor(parts: Parts) {
    this.#parts = parts;
    const file = get<HTMLInputElement>('own-file');
    onClick('own-add', () => file.click());
    file.addEventListener('change', () => {
      const [picked] = file.files ?? [];
      if (picked) void this.add(picked);
      file.value = '';
    });
    get('own-list').addEventListener('change', (event) => {
      const { value } = event.target as HTMLInputElement;
      const model = this.#models.find(({ id }) => id === value);
      if (model) this.#parts.onUse(model);
    });
    get('own-list').addEventListener('click', (event) => {
      const button = (event.target as HTMLElement).closest('button');
      const model = this.#models.find(({ id }) => id === button?.value);
      if (button && model) void this.#act(button.name === 'remove' ? 'remove' : 'save', model);
    });
  }

  /** Rereads the list from storage. */
  async refresh(): Promise<void> {
    this.#models = await this.#parts.upscaler.models();
    this.render();
  }

  /** Adds a weight file and selects its model. */
  async add(file: File): Promise<void> {
    const note = get('own-note');
    const reading = (fraction: number) => {
      note.textContent = t.own.reading(file.name, Math.floor(fraction * 100));
    };
    reading(0);
    const likelyScale = this.#parts.likelyScale();
    try {
      const model = await this.#parts.upscaler.addModel(file, {
        likelyScale,
        onProgress: ({ fraction }) => reading(fraction),
      });
      await this.refresh();
      this.#parts.onUse(model);
    } catch (error) {
      const { message, hint } = troubleOf(error);
      this.#parts.onTrouble({ message: `${file.name}: ${message}`, hint });
    } finally {
      note.textContent = '';
    }
  }

  /** Marks the model that is in use, if it is in this list. */
  show(used: string): void {
    this.#used = used;
    for (const input of get('own-list').querySelectorAll('input')) {
      input.checked = input.value === used;
    }
  }

  async #act(what: 'remove' | 'save', model: AddedModel): Promise<void> {
    const { upscaler, onRemoved, onTrouble } = this.#parts;
    try {
      if (what === 'save') {
        save(await upscaler.exportModel(model.id), `${model.name}.safetensors`);
        return;
      }
      if (model.id === this.#used) onRemoved();
      await upscaler.removeModel(model.id);
      await this.refresh();
    } catch (error) {
      onTrouble(troubleOf(error));
    }
  }

  /** Renders the list in the current language. */
  render(): void {
    get('own-list').replaceChildren(
      ...this.#models.map((model) => {
        const row = copyOf('own-row');
        row.querySelector('input')!.value = model.id;
        row.querySelector('b')!.textContent = model.name || model.architecture;
        row.querySelector('small')!.textContent = describeModel(model);
        for (const button of row.querySelectorAll('button')) {
          button.value = model.id;
          button.setAttribute('aria-label', `${button.textContent?.trim()}: ${model.name}`);
        }
        return row;
      }),
    );
    this.show(this.#used);
  }
}
