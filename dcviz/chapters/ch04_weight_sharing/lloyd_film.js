// Lloyd's start while a centroid is dragged, and the steps from the start that the page was opened with. Python counted
// and added up the weights below every place where two neighbours can meet; a cluster is the difference of two of those.

function frameOf(t, { start, steps }, alone) {
  const own = JSON.stringify(start) === JSON.stringify(t.of), last = t.steps.length - 1;
  if (!own && steps) return null; // where its steps lead only Python knows
  const step = own ? Math.min(steps, last) : 0, now = own ? t.steps[step] : clusters(t, start);
  if (!now) return null;
  const inertias = own ? t.steps.slice(0, step + 1).map((one) => one.inertia) : [now.inertia];
  const shapes = picture(t, now, inertias);
  if (!shapes) return null;
  const empty = now.sizes.filter((n) => n === 0).length, above = 100 * (now.inertia / t.best - 1);
  const caption = fill(t.words, {
    ...t.layer, which: start.length ? t.which.own : t.which.named, steps: step, now: general(now.inertia, 4),
    first: general(inertias[0], 4), empty: t.empty[empty], settled: now.still ? t.settled : "",
    optimum: t.best ? fill(t.optimum, { best: general(t.best, 4), above: above.toFixed(1) }) : "",
  });
  const most = now.still ? step : own || !alone ? t.most : 0;
  return [caption, now.centroids, now.sizes, step ? t.steps[0].centroids : [], shapes, most, step];
}

// sizes and inertia of centroids that stand on the grid
function clusters(t, centroids) {
  const places = centroids.map((c) => c / t.grid);
  if (places.length !== t.k || !places.every((place) => Number.isInteger(place))) return null;
  const cuts = places.slice(1).map((place, i) => place + places[i] - t.first); // midpoints: halves of the grid
  const ends = [...cuts.map((cut) => t.below.map((sums) => sums[cut])), t.below.map((sums) => sums.at(-1))];
  const parts = ends.map((end, i) => end.map((sum, j) => sum - (i ? ends[i - 1][j] : 0)));
  if (!parts.flat().every(Number.isFinite)) return null;
  let inertia = 0, still = true;
  parts.forEach(([size, sum, squares], i) => {
    const c = centroids[i] - t.centre;
    inertia += Math.max(squares - 2 * c * sum + c * c * size, 0);
    if (size && sum / size + t.centre !== centroids[i]) still = false;
  });
  return { centroids, sizes: parts.map(([size]) => size), inertia, still };
}

const tenth = (x) => Math.round(10 * x) / 10;
const onto = ([from, to], share) => tenth(from + share * (to - from));

// where bars, crosses and the path stand; the axes end at one of a few round values
function picture(t, { sizes }, inertias) {
  const shares = sizes.map((n) => (100 * n) / t.n), { left, right } = t;
  const ending = (tops, reached) => tops.find(({ top }) => top >= reached);
  const high = ending(left.tops, Math.min(1.02 * Math.max(...shares), 100));
  const wide = ending(right.across, 1.02 * Math.max(9, inertias.length - 1));
  const tall = ending(right.tops, 1.02 * Math.max(...inertias));
  if (!high || !wide || !tall || Math.max(...inertias) < right.least) return null;
  const bars = left.bars.map(([x0, x1], i) => {
    const y0 = left.y[0], y1 = onto(left.y, shares[i] / high.top);
    return [x0, y0, x1, y0, x1, y1, x0, y1, x0, y0];
  });
  const crosses = shares.flatMap((share, i) => (share ? [] : [tenth((left.bars[i][0] + left.bars[i][1]) / 2), left.cross]));
  const level = (inertia) => onto(right.y, inertia / tall.top);
  const path = inertias.flatMap((inertia, i) => [onto(wide.x, i / wide.top), level(inertia)]);
  const optimum = t.best ? [right.x[0], level(t.best), right.x[1], level(t.best)] : [];
  return [high.ticks, wide.ticks, tall.ticks, ...bars, crosses, path, path.slice(-2), optimum];
}
