// Lloyd's start while a centroid is dragged, and the steps from each k's named start and from the one of one's own that
// the page was opened with. Python counted and added up the weights below every place where two neighbours can meet; a
// cluster is the difference of two of those.

function frameOf(t, { start, steps, k }, alone) {
  const named = !start.length, rows = named ? t.named[k] : JSON.stringify(start) === JSON.stringify(t.of) && t.own;
  if (!rows && (named || steps || start.length !== k)) return null; // where its steps lead only Python knows
  const step = rows ? Math.min(steps, rows.length - 1) : 0, now = rows ? row(t, rows, step) : clusters(t, start);
  if (!now) return null;
  const inertias = rows ? rows.slice(0, step + 1).map(([, , inertia]) => inertia) : [now.inertia];
  const best = t.best[k], shapes = picture(t, now, inertias, best);
  if (!shapes) return null;
  const empty = now.sizes.filter((n) => n === 0).length, above = 100 * (now.inertia / best - 1);
  const caption = fill(t.words, {
    ...t.layer, k, which: named ? t.which.named : t.which.own, steps: step, now: general(now.inertia, 4),
    first: general(inertias[0], 4), empty: t.empty[empty], settled: now.still ? t.settled : "",
    optimum: best ? fill(t.optimum, { best: general(best, 4), above: above.toFixed(1) }) : "",
  });
  const most = now.still ? step : rows || !alone ? t.most : 0;
  return [caption, now.centroids, now.sizes, step ? rows[0][0] : [], shapes, most, step];
}

// of the steps that Python made
function row(t, rows, step) {
  const [centroids, sizes, inertia] = rows[step];
  return { centroids, sizes, inertia, still: step === rows.length - 1 && step < t.most };
}

// sizes and inertia of centroids that stand on the grid
function clusters(t, centroids) {
  const places = centroids.map((c) => c / t.grid);
  if (!places.every((place) => Number.isInteger(place))) return null;
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
function picture(t, { sizes }, inertias, best) {
  const shares = sizes.map((n) => (100 * n) / t.n), { left, right } = t;
  const ending = (tops, reached) => tops.find(({ top }) => top >= reached);
  const high = ending(left.tops, Math.min(1.02 * Math.max(...shares), 100));
  const wide = ending(right.across, 1.02 * Math.max(9, inertias.length - 1));
  const tall = ending(right.tops, 1.02 * Math.max(...inertias));
  if (!high || !wide || !tall || Math.max(...inertias) < right.least) return null;
  const { ticks, ends } = left.bars[sizes.length];
  const bars = Array.from({ length: left.of }, (_, i) => {
    if (i >= sizes.length) return [];
    const [x0, x1] = ends.slice(2 * i, 2 * i + 2), y0 = left.y[0], y1 = onto(left.y, shares[i] / high.top);
    return [x0, y0, x1, y0, x1, y1, x0, y1, x0, y0];
  });
  const crosses = shares.flatMap((share, i) => (share ? [] : [tenth((ends[2 * i] + ends[2 * i + 1]) / 2), left.cross]));
  const level = (inertia) => onto(right.y, inertia / tall.top);
  const path = inertias.flatMap((inertia, i) => [onto(wide.x, i / wide.top), level(inertia)]);
  const optimum = best ? [right.x[0], level(best), right.x[1], level(best)] : [];
  return [ticks, high.ticks, wide.ticks, tall.ticks, ...bars, crosses, path, path.slice(-2), optimum];
}
