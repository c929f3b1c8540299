/**
 * Writes the English texts of the demo into index.html, whose elements name their keys: the page can be read
 * before its script runs. `demo/texts` is the only place of a text.
 * @param {() => Promise<{ page: Readonly<Record<string, string>>, attributes: Readonly<Record<string, string>> }>} load
 * @returns {import('vite').Plugin}
 */
export function pageTexts(load) {
  return {
    name: 'page-texts',
    transformIndexHtml: {
      order: 'pre',
      async handler(html, { path }) {
        if (!path.endsWith('index.html')) return html;
        const { page, attributes } = await load();
        return fillHtml(html, page, attributes);
      },
    },
  };
}

/**
 * @param {string} html
 * @param {Readonly<Record<string, string>>} page texts by key
 * @param {Readonly<Record<string, string>>} attributes attributes by the one with their key
 */
export function fillHtml(html, page, attributes) {
  const text = (/** @type {string} */ key) => {
    if (!Object.hasOwn(page, key))
      throw new Error(`index.html names a text that is missing: ${key}`);
    return page[key].replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
  };
  return html
    .replace(/\b(data-t-\w+)="(\w+)"/g, (all, name, key) => {
      const attribute = attributes[name];
      if (!attribute) throw new Error(`index.html has an unknown attribute: ${name}`);
      return `${all} ${attribute}="${text(key)}"`;
    })
    .replace(/\bdata-t="(\w+)"([^>]*)><\//g, (_, key, rest) => {
      return `data-t="${key}"${rest}>${text(key)}</`;
    });
}
