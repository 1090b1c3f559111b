// The frames of a film whose states can be listed: a table, looked up.

function place(values, wanted) {
  if (typeof wanted !== "number") return values.findIndex((value) => JSON.stringify(value) === JSON.stringify(wanted));
  let best = 0;
  values.forEach((value, i) => { if (Math.abs(value - wanted) < Math.abs(values[best] - wanted)) best = i; });
  return best;
}

function frameOf(reel, state) {
  let row = 0;
  for (const [name, values] of reel.at) {
    const at = place(values, state[name]);
    if (at < 0) return null;
    row = row * values.length + at;
  }
  return reel.frames[row];
}
