/** Provides `window.element`, through which the element's tests control their page. */
import { CrispenImage } from '../src/element/define.ts';
import { chosenBackend } from './chosenBackend.ts';

/** The events in order, each as an element's id and the event's type. */
const log: string[] = [];
let shift = 0;
let workers = 0;

new PerformanceObserver((list) => {
  for (const entry of list.getEntries())
    shift += (entry as PerformanceEntry & { value: number }).value;
}).observe({ type: 'layout-shift', buffered: true });

CrispenImage.options = {
  backend: chosenBackend,
  worker: () => {
    workers++;
    return new Worker('/e2e/counting-worker.mjs', { type: 'module' });
  },
};

const EVENTS = ['load', 'error', 'abort', 'modelload'] as const;

/** Adds an element. If `image` is given, the element contains an `<img>` with these attributes. */
function add(
  id: string,
  attributes: Readonly<Record<string, string>>,
  image?: Readonly<Record<string, string>>,
): void {
  const element = document.createElement('crispen-image');
  element.id = id;
  for (const type of EVENTS) {
    element.addEventListener(type, (event: Event) => {
      const { code } = (event as CustomEvent<{ code?: string } | null>).detail ?? {};
      log.push(code ? `${id} ${type} ${code}` : `${id} ${type}`);
    });
  }
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (image) {
    const within = document.createElement('img');
    for (const [name, value] of Object.entries(image)) within.setAttribute(name, value);
    element.append(within);
  }
  document.body.append(element);
}

const get = (id: string) => document.getElementById(id) as CrispenImage;
const states = () =>
  Object.fromEntries([...document.querySelectorAll('crispen-image')].map((e) => [e.id, e.state]));
const bytes = async (id: string) => [
  ...new Uint8Array(await (await get(id).toBlob()).arrayBuffer()),
];

const harness = {
  CrispenImage,
  log,
  add,
  get,
  states,
  bytes,
  shift: () => shift,
  workers: () => workers,
};

declare global {
  interface Window {
    element: typeof harness;
  }
}

window.element = harness;
