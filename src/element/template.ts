import { type ImageAttributes, reflect } from './attributes.ts';

/**
 * The styles of the shadow tree of `<crispen-image>`. They shrink an image that is wider than its
 * container. Otherwise, they leave the image's own box unchanged, so the page layout does not shift
 * when the element is upgraded. The variables `--x`, `--y`, `--w` and `--h` contain the image's
 * measured box. They determine the position of everything that is drawn over the image. The style
 * sheet is constructed in a script, so a content security policy does not have to allow
 * `unsafe-inline`.
 */
const CSS = `
:host { display: inline-block; position: relative; max-width: 100% }
:host([hidden]) { display: none }
[hidden] { display: none !important }
::slotted(img) { max-width: 100%; height: auto }
/* This part fills the element, so its content has the same layout as without a shadow root. */
[part='before'] { display: block; height: 100% }
/* Once the result is visible, the original must not show through it. */
:host(:state(done)) :is([part='original'], [part='before']) {
  clip-path: var(--hole);
  animation: whole var(--crispen-fade, 200ms);
}
@keyframes whole { from, to { clip-path: none } }
.frame { display: contents }
[part='original'] { display: block; width: 100%; height: 100%; object-fit: inherit }
[part='stage'] {
  position: absolute;
  left: var(--x); top: var(--y); width: var(--w); height: var(--h);
  overflow: hidden;
}
.view { position: absolute; inset: 0 }
[part='result'] {
  display: block; width: 100%; height: 100%; max-width: none;
  animation: appear var(--crispen-fade, 200ms) ease-out;
}
@keyframes appear { from { opacity: 0 } }
:host([compare]) [part='stage'] { touch-action: pan-y; cursor: ew-resize; user-select: none }
:host([compare]) .view { clip-path: inset(0 0 0 var(--split)) }
[part='divider'] {
  position: absolute;
  top: 0; bottom: 0; left: var(--split); width: 44px; margin-left: -22px;
  outline: none;
}
[part='divider']::before {
  content: '';
  position: absolute;
  top: 0; bottom: 0; left: 50%;
  width: var(--crispen-divider-width, 2px);
  transform: translateX(-50%);
  background: var(--crispen-divider-color, #fff);
  box-shadow: 0 0 0 1px rgb(0 0 0 / 35%);
}
[part='handle'] {
  position: absolute;
  top: 50%; left: 50%;
  width: var(--crispen-handle-size, 36px); aspect-ratio: 1;
  transform: translate(-50%, -50%);
  border-radius: 50%;
  background: var(--crispen-handle-background, #fff);
  color: var(--crispen-handle-color, #17191c);
  box-shadow: 0 0 0 1px rgb(0 0 0 / 35%), 0 2px 8px rgb(0 0 0 / 35%);
}
[part='handle']::before, [part='handle']::after {
  content: '';
  position: absolute;
  top: 50%; width: 7px; height: 7px;
  border: solid currentColor;
  border-width: 0 0 2px 2px;
}
[part='handle']::before { left: 24%; transform: translateY(-50%) rotate(45deg) }
[part='handle']::after { right: 24%; transform: translateY(-50%) rotate(-135deg) }
::slotted([slot='handle']) {
  position: absolute;
  top: 50%; left: 50%;
  transform: translate(-50%, -50%);
}
:host([vertical][compare]) [part='stage'] { touch-action: pan-x; cursor: ns-resize }
:host([vertical][compare]) .view { clip-path: inset(var(--split) 0 0 0) }
:host([vertical]) [part='divider'] {
  top: var(--split); bottom: auto; left: 0; right: 0; width: auto; height: 44px; margin: -22px 0 0;
}
:host([vertical]) [part='divider']::before {
  top: 50%; bottom: auto; left: 0; right: 0;
  width: auto; height: var(--crispen-divider-width, 2px);
  transform: translateY(-50%);
}
:host([vertical]) [part='handle'] { transform: translate(-50%, -50%) rotate(90deg) }
[part='divider']:focus-visible :is([part='handle'], ::slotted([slot='handle'])) {
  outline: 3px solid var(--crispen-focus-color, #f7bd1b);
  outline-offset: 2px;
}
[part='status'] {
  position: absolute;
  width: 1px; height: 1px; margin: -1px; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap;
}
@media (prefers-reduced-motion: reduce) {
  [part='result'], :host(:state(done)) :is([part='original'], [part='before']) { animation: none }
}
@media (forced-colors: active) { [part='handle'] { border: 1px solid } }
`;

let sheet: CSSStyleSheet | undefined;

/**
 * The parts of an element's shadow tree. The style sheet `size` applies the element's attributes
 * `width` and `height`.
 */
export interface Shadow {
  readonly root: ShadowRoot;
  readonly size: CSSStyleSheet;
  /** The wrapper around the element's content. */
  readonly before: HTMLElement;
  /**
   * The element that contains all the others. Its CSS variables position the stage and the divider.
   * It has no box of its own (`display: contents`).
   */
  readonly frame: HTMLElement;
  readonly original: HTMLImageElement;
  readonly stage: HTMLElement;
  /** The container of the result. It fills `stage`, which covers the original image. */
  readonly view: HTMLElement;
  readonly divider: HTMLElement;
  readonly status: HTMLElement;
}

export function makeShadow(host: HTMLElement): Shadow {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
  }
  const size = new CSSStyleSheet();
  const root = host.attachShadow({ mode: 'open' });
  root.adoptedStyleSheets = [size, sheet];
  const make = <K extends keyof HTMLElementTagNameMap>(tag: K, part: string) => {
    const element = document.createElement(tag);
    element.setAttribute('part', part);
    return element;
  };
  const original = make('img', 'original');
  const stage = make('div', 'stage');
  const divider = make('div', 'divider');
  const status = make('span', 'status');
  const handle = document.createElement('slot');
  handle.name = 'handle';
  handle.append(make('span', 'handle'));
  divider.append(handle);
  divider.tabIndex = 0;
  for (const [name, value] of Object.entries({
    role: 'slider',
    'aria-valuemin': '0',
    'aria-valuemax': '100',
  })) {
    divider.setAttribute(name, value);
  }
  stage.hidden = true;
  status.setAttribute('role', 'status');
  const view = document.createElement('div');
  view.className = 'view';
  stage.append(view, divider);
  const before = make('div', 'before');
  before.append(document.createElement('slot'));
  const frame = document.createElement('div');
  frame.className = 'frame';
  frame.append(before, original, stage, status);
  root.append(frame);
  return { root, size, before, frame, original, stage, view, divider, status };
}

/**
 * Updates the shadow tree to match the attributes.
 * @param own whether the element shows its own image instead of one in its content
 */
export function arrange(shadow: Shadow, element: ImageAttributes, own: boolean): void {
  const { before, original, size } = shadow;
  original.hidden = !own;
  before.hidden = own;
  if (own) {
    original.alt = element.alt;
    original.loading = element.loading;
    // Unchanged attributes are not set, because setting them would reload the image.
    for (const [name, value] of [
      ['crossorigin', element.crossOrigin],
      ['src', element.src || null],
    ] as const) {
      if (original.getAttribute(name) !== value) reflect(original, name, value);
    }
  } else original.removeAttribute('src');
  const { width, height } = element;
  const ratio = width && height ? `aspect-ratio: ${width} / ${height}` : '';
  const side = width ? `width: ${width}px` : height ? `height: ${height}px` : '';
  size.replaceSync(`:host { ${side}; ${ratio} }`);
}
