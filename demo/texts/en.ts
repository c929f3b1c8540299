/** Every text of the demo in English. The other languages have the same keys (`texts.test.ts`). */
export const en = {
  inspector: {
    title: 'What the attention does',
    close: 'Close',
    cancel: 'Cancel',
    running: 'Running the network…',
    none: 'This network has no attention to look at.',
    saw: (width: number, height: number, reduction: number) =>
      reduction === 1
        ? `${width} × ${height} pixels, as in the picture.`
        : `${width} × ${height} pixels: the picture reduced ${reduction} times.`,
    closer: 'Closer, at full size',
    whole: 'Whole picture',
    picture: 'The picture with a map over it. Arrow keys move the chosen pixel.',
    map: 'Map',
    opacity: 'Map over picture',
    mean: 'Mean over channels',
    enhanced: (channel: number) => `Most enhanced features (channel ${channel})`,
    suppressed: (channel: number) => `Most suppressed features (channel ${channel})`,
    channel: (channel: number) => `Channel ${channel}`,
    clusters: 'Clusters',
    round: (round: number) => `Clusters, round ${round + 1}`,
    reference: (name: string) => `Weight of ${name}`,
    branches: 'Weight of the attention branch in each block',
    attentions: 'Mean attention in each block',
    bar: (name: string, attention: string, other: string) =>
      `${name}: attention ${attention}, non-attention ${other}`,
    barMean: (name: string, mean: string) => `${name}: mean attention ${mean}`,
    pixel: (x: number, y: number) => `Pixel ${x}, ${y} through the blocks`,
    pixelNone: 'Click a pixel to follow it through the blocks.',
    pixelRow: (name: string, least: string, mean: string, most: string) =>
      `${name}: ${least} to ${most}, mean ${mean}`,
    attends: (count: number) =>
      count === 1 ? 'It attends to one pixel.' : `It attends most to the ${count} marked pixels.`,
    keys: (open: number, all: number) =>
      open === all ? `${all} keys, by weight` : `${all} keys, ${open} of them open`,
    savePng: 'Save as PNG',
    saveJson: 'Save as JSON',
  },
};
export type Texts = typeof en;
