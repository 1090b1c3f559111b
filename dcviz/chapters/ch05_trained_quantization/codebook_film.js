// What a codebook costs: words of n, words of the bits, and what depends on both, all of them written by Python.

function frameOf(t, { n: place, bits }) {
  const row = Math.min(Math.max(place - t.first, 0), t.values.length - 1), own = t.bits[bits];
  const [x, y] = own.dots.slice(2 * row, 2 * row + 2);
  const bars = own.bars.map((all) => { // the corners at the left, low and high, and one at the right
    const [x0, y0, , y1, x1] = all.slice(8 * row, 8 * row + 8);
    return [x0, y0, x1, y0, x1, y1, x0, y1, x0, y0];
  });
  return [fill(t.words, { ...t.n[row], ...own.words, ...own.costs[row] }), [[x, y], ...bars], t.values[row]];
}
