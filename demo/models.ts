import type { AddedTask, ModelEntry, Task, UpscaleOutput } from '../src/index.ts';
import { type Texts, t } from './texts/texts.ts';

export type Scale = number;
/** Returns the initial scale for a task. A restored picture keeps its size. */
export const firstScale = (task: AddedTask): Scale => (task === 'upscale' ? 2 : 1);

/** A model as a choice for visitors. `kind` stays the same at other scales. */
export interface ModelOption {
  readonly id: string;
  readonly kind: string;
  readonly title: string;
  readonly text: string;
}

export type Offer = Pick<
  ModelEntry,
  'id' | 'task' | 'scale' | 'description' | 'kind' | 'best' | 'fast'
>;

/** The tasks that shipped models can perform. */
export type PictureTask = Extract<Task, 'upscale' | 'dejpeg' | 'denoise'>;

const ORDER: readonly PictureTask[] = ['upscale', 'dejpeg', 'denoise'];

/** Returns the tasks that have a model. */
export const tasksOf = (models: readonly Offer[]): PictureTask[] =>
  ORDER.filter((task) => models.some((model) => model.task === task));

/**
 * The kinds in the order in which they are listed. Other models follow and are shown under their
 * ids.
 */
const KINDS: readonly string[] = [
  'photo-auto',
  'photo',
  'photo-fast',
  'sharp',
  'clean',
  'clean-fast',
  'lcoan',
  'acla',
  'asid',
  'a2nm',
  'a2n',
  'a2n-photo',
  'a2n-denoise',
  'acla-denoise',
] satisfies (keyof Texts['kinds'])[];

/**
 * Returns a sample of the pictures that a model is intended for: a drawing for clean models, and a
 * photo for all other models, including restoration.
 */
export const thumbnailOf = (kind: string): string =>
  /photo|sharp|denoise|jpeg/.test(kind) || !/^(clean|lcoan|acla|asid|a2n)/.test(kind)
    ? './samples/cat.jpg'
    : './samples/drawing.svg';

const kindWords = (kind: string): Pick<ModelOption, 'title' | 'text'> | undefined =>
  (t.kinds as Readonly<Record<string, Pick<ModelOption, 'title' | 'text'>>>)[kind];

/**
 * Returns a model's title in the visitor's language. This also works for the models of earlier
 * results.
 */
export const choiceTitle = ({ kind, title }: Pick<ModelOption, 'kind' | 'title'>): string =>
  kindWords(kind)?.title ?? title;

const familyOf = ({ id }: Pick<Offer, 'id'>): string => id.replace(/-x\d+$/, '');

/**
 * Returns the title of the model that produced a result. After an automatic choice, this is the
 * title of the chosen model.
 */
export const madeTitle = ({
  settings,
  diagnostics,
}: {
  readonly settings: { readonly model: Pick<ModelOption, 'kind' | 'title'> };
  readonly diagnostics: Pick<UpscaleOutput['diagnostics'], 'auto'>;
}): string => {
  const { model } = settings;
  const { auto } = diagnostics;
  return choiceTitle(auto ? { ...model, kind: kindOfSpeed(auto.speed) } : model);
};

export const kindOfSpeed = (speed: 'best' | 'fast'): string =>
  speed === 'fast' ? 'photo-fast' : 'photo';

/**
 * A kind's best and fast models are named after the kind. Other models are named after their
 * family.
 */
function kindOf({ id, kind, best, fast }: Offer): string {
  if (kind !== null && best) return kind;
  return kind !== null && fast ? `${kind}-fast` : familyOf({ id });
}

/**
 * Returns the models for a factor, one of each kind, with photo models first. For each kind, this
 * is the model for that scale, otherwise the model for the next larger scale, otherwise the model
 * for the largest scale. A family appears only once. A fast model is only offered if it saves time.
 * Otherwise, there is also no automatic choice between the photo models.
 */
export function choicesAt(models: readonly Offer[], factor: number): ModelOption[] {
  const rank = (kind: string) => (KINDS.indexOf(kind) + KINDS.length + 1) % (KINDS.length + 1);
  const offers = models.filter(({ task }) => task === 'upscale');
  offers.sort((a, b) => a.scale - b.scale);
  const fits = ({ scale }: Offer) => (scale === factor ? 0 : scale > factor ? scale : 100 / scale);
  const chosen = [...new Set(offers.map(kindOf))].flatMap((kind) => {
    const own = offers.filter((offer) => kindOf(offer) === kind);
    const above = own.find(({ scale }) => scale >= factor);
    return above ?? (kind.endsWith('-fast') ? [] : (own.at(-1) ?? []));
  });
  chosen.sort((a, b) => fits(a) - fits(b));
  const choices = chosen
    .filter(
      (offer, i) =>
        offer.scale === factor || chosen.findIndex((o) => familyOf(o) === familyOf(offer)) === i,
    )
    .map(described);
  const isOpen = ['photo', 'photo-fast'].every((kind) => choices.some((c) => c.kind === kind));
  return [...(isOpen ? [AUTOMATIC()] : []), ...choices].sort((a, b) => rank(a.kind) - rank(b.kind));
}

/** Returns the option that stands for the library's model `auto`. */
const AUTOMATIC = (): ModelOption => ({
  id: 'auto',
  kind: 'photo-auto',
  ...t.kinds['photo-auto'],
});

/**
 * Returns the models for a task and a factor, starting with the default. Restoration models fit any
 * factor.
 */
export const choicesFor = (
  models: readonly Offer[],
  task: AddedTask,
  factor: number,
): ModelOption[] =>
  task === 'upscale'
    ? choicesAt(models, factor)
    : models.filter((model) => model.task === task).map(described);

function described(offer: Offer): ModelOption {
  const { id, description } = offer;
  const kind = kindOf(offer);
  const { title, text } = kindWords(kind) ?? { title: id, text: description };
  return { id, kind, title, text };
}

/** Returns the title on a model's card, or the id if the model has no title. */
export function titleOf(models: readonly Offer[], id: string): string {
  const offer = models.find((model) => model.id === id);
  return offer ? described(offer).title : id;
}

/**
 * Returns the task's model of the requested kind. For `photo-fast` and `photo-auto`, `photo` is the
 * second choice. If there is no such model, returns the first model.
 */
export function choose(
  models: readonly Offer[],
  task: Task,
  factor: number,
  kind: string,
): ModelOption {
  const choices = choicesFor(models, task, factor);
  const find = (wanted: string) => choices.find((candidate) => candidate.kind === wanted);
  const choice = find(kind) ?? find(kind.replace(/-(fast|auto)$/, '')) ?? choices[0];
  if (!choice) throw new Error(`The manifest has no model for ${task}.`);
  return choice;
}
