// A film on a page: `frameOf(table, state, alone)` stands before this and looks frames up or puts them together, the
// table comes from Python. `alone`: there is no Python that answers what the table does not hold.

// a template of Python's with {name}s in it
function fill(template, words) {
  return template.replace(/\{(\w+)\}/g, (hole, name) => words[name] ?? hole);
}

function render({ model, el }) {
  el.hidden = true;
  let table = null, run = 0;
  const film = project(model, (state) => waits(el) ? null : table && frameOf(table, state, model.alone || el.closest(".dcviz-asleep")));
  async function load() {
    const mine = ++run, bytes = model.get("reel");
    table = null; // what was written of another layer is wrong for this
    if (!bytes || !bytes.byteLength) return;
    const read = await (await unpacked(bytes)).json();
    if (mine !== run) return;
    table = read;
    el.dataset.frames = "read";
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
