/** The element of the page with an id. A missing one is a bug in the page. */
export function get<E extends HTMLElement = HTMLElement>(id: string): E {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page lacks #${id}.`);
  return element as E;
}

/** Calls `work` when the page is loaded and has nothing else to do. */
export function whenIdle(work: () => void): void {
  // Not in Safari.
  const idle =
    globalThis.requestIdleCallback ?? ((callback: () => void) => setTimeout(callback, 200));
  const start = () => idle(work, { timeout: 3000 });
  if (document.readyState === 'complete') start();
  else addEventListener('load', start, { once: true });
}

/** Sets text only if it differs, because live regions must not speak twice. */
export function say(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** A copy of a template's content. */
export function copyOf<E extends HTMLElement = HTMLElement>(template: string): E {
  const { content } = get<HTMLTemplateElement>(template);
  return content.firstElementChild!.cloneNode(true) as E;
}
