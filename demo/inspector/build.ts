/**
 * Builds elements in code. Few visitors open the dialogs that use this module, so their HTML is not
 * part of the page.
 */
type Child = Node | string;

/** Creates an element with properties. Names that contain a hyphen are set as attributes. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Readonly<Record<string, unknown>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes('-')) element.setAttribute(name, String(value));
    else Object.assign(element, { [name]: value });
  }
  element.append(...children);
  return element;
}

export function button(
  className: string,
  text: string,
  testId: string,
  work: () => void,
): HTMLButtonElement {
  const made = make('button', { type: 'button', className }, text);
  made.dataset.testid = testId;
  made.addEventListener('click', () => work());
  return made;
}

/** The direction of each arrow key: the steps to the right and down. */
export const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

const SVG = 'http://www.w3.org/2000/svg';

export function draw(tag: string, attributes: Readonly<Record<string, string | number>>): Element {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}
