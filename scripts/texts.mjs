/**
 * Writes English text into pages, whose elements contain the text keys. A page is therefore
 * readable before its script runs.
 * @param {Readonly<Record<string, Readonly<Record<string, string>>>>} pages texts by the name of
 *   the HTML file
 * @param {Readonly<Record<string, string>>} attributes maps an attribute that contains a key to the
 *   attribute for its text
 * @returns {import('vite').Plugin}
 */
export function pageTexts(pages, attributes) {
  return {
    name: 'page-texts',
    transformIndexHtml: {
      order: 'pre',
      handler(html, { path }) {
        const page = pages[path.slice(path.lastIndexOf('/') + 1)];
        return page ? fillHtml(html, page, attributes) : html;
      },
    },
  };
}

/**
 * @param {string} html
 * @param {Readonly<Record<string, string>>} page texts by key
 * @param {Readonly<Record<string, string>>} attributes maps an attribute that contains a key to the
 *   attribute for its text
 */
export function fillHtml(html, page, attributes) {
  const text = (/** @type {string} */ key) => {
    if (!Object.hasOwn(page, key)) throw new Error(`The page names a text that is missing: ${key}`);
    return page[key].replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
  };
  return html
    .replace(/\b(data-t-\w+)="(\w+)"/g, (all, name, key) => {
      const attribute = attributes[name];
      if (!attribute) throw new Error(`The page has an unknown attribute: ${name}`);
      return `${all} ${attribute}="${text(key)}"`;
    })
    .replace(/\bdata-t="(\w+)"([^>]*)><\//g, (_, key, rest) => {
      return `data-t="${key}"${rest}>${text(key)}</`;
    });
}
