// A lab without its kernel. Where the notebook is saved, the states of the labs on its page are saved with it, so that
// on another day each comes back as it was; it then says that it sleeps, what needs Python is off, and what is drawn
// here still moves, with the controls that are bound to it.
const VIEW = "application/vnd.jupyter.widget-view+json", STATE = "application/vnd.jupyter.widget-state+json";
const OVER = ["restarting", "autorestarting", "dead", "terminating", "terminated"]; // models never outlive one of these
const CONTROL = ".widget-inline-hbox, .widget-radio-box, .jupyter-button, .widget-slider, .widget-play, .dcviz-number, .dcviz-answer input, .dcviz-python";
const watched = (globalThis.dcvizWatched ??= new WeakMap()); // notebook -> {gone: its kernel is, labs: {wake-up calls}}

function watch(manager, call) {
  const context = manager?.context;
  if (!context?.saveState?.connect || !context.model?.setMetadata) return null; // no JupyterLab, or another version
  if (!watched.has(context)) {
    const one = { gone: 0, calls: new Set() };
    watched.set(context, one);
    context.saveState.connect((_, stage) => { if (stage === "started") keep(manager); });
    context.sessionContext?.statusChanged?.connect((_, status) => {
      if (!OVER.includes(status)) return;
      one.gone += 1;
      for (const told of one.calls) told();
    });
  }
  watched.get(context).calls.add(call);
  return watched.get(context);
}

// Put what the outputs on the page show, and all that it is made of, into the notebook that is about to be saved.
function keep(manager) {
  const model = manager.context.model;
  const before = model.getMetadata("widgets")?.[STATE] ?? {};
  const dead = [...(manager._modelsSync?.values() ?? [])].filter((one) => !one.comm_live); // else left out: after a restart, all
  for (const one of dead) Object.defineProperty(one, "comm_live", { value: true, configurable: true });
  const now = manager.get_state_sync({ drop_defaults: true });
  for (const one of dead) delete one.comm_live;
  const known = { ...before.state, ...now.state }, kept = {}, todo = [];
  for (const cell of model.cells)
    for (const output of cell.toJSON().outputs ?? []) if (output.data?.[VIEW]) todo.push(output.data[VIEW].model_id);
  while (todo.length) {
    const id = todo.pop();
    if (kept[id] || !known[id]) continue;
    kept[id] = known[id];
    for (const [, part] of JSON.stringify(known[id].state).matchAll(/IPY_MODEL_(\w+)/g)) todo.push(part);
  }
  if (Object.keys(kept).length) model.setMetadata("widgets", { [STATE]: { ...now, state: kept } });
  else if (before.state) model.deleteMetadata("widgets");
}

// Labs whose place says "model not found" although the notebook had saved them, and they are there by now. ipywidgets
// looks for a model for two seconds and, after the last wait, not once more: on a slow machine, where the waiting ends
// while it makes the models, it gives up for good. So each such output is shown anew.
const revived = new WeakSet(), GIVEN_UP = "Error displaying widget: model not found";

function revive(manager, looks = 20) {
  if (!manager?.context?.model?.cells || !manager.restored?.connect || revived.has(manager)) return;
  revived.add(manager);
  const look = async () => {
    const places = [...document.querySelectorAll(".jp-OutputArea-output.jupyter-widgets")];
    const lost = places.filter((place) => place.textContent === GIVEN_UP);
    if (lost.length) await again(manager);
    for (const place of lost) place.classList.remove("jupyter-widgets"); // came with the words
    if (manager.restoredStatus && (looks -= 1) < 0) return;
    setTimeout(look, 500);
  };
  look();
}

async function again(manager) {
  const { model } = manager.context, { dirty } = model;
  for (const cell of model.cells)
    for (let i = 0; i < (cell.outputs?.length ?? 0); i++) {
      const output = cell.outputs.get(i).toJSON(), id = output.data?.[VIEW]?.model_id;
      if (!id || !manager.has_model(id)) continue;
      const shown = Object.keys((await manager.get_model(id)).views ?? {}).length;
      if (!shown) cell.outputs.set(i, output);
    }
  model.dirty = dirty; // it says what it said
}

// Say that `lab` sleeps and switch off what needs Python. Called again when parts of it come later.
function sleep(lab, manager) {
  if (!lab.classList.contains("dcviz-asleep")) lab.classList.add("dcviz-asleep"); // said again it is a change, which is heard
  const text = lab.querySelector(lab.querySelector(".dcviz-title") ? ".dcviz-title .dcviz-text" : ".dcviz-text");
  if (text && !lab.querySelector(".dcviz-sleep")) {
    const note = document.createElement("p");
    note.className = "dcviz-sleep";
    note.setAttribute("role", "status");
    const first = document.createElement("b");
    first.textContent = "asleep: run this cell, after those above it";
    note.append(first, document.createElement("span"));
    text.after(note);
  }
  const moves = !lab.matches(".dcviz-waiting") && lab.querySelector(".dcviz-awake"); // before a guess nothing does
  const words = ` ${moves ? "What is drawn here still moves; what" : "What"} is grey needs Python.`, said = lab.querySelector(".dcviz-sleep span");
  if (said && said.textContent !== words) said.textContent = words;
  for (const control of lab.querySelectorAll(CONTROL)) {
    const off = !control.closest(".dcviz-awake");
    if (control.inert === off) continue;
    control.inert = off;
    control.classList.toggle("dcviz-off", off);
  }
  const caption = lab.querySelector(".dcviz-caption .dcviz-text")?.dcvizModel;
  if (manager && caption && !lab.dcvizBound) lab.dcvizBound = bindAsleep(lab, manager, caption);
}

// What Python had bound to a drawing moves with it; its caption knows: {state: [[model id, trait], ...]}.
async function bindAsleep(lab, manager, caption) {
  const controls = ["dcviz-number", "dcviz-player"];
  const drawn = (model) => model.get("_esm") && !model.get("_dom_classes")?.some((one) => controls.includes(one));
  const wake = async (model) => {
    for (const view of Object.values(model.views ?? {})) (await view).el.classList.add("dcviz-awake");
  };
  for (const id of caption.get("awake")) if (manager.has_model(id)) await wake(await manager.get_model(id));
  for (const ends of Object.values(caption.get("bound"))) {
    const pairs = [];
    for (const [id, trait] of ends) if (manager.has_model(id)) pairs.push([await manager.get_model(id), trait]);
    if (!pairs.some(([model]) => drawn(model))) continue;
    for (const [model, trait] of pairs) {
      model.on(`change:${trait}`, () => {
        for (const [other, its] of pairs) if (other !== model) other.set(its, model.get(trait));
      });
      await wake(model);
    }
  }
  sleep(lab);
}
