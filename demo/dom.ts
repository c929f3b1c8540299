/** Returns the page's element with an id. A missing element is a bug in the page. */
export function get<E extends HTMLElement = HTMLElement>(id: string): E {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page lacks #${id}.`);
  return element as E;
}

/** Calls `work` after the page has loaded, when it is idle. */
export function whenIdle(work: () => void): void {
  // Safari has no requestIdleCallback.
  const idle =
    globalThis.requestIdleCallback ?? ((callback: () => void) => setTimeout(callback, 200));
  const start = () => idle(work, { timeout: 3000 });
  if (document.readyState === 'complete') start();
  else addEventListener('load', start, { once: true });
}

/** Sets an element's text only if it differs, because live regions must not announce it twice. */
export function say(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Returns a copy of a template's content. */
export function copyOf<E extends HTMLElement = HTMLElement>(template: string): E {
  const { content } = get<HTMLTemplateElement>(template);
  return content.firstElementChild!.cloneNode(true) as E;
}
