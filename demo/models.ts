import type { ModelEntry } from '../src/index.ts';

/** What shipped models enlarge by is in `SCALES`; added models have others too. */
export type Scale = number;
export const SCALES: readonly Scale[] = [2, 3, 4] satisfies readonly ModelEntry['scale'][];

/** A model as people choose it. `kind` is the part of the id that stays the same at other scales. */
export interface ModelChoice {
  readonly id: string;
  readonly kind: string;
  readonly title: string;
  readonly text: string;
}

type Offer = Pick<ModelEntry, 'id' | 'scale' | 'description'>;

const WORDS: Readonly<Record<string, Pick<ModelChoice, 'title' | 'text'>>> = {
  'a2n-photo': {
    title: 'Photo',
    text: 'From the web or a phone: removes JPEG traces and noise as well.',
  },
  a2n: { title: 'Clean', text: 'Renders, artwork, lossless pictures: keeps every detail.' },
};

const kindOf = (id: string): string => id.replace(/-x\d+$/, '');

/** The models that exist at a scale, those for photos first. */
export function choicesAt(models: readonly Offer[], scale: Scale): ModelChoice[] {
  const order = Object.keys(WORDS);
  const rank = (kind: string) => (order.indexOf(kind) + order.length + 1) % (order.length + 1);
  return models
    .filter((model) => model.scale === scale)
    .map((model) => {
      const kind = kindOf(model.id);
      const words = WORDS[kind] ?? { title: model.id, text: model.description };
      return { id: model.id, kind, ...words };
    })
    .sort((a, b) => rank(a.kind) - rank(b.kind));
}

/** The model of the wished kind at a scale, or else the first one there. */
export function choose(models: readonly Offer[], scale: Scale, kind: string): ModelChoice {
  const choices = choicesAt(models, scale);
  const choice = choices.find((candidate) => candidate.kind === kind) ?? choices[0];
  if (!choice) throw new Error(`The manifest has no model at ${scale}x.`);
  return choice;
}
