// Plays a film (dcviz.labkit.film): when a control moves, what follows it is set at once, in the browser. What follows
// is drawn by its own view; no number is made here. Python's own word is shown once it speaks of the state on the screen.

// code may move a lab whose question has no answer: a frame would give it
const waits = (el) => el.closest(".dcviz-waiting") !== null;

// frameOf(state) -> a value for each follower, or null where there is none
function project(model, frameOf) {
  const drivers = new Map(), followers = []; // name -> [[model, trait]]; [[[model, trait]]]
  const state = {}; // where the controls are
  let told = []; // what Python says of the state that it heard of, a value for each follower
  const swept = new Map(); // driver -> the one whose move has set it
  const undo = [];
  let moves = 0, playing = false, gone = false, known = true; // known: what was told is of this table

  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const heard = () => {
    const python = model.get("heard");
    return Object.keys(state).every((name) => same(state[name], python[name]));
  };
  function set(ends, value) {
    for (const [target, trait] of ends) if (!same(target.get(trait), value)) target.set(trait, value);
  }
  function show() {
    const values = heard() ? known && told : frameOf(state);
    if (!values || playing) return;
    playing = true;
    followers.forEach((ends, i) => set(ends, values[i]));
    playing = false;
  }
  // a slider that is shown rounds its number to its steps; its entry, the last of the two, has the number itself
  function rounded(slider, value, exact) {
    const base = slider.get("base"), apart = base ? Math.log(value / exact) / Math.log(base) : value - exact;
    return Math.abs(apart) <= 0.51 * slider.get("step");
  }
  function moved(name, source, trait) {
    const [[entry, number]] = drivers.get(name).slice(-1);
    if (source !== entry && rounded(source, source.get(trait), entry.get(number))) return;
    // goes to Python with the move: what is new, goes. Silent, or a row of buttons is made anew, and the focus is lost
    source.set("dcviz_moved", [model.get("moved"), ++moves], { silent: true });
    state[name] = source.get(trait);
    if (playing) return;
    playing = true;
    swept.delete(name);
    set(drivers.get(name), state[name]); // a slider and its entry
    for (const [other, value] of Object.entries(model.get("resets")?.[name] ?? {})) {
      set(drivers.get(other), (state[other] = value));
      swept.set(other, name);
    }
    obey();
    playing = false;
    show();
  }
  function obey() { // where Python has moved both, and the browser heard of one too late, the other is where Python says
    const python = model.get("heard");
    for (const [other, name] of swept) if (same(state[name], python[name])) set(drivers.get(other), (state[other] = python[other]));
  }
  function said(i, source, trait) {
    if (playing) return;
    if (heard()) told[i] = source.get(trait);
    else show(); // Python is behind: keep the newer frame
  }
  function listened() {
    playing = true;
    obey();
    playing = false;
    learn();
  }
  function repeated() { // Python has said all once more: of an old table's frames, or of a move that it refused, nothing stays
    known = true;
    learn();
  }
  function learn() { // from the list: of what a follower shows already, in a frame, no change is heard
    told = [...model.get("said")];
    show();
  }
  function listen(source, trait, call) {
    source.on(`change:${trait}`, call);
    undo.push(() => source.off(`change:${trait}`, call));
  }
  const found = async (ends) =>
    Promise.all(ends.map(async ([id, trait]) => [await model.widget_manager.get_model(id), trait]));

  async function start() {
    for (const [name, ends] of Object.entries(model.get("drivers"))) drivers.set(name, await found(ends));
    for (const ends of model.get("followers")) followers.push(await found(ends));
    if (gone) return;
    for (const [name, ends] of drivers) {
      const [[entry, number]] = ends.slice(-1);
      state[name] = entry.get(number);
      for (const [source, trait] of ends) listen(source, trait, () => moved(name, source, trait));
    }
    followers.forEach((ends, i) => {
      const [source, trait] = ends[0];
      listen(source, trait, () => said(i, source, trait));
    });
    for (const word of ["heard", "said"]) listen(model, word, listened);
    listen(model, "reel", () => { known = false; });
    listen(model, "repeated", repeated);
    learn(); // a control may have moved before all was found
  }
  start();
  return {
    show: () => { if (followers.length) show(); },
    close() {
      gone = true;
      for (const one of undo) one();
    },
  };
}
