// Fig. 3 while the learner changes gradients: no rule of the paper stands here. What a gradient adds to each number was
// tabulated by Python for a gradient of 1 alone; all is linear in them, so it only has to be added up.

const signed = (text) => (Number(text) ? (text[0] === "-" ? "" : "+") + text : text.replace("-", "")).replace("-", "−"); // markup.signed
const dot = (row, values) => row.reduce((sum, part, i) => sum + part * values[i], 0);

function frameOf(t, { gradients, learning_rate: rate, reduce: which, cell }) {
  const way = t.ways[which], reduced = way.reduced.map((row) => dot(row, gradients));
  const tuned = t.centroids.map((c, i) => c + rate * dot(way.moved[i], gradients));
  const change = rate * dot(gradients, way.change.map((row) => dot(row, gradients)));
  const i = cell < 0 ? t.largest : t.codes[cell], own = gradients.filter((_, j) => t.codes[j] === i);
  const written = own.map((g) => (g < 0 ? `(${number(g)})` : number(g))).join(" + ");
  const quoted = t.quoted && t.quoted.every((g, j) => g === gradients[j]) && rate === 1 && which === 0;
  const caption = fill(t.words, {
    i, members: own.length, reduce: way.name, how: fill(way.how, { written, members: own.length }),
    number: number(reduced[i]), centroid: number(t.centroids[i]), rate: Number(rate.toPrecision(6)),
    tuned: number(tuned[i]), change: signed(change.toFixed(4)), note: quoted ? t.note : "",
  });
  return [caption, reduced, tuned, way.name, rate];
}
