// What LeNet-300-100 says to a drawing, run here while the mouse moves: the same sums as dcviz.chapters.ch02_pruning.
// drawn_digit, on the weights that Python rounded, with the thresholds that Python tabulated. A test compares the two.

function weightsOf(layer) {
  const bytes = Uint8Array.from(atob(layer.codes), (c) => c.charCodeAt(0));
  layer.weights ??= Float64Array.from(new Int16Array(bytes.buffer), (code) => code * layer.step);
  return layer.weights;
}

function probabilities(t, drawing, cuts) {
  let values = Array.from(drawing, (level) => parseInt(level, 16) / t.ink);
  t.layers.forEach((layer, i) => {
    const weights = layer.weights ?? weightsOf(layer), { outputs, inputs, bias } = layer, out = [...bias];
    for (let o = 0; o < outputs; o++)
      for (let k = 0, w = o * inputs; k < inputs; k++, w++)
        if (values[k] > 0 && Math.abs(weights[w]) >= cuts[i]) out[o] += weights[w] * values[k]; // below 0 no unit is on
    values = out;
  });
  const top = Math.max(...values), powers = values.map((v) => Math.exp(v - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / sum);
}

function frameOf(t, { density: percent, drawing }) {
  const far = (row) => Math.abs(row[0] - percent);
  const [, cuts, kept] = t.cuts.reduce((best, row) => (far(row) < far(best) ? row : best));
  const shares = [cuts.map(() => 0), cuts].map((at) => probabilities(t, drawing, at));
  if (!/[1-9a-f]/.test(drawing)) return [fill(t.nothing, { kept }), shares];
  const words = { kept };
  ["dense", "pruned"].forEach((name, i) => {
    const sure = Math.max(...shares[i]);
    words[name] = shares[i].indexOf(sure);
    words[`${name}_share`] = (100 * sure).toFixed(1);
  });
  return [fill(t.words, words), shares];
}
