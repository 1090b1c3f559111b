// An entry for one answer after another: each is sent when Enter or Check says so, and the entry is free at once.
function render({ model, el }) {
  const form = document.createElement("form"), label = document.createElement("label");
  const input = document.createElement("input"), button = document.createElement("button");
  form.className = "dcviz-answer";
  label.textContent = model.get("label");
  input.type = "text";
  input.inputMode = "numeric";
  input.placeholder = "a number";
  button.className = "jupyter-button";
  button.textContent = "Check";
  label.append(input);
  form.append(label, button);
  el.append(form);
  input.addEventListener("keydown", (event) => event.stopPropagation());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const typed = input.value.trim();
    model.set("typed", [...model.get("typed"), typed]);
    model.save_changes();
    input.value = "";
    if (typed) input.focus(); // else the focus stays on the button: Tab must lead on
  });
  const update = () => { input.disabled = button.disabled = Boolean(model.alone) || model.get("disabled"); };
  model.on("change:disabled", update);
  update();
  return () => model.off("change:disabled", update);
}

export default { render };
