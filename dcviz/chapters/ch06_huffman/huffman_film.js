// The words of a Huffman tree, put together from what Python wrote of the layer, of each merge and of each symbol.

function frameOf(t, { symbol, step, canonical }, alone) {
  const chosen = t.symbols[symbol], merging = !canonical && step < t.steps.length;
  if (symbol >= 0 && !chosen && !alone) return null; // Python says that it does not occur
  const words = t.layer + (merging ? t.steps[step] : "") + (chosen ? chosen.words[Number(canonical)] : symbol >= 0 ? fill(t.absent, { symbol }) : "");
  return [words, chosen ? chosen.shapes : t.none, merging ? step : -1, t.paths[Number(canonical)], canonical];
}
