// Buttons that step through something and play it: they set "value" between "low" and "high".
function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "dcviz-play";
  el.append(root);
  const button = (action) => {
    const made = document.createElement("button");
    made.className = "jupyter-button";
    made.addEventListener("click", action);
    root.append(made);
    return made;
  };
  const at = (name) => model.get(name);
  let timer = 0;

  function set(value) {
    model.set("value", value);
    model.save_changes();
    show();
  }
  const actions = [() => set(Math.min(at("value") + 1, at("high"))), () => set(at("high")), () => set(at("low"))];
  const steps = at("steps").map((label, i) => {
    const made = button(() => { pauseAll(); actions[i](); });
    made.textContent = label;
    return made;
  });
  const play = button(() => {
    const starts = !timer;
    pauseAll();
    if (!starts) return;
    timer = setInterval(count, at("interval"));
    document.addEventListener("dcviz-pause", pause);
    count();
    show();
  });

  // a press of another button ends what plays (caption.js), as a start in a second view of a lab does: it would go twice as fast
  const pauseAll = () => document.dispatchEvent(new Event("dcviz-pause"));
  const pause = () => { stop(); show(); };
  function stop() {
    clearInterval(timer);
    timer = 0;
    document.removeEventListener("dcviz-pause", pause);
  }
  function count() {
    if (el.closest("[inert]") || at("disabled")) stop();
    else set(at("value") < at("high") ? at("value") + 1 : at("low")); // from the end it begins anew
  }
  function show() {
    const last = at("value") >= at("high"), off = at("disabled") || at("high") <= at("low");
    if (timer && (last || off)) stop();
    play.textContent = timer ? "❚❚ pause" : `▶ ${at("label")}${off && model.alone ? " (needs the notebook)" : ""}`;
    play.disabled = off;
    steps.forEach((made, i) => { made.disabled = off || (i < 2 ? last : at("value") <= at("low")); });
  }
  const shorter = () => { // what is stepped through may lose its end; whoever took it away goes first
    queueMicrotask(() => { if (at("value") > at("high")) model.set("value", at("high")); });
    show();
  };
  model.on("change:value change:disabled", show);
  model.on("change:high", shorter);
  show();
  return () => {
    stop();
    model.off("change:value change:disabled", show);
    model.off("change:high", shorter);
  };
}

export default { render };
