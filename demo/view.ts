import { FORMATS } from '../src/codecs/formats.ts';
import type { Metadata, ModelEntry, Task } from '../src/index.ts';
import { Compare } from './compare.ts';
import type { SaveFormat } from './download.ts';
import { dimensions, duration, roughly, timeLeft } from './format.ts';
import { choicesAt, type ModelChoice, type Scale, tasksOf } from './models.ts';
import type { Result, State, Way } from './session.ts';
import {
  advice,
  keptWords,
  madeBy,
  noAdapterWords,
  resultTag,
  stageWords,
  TASK_WORDS,
  workerWords,
} from './words.ts';

export interface Actions {
  open(file: File): void;
  openSample(url: string): void;
  setTask(task: Task): void;
  setScale(scale: Scale): void;
  setKind(kind: string): void;
  cancel(): void;
  restart(): void;
  writeToFile(): void;
  runWith(way: Way): void;
  save(format: SaveFormat, metadata: Metadata): Promise<void>;
}

/** The element of index.html with an id; a missing one is a defect of the page. */
function get<E extends HTMLElement = HTMLElement>(id: string): E {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html lacks #${id}.`);
  return element as E;
}

/** Sets text only where it differs: live regions must not speak twice. */
function say(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** A choice with a title and, unless it is empty, a line about it. */
function card(choice: { name: string; value: string; title: string; text: string }): HTMLElement {
  const { content } = get<HTMLTemplateElement>('card');
  const label = content.firstElementChild!.cloneNode(true) as HTMLElement;
  const { name, value, title, text } = choice;
  Object.assign(label.querySelector('input')!, { name, value });
  label.querySelector('b')!.textContent = title;
  label.querySelector('small')!.textContent = text;
  return label;
}

/** The page as a function of the state: index.html holds every element, this fills and shows them. */
export class PageView {
  readonly #models: readonly ModelEntry[];
  readonly #actions: Actions;
  readonly #compare: Compare;
  /** What the picture stage shows, to leave it alone while only the progress changes. */
  #shown: readonly unknown[] = [];
  #offered = '';
  #adviceGiven = '';

  constructor(models: readonly ModelEntry[], actions: Actions) {
    this.#models = models;
    this.#actions = actions;
    this.#compare = new Compare({
      stage: get('compare'),
      canvas: get<HTMLCanvasElement>('canvas'),
      divider: get('divider'),
      tagBefore: get('tag-before'),
      tagAfter: get('tag-after'),
      zoomIn: get<HTMLButtonElement>('zoom-in'),
      zoomOut: get<HTMLButtonElement>('zoom-out'),
      zoomFit: get<HTMLButtonElement>('zoom-fit'),
      zoomFull: get<HTMLButtonElement>('zoom-full'),
    });
    this.#offerTasks();
    this.#listen();
  }

  /** `image`: the picture of the state as the page can draw it, null where it cannot. */
  render(state: State, image: HTMLImageElement | null): void {
    const focused = document.activeElement;
    const isNew = document.body.dataset.phase !== state.phase.kind;
    document.body.dataset.phase = state.phase.kind;
    this.#renderStage(state, image);
    this.#renderSettings(state);
    this.#renderJob(state, image !== null);
    this.#renderNotice(state);
    const worker = workerWords(state.detection);
    say(get('worker'), worker.text);
    get('worker').classList.toggle('is-slow', worker.slow);
    // What waits for an answer has to be seen.
    if (isNew && state.phase.kind === 'confirm') get('job').scrollIntoView({ block: 'nearest' });
    // A button that goes away (Cancel, a sample) must not take the keyboard's place with it.
    if (focused instanceof HTMLElement && focused !== document.body && !focused.checkVisibility()) {
      get('job').focus({ preventScroll: true });
    }
  }

  #listen(): void {
    const actions = this.#actions;
    const file = get<HTMLInputElement>('file');
    for (const id of ['open', 'open-new']) get(id).addEventListener('click', () => file.click());
    file.addEventListener('change', () => {
      const [picked] = file.files ?? [];
      if (picked) actions.open(picked);
      // Picking the same file again is a change again.
      file.value = '';
    });
    for (const sample of document.querySelectorAll<HTMLButtonElement>('[data-sample]')) {
      sample.addEventListener('click', () => actions.openSample(sample.dataset.sample ?? ''));
    }
    get('scale').addEventListener('change', (event) => {
      actions.setScale(Number((event.target as HTMLInputElement).value));
    });
    get('task').addEventListener('change', (event) => {
      actions.setTask((event.target as HTMLInputElement).value as Task);
    });
    get('model').addEventListener('change', (event) => {
      actions.setKind((event.target as HTMLInputElement).dataset.kind ?? '');
    });
    get('cancel').addEventListener('click', () => actions.cancel());
    addEventListener('keydown', (event) => {
      if (event.key === 'Escape') actions.cancel();
    });
    for (const id of ['again', 'go-on']) get(id).addEventListener('click', () => actions.restart());
    get('write-to').addEventListener('click', () => actions.writeToFile());
    get('run-cpu').addEventListener('click', () => actions.runWith('network'));
    get('run-lanczos').addEventListener('click', () => actions.runWith('lanczos'));
    const keep = get<HTMLInputElement>('keep-metadata');
    for (const { name: format } of Object.values(FORMATS)) {
      const button = get(`save-${format}`);
      button.addEventListener('click', async () => {
        // Encoders of large pictures take seconds.
        if (button.ariaBusy === 'true') return;
        button.ariaBusy = 'true';
        await actions.save(format, keep.checked ? 'keep' : 'drop');
        button.ariaBusy = 'false';
      });
    }
  }

  /** One card per task that there is a model for. */
  #offerTasks(): void {
    const tasks = tasksOf(this.#models);
    get('task').hidden = tasks.length < 2;
    get('task')
      .querySelector('.cards')
      ?.replaceChildren(
        ...tasks.map((task) =>
          card({ name: 'task', value: task, title: TASK_WORDS[task], text: '' }),
        ),
      );
  }

  #renderStage({ phase, picture, scale, task }: State, image: HTMLImageElement | null): void {
    const hopeless = image === null && (phase.kind === 'failed' || phase.kind === 'cancelled');
    get('welcome').hidden = picture !== null && !hopeless;
    get('unreadable').hidden = picture === null || image !== null || hopeless;
    get('compare').hidden = image === null;
    const result = phase.kind === 'done' ? phase.result : null;
    const shown = [image, result?.image, scale];
    if (shown.every((value, index) => value === this.#shown[index])) return;
    this.#shown = shown;
    if (image === null) {
      this.#compare.show(null);
      return;
    }
    const enlargement = result?.scale ?? scale;
    this.#compare.show({
      before: image,
      after: result?.image ?? null,
      size: {
        width: image.naturalWidth * enlargement,
        height: image.naturalHeight * enlargement,
      },
      enlargement,
      done: task === 'upscale' ? 'enlarged' : 'cleaned up',
      tag: result ? resultTag(result.backend, result.scale) : '',
    });
    get('canvas').setAttribute(
      'aria-label',
      `${result ? 'The original beside the result' : 'The original'}, ` +
        `${picture?.name ?? ''}. Arrow keys move a closer look, plus and minus zoom.`,
    );
  }

  #renderSettings({ task, scale, model, picture }: State): void {
    for (const input of get('task').querySelectorAll('input')) input.checked = input.value === task;
    get('same-size').hidden = task === 'upscale';
    get('model').hidden = task !== 'upscale';
    for (const input of get('scale').querySelectorAll('input')) {
      const value = Number(input.value);
      input.checked = value === scale;
      const size = picture?.size;
      const target = get(`size-${value}`);
      say(target, size ? dimensions(size.width * value, size.height * value) : '');
    }
    const choices = choicesAt(this.#models, scale);
    const offered = choices.map((choice) => choice.id).join();
    const container = get('model');
    if (offered !== this.#offered) {
      this.#offered = offered;
      container.querySelector('.cards')?.replaceChildren(
        ...choices.map(({ id, kind, title, text }) => {
          const label = card({ name: 'model', value: id, title, text });
          label.querySelector('input')!.dataset.kind = kind;
          return label;
        }),
      );
    }
    for (const input of container.querySelectorAll('input'))
      input.checked = input.value === model.id;
    get('model-single').hidden = choices.length > 1;
  }

  #renderJob({ phase, trouble, detection, model, task }: State, readable: boolean): void {
    const working = phase.kind === 'working';
    const show = (id: string, visible: boolean) => {
      get(id).hidden = !visible;
    };
    show('working', working);
    show('result', phase.kind === 'done');
    show('confirm', phase.kind === 'confirm');
    show('again', readable && (phase.kind === 'cancelled' || phase.kind === 'failed'));
    show('error', trouble !== null);
    say(get('error-message'), trouble?.message ?? '');
    say(get('error-hint'), trouble?.hint ?? '');

    if (working) {
      const percent = Math.floor(phase.fraction * 100);
      const bar = get('progress');
      bar.setAttribute('aria-valuenow', String(percent));
      bar.style.setProperty('--fraction', String(phase.fraction));
      bar.classList.toggle('is-unknown', phase.fraction === 0);
      say(get('percent'), phase.fraction === 0 ? '' : `${percent} %`);
      say(get('remaining'), timeLeft(phase.remainingMs));
    }
    if (phase.kind === 'confirm') {
      say(get('confirm-text'), phase.warning);
      show('go-on', !phase.toFile);
      show('write-to', phase.toFile);
    }
    if (phase.kind === 'done') this.#renderResult(phase.result, model);
    say(get('status'), this.#status({ phase, detection, task }));
  }

  #status({ phase, detection, task }: Pick<State, 'phase' | 'detection' | 'task'>): string {
    switch (phase.kind) {
      case 'empty':
        return 'Ready for a picture.';
      case 'working': {
        const slow = phase.stage === 'upscale' && workerWords(detection).slow;
        return `${stageWords(phase.stage, task)}${slow ? ', slowly in software' : ''}…`;
      }
      case 'confirm':
        return 'A very large result.';
      case 'choose':
        return 'Waiting for your choice above.';
      case 'done':
        return `Done in ${duration(phase.result.milliseconds)}.`;
      case 'cancelled':
        return 'Cancelled.';
      case 'failed':
        return 'That did not work.';
    }
  }

  #renderResult(result: Result, model: ModelChoice): void {
    say(get('fact-from'), dimensions(result.inputWidth, result.inputHeight));
    say(get('fact-to'), dimensions(result.width, result.height));
    // An added model is called by its file: its id is a hash.
    const isAdded = model.kind === model.id;
    const names = result.passes.map((id) => (isAdded && id === model.id ? model.title : id));
    say(get('fact-by'), madeBy(result, names.join(', then ')));
    const kept = keptWords(result.source);
    say(get('fact-kept'), kept);
    get('fact-kept').hidden = kept === '';
    get('keep').hidden = !result.source.hasMetadata || result.preview !== null;
    // Other formats need the whole of it in memory.
    for (const format of ['jpeg', 'webp', 'avif'])
      get(`save-${format}`).hidden = result.preview !== null;
    const { preview, file, savedAs } = result;
    const reduced = preview ? 'A reduced copy is shown; the file has every pixel.' : '';
    say(get('fact-saved'), [file ? '' : `Saved as ${savedAs}.`, reduced].join(' ').trim());
    get('fact-saved').hidden = file !== null && preview === null;
    get('save').hidden = file === null;
    get('fact-tiles').hidden = result.statistics === 'exact';
    get('fact-approximate').hidden = !result.approximate;
  }

  #renderNotice({ detection, phase, task }: State): void {
    const notice = get('notice');
    const choosing = phase.kind === 'choose';
    notice.hidden = !detection || !(choosing || detection.backend === 'none');
    if (!detection || notice.hidden) return;
    const { title, text } = noAdapterWords(detection);
    say(get('notice-title'), title);
    say(get('notice-text'), text);
    const insecure = detection.reason?.code === 'INSECURE_CONTEXT';
    get('notice-advice').hidden = insecure;
    if (!insecure && this.#adviceGiven === '') {
      this.#adviceGiven = navigator.userAgent;
      get('notice-steps').replaceChildren(
        ...advice(navigator.userAgent).flatMap(({ browser, steps }) => {
          const term = document.createElement('dt');
          term.textContent = browser;
          return [
            term,
            ...steps.map((step) => {
              const item = document.createElement('dd');
              item.textContent = step;
              return item;
            }),
          ];
        }),
      );
    }
    get('ways').hidden = !choosing;
    if (!choosing) return;
    const cpu = get('run-cpu');
    cpu.hidden = phase.cpuMs === null;
    get('too-large').hidden = phase.cpuMs !== null;
    // A resize restores nothing.
    get('run-lanczos').hidden = task !== 'upscale';
    if (phase.cpuMs !== null) say(cpu, `Run on the CPU (${roughly(phase.cpuMs)})`);
  }
}
