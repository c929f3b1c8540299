import type { AddedTask, ModelEntry, Task } from '../src/index.ts';

/** What shipped models enlarge by is in `SCALES`; added models have others too. */
export type Scale = number;
export const SCALES: readonly Scale[] = [2, 3, 4] satisfies readonly ModelEntry['scale'][];

/** The size that a task begins with: a restored picture keeps its own. */
export const firstScale = (task: AddedTask): Scale => (task === 'upscale' ? 2 : 1);

/** A model as people choose it. `kind` is the part of the id that stays the same at other scales. */
export interface ModelChoice {
  readonly id: string;
  readonly kind: string;
  readonly title: string;
  readonly text: string;
}

export type Offer = Pick<ModelEntry, 'id' | 'task' | 'scale' | 'description'>;

/** Tasks of pictures; a mosaic is none that a page could show. */
export type PictureTask = Exclude<Task, 'demosaic'>;

const ORDER: readonly PictureTask[] = ['upscale', 'dejpeg', 'denoise'];

/** The tasks that there are models for. */
export const tasksOf = (models: readonly Offer[]): PictureTask[] =>
  ORDER.filter((task) => models.some((model) => model.task === task));

const WORDS: Readonly<Record<string, Pick<ModelChoice, 'title' | 'text'>>> = {
  'a2n-photo': {
    title: 'Photo',
    text: 'From the web or a phone: removes JPEG traces and noise as well.',
  },
  pan: { title: 'Clean', text: 'Renders, artwork, lossless pictures: keeps every detail.' },
  a2n: { title: 'Clean (A2N)', text: 'The same by a network of four times the size.' },
};

const kindOf = (id: string): string => id.replace(/-x\d+$/, '');

/** The models that enlarge by a scale, those for photos first. */
export function choicesAt(models: readonly Offer[], scale: Scale): ModelChoice[] {
  const order = Object.keys(WORDS);
  const rank = (kind: string) => (order.indexOf(kind) + order.length + 1) % (order.length + 1);
  return models
    .filter((model) => model.task === 'upscale' && model.scale === scale)
    .map(described)
    .sort((a, b) => rank(a.kind) - rank(b.kind));
}

function described({ id, description }: Offer): ModelChoice {
  const kind = kindOf(id);
  return { id, kind, ...(WORDS[kind] ?? { title: id, text: description }) };
}

/**
 * The model of a task: one that restores serves any scale, else it is the one of the wished kind at
 * the scale, or the first one there.
 */
export function choose(
  models: readonly Offer[],
  task: Task,
  scale: Scale,
  kind: string,
): ModelChoice {
  if (task !== 'upscale') {
    const restores = models.find((model) => model.task === task);
    if (!restores) throw new Error(`The manifest has no model for ${task}.`);
    return described(restores);
  }
  const choices = choicesAt(models, scale);
  const choice = choices.find((candidate) => candidate.kind === kind) ?? choices[0];
  if (!choice) throw new Error(`The manifest has no model at ${scale}x.`);
  return choice;
}
