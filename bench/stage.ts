/** Describes the bench's current stage. */
import type { Contender } from './contender.ts';
import { en, type Texts } from './page/texts/en.ts';

export type Stage =
  | { readonly what: 'ceilings' }
  | (At & { readonly what: 'reference' | 'first' })
  | (At & { readonly what: 'run'; readonly n: number; readonly of: number });

/** Sizes are those of the LR image. */
interface At extends Pick<Contender, 'engine' | 'threads'> {
  readonly width: number;
  readonly height: number;
}

/** @param nameOf returns a contender's name in the language of `words` */
export function stageWords(
  stage: Stage,
  words: Texts['stages'],
  nameOf: (contender: Pick<Contender, 'engine' | 'threads'>) => string,
): string {
  if (stage.what === 'ceilings') return words.ceilings;
  const doing = stage.what === 'run' ? words.run(stage.n, stage.of) : words[stage.what];
  return words.at(`${stage.width} × ${stage.height}`, nameOf(stage), doing);
}

/** Describes a stage in English with the engines' ids, for the commands. */
export const stageLine = (stage: Stage): string =>
  stageWords(stage, en.stages, ({ engine, threads }) =>
    threads === undefined
      ? engine
      : `${engine}, ${threads === 1 ? 'one thread' : `${threads} threads`}`,
  );
