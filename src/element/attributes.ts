/** The properties that reflect the attributes of `<crispen-image>`. */

import type { Restoration } from '../catalog/task.ts';

/** The default maximum number of pixels in a result: 4096 x 4096. */
const MAX_PIXELS = 2 ** 24;

/** The attributes that require a new result when they change. */
export const INPUTS = [
  ...['src', 'scale', 'model', 'integrity', 'allow-models', 'task', 'base-url', 'max-pixels'],
  'crossorigin',
];

/**
 * The base class of `ImageAttributes`. On servers, which have no `HTMLElement`, it is an empty
 * class, so that servers can import this module to render the tag.
 */
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

/**
 * Reflects each attribute of `<crispen-image>` as a property. The documentation of `CrispenImage`
 * describes the attributes.
 */
export class ImageAttributes extends Base {
  get src(): string {
    return this.#url('src');
  }
  set src(value: string) {
    reflect(this, 'src', value);
  }
  get alt(): string {
    return this.getAttribute('alt') ?? '';
  }
  set alt(value: string) {
    reflect(this, 'alt', value);
  }
  get scale(): number | 'auto' {
    const value = this.getAttribute('scale') ?? (restorationOf(this.task) ? '1' : '2');
    return value === 'auto' ? value : Number(value);
  }
  set scale(value: number | 'auto') {
    reflect(this, 'scale', value);
  }
  get model(): string {
    return this.getAttribute('model') ?? '';
  }
  set model(value: string) {
    reflect(this, 'model', value);
  }
  get integrity(): string {
    return this.getAttribute('integrity') ?? '';
  }
  set integrity(value: string) {
    reflect(this, 'integrity', value);
  }
  /** The attribute's value; null if the attribute is absent. */
  get allowModels(): string | null {
    return this.getAttribute('allow-models');
  }
  set allowModels(value: string | null) {
    reflect(this, 'allow-models', value);
  }
  get task(): string {
    return this.getAttribute('task') ?? 'photo';
  }
  set task(value: string) {
    reflect(this, 'task', value);
  }
  get loading(): 'lazy' | 'eager' {
    return this.getAttribute('loading') === 'eager' ? 'eager' : 'lazy';
  }
  set loading(value: 'lazy' | 'eager') {
    reflect(this, 'loading', value);
  }
  get compare(): boolean {
    return this.hasAttribute('compare');
  }
  set compare(value: boolean) {
    this.toggleAttribute('compare', value);
  }
  get vertical(): boolean {
    return this.hasAttribute('vertical');
  }
  set vertical(value: boolean) {
    this.toggleAttribute('vertical', value);
  }
  get width(): number {
    return Number.parseInt(this.getAttribute('width') ?? '0', 10) || 0;
  }
  set width(value: number) {
    reflect(this, 'width', value);
  }
  get height(): number {
    return Number.parseInt(this.getAttribute('height') ?? '0', 10) || 0;
  }
  set height(value: number) {
    reflect(this, 'height', value);
  }
  get crossOrigin(): string | null {
    return this.getAttribute('crossorigin');
  }
  set crossOrigin(value: string | null) {
    reflect(this, 'crossorigin', value);
  }
  get baseUrl(): string {
    return this.#url('base-url');
  }
  set baseUrl(value: string) {
    reflect(this, 'base-url', value);
  }
  get maxPixels(): number {
    return Number(this.getAttribute('max-pixels')) || MAX_PIXELS;
  }
  set maxPixels(value: number) {
    reflect(this, 'max-pixels', value);
  }

  #url(name: string): string {
    const value = this.getAttribute(name);
    if (!value) return '';
    try {
      return new URL(value, document.baseURI).href;
    } catch {
      return value; // like `img.src`, return an invalid URL unchanged
    }
  }
}

/** Sets an attribute. Null and undefined, which frameworks use for "no value", remove it. */
export function reflect(
  element: Element,
  name: string,
  value: string | number | null | undefined,
): void {
  if (value === null || value === undefined) element.removeAttribute(name);
  else element.setAttribute(name, String(value));
}

/** Returns the task if it restores images, otherwise undefined. */
export const restorationOf = (task: string): Restoration | undefined =>
  task === 'denoise' || task === 'dejpeg' ? task : undefined;

/**
 * Deletes properties that were set before the element was defined, and passes their values to the
 * setters. Otherwise, these properties would hide the getters and setters.
 */
export function upgrade(element: ImageAttributes, prototype: object): void {
  if (prototype === Base.prototype) return;
  upgrade(element, Object.getPrototypeOf(prototype));
  const accessors = Object.getOwnPropertyDescriptors(prototype);
  for (const [name, { get, set }] of Object.entries(accessors)) {
    if (!get || !Object.hasOwn(element, name)) continue;
    const value = Reflect.get(element, name);
    Reflect.deleteProperty(element, name);
    set?.call(element, value);
  }
}
