// The frames of a film whose states can be listed: a table, looked up.

function place(values, wanted) {
  if (typeof wanted !== "number") return values.findIndex((value) => JSON.stringify(value) === JSON.stringify(wanted));
  let best = 0;
  values.forEach((value, i) => { if (Math.abs(value - wanted) < Math.abs(values[best] - wanted)) best = i; });
  return best;
}

function render({ model, el }) {
  el.hidden = true;
  let reel = null, run = 0;
  const film = project(model, (state) => {
    if (!reel) return null;
    let row = 0;
    for (const [name, values] of reel.at) {
      const at = place(values, state[name]);
      if (at < 0) return null;
      row = row * values.length + at;
    }
    return reel.frames[row];
  });
  async function load() {
    const mine = ++run, bytes = model.get("reel");
    reel = null; // frames of another layer are none
    if (!bytes || !bytes.byteLength) return;
    const read = await (await unpacked(bytes)).json();
    if (mine !== run) return;
    reel = read;
    el.dataset.frames = reel.frames.length;
    film.show();
  }
  model.on("change:reel", load);
  load();
  return () => {
    model.off("change:reel", load);
    film.close();
  };
}

export default { render };
