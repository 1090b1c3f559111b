// A field for a number as people type it (typed.js): what is refused stays there, with the words beside it.
function render({ model, el }) {
  const whole = model.get("whole"), id = `dcviz-number-${Math.random().toString(36).slice(2)}`;
  const part = (tag, classes) => {
    const node = document.createElement(tag);
    node.className = classes;
    el.append(node);
    return node;
  };
  el.classList.add("dcviz-number");
  const label = part("label", "widget-label"), input = part("input", ""), why = part("span", "dcviz-why");
  Object.assign(input, { type: "text", inputMode: whole ? "numeric" : "decimal", id, autocomplete: "off", spellcheck: false });
  label.htmlFor = id;
  why.id = `${id}-why`;
  why.setAttribute("role", "alert");
  input.setAttribute("aria-describedby", why.id);

  // what is refused stays, with its words, though Python answers an earlier number meanwhile; not where the reader has
  // gone on and moves the number by other means, or resets the lab
  let refused = "";
  const elsewhere = ({ target, type }) => {
    if (type === "dcviz-reset" && target.closest(".dcviz-lab")?.contains(el)) show();
    else if (!el.contains(target)) refused = "";
  };
  const watch = (how) => { for (const event of ["pointerdown", "keydown", "dcviz-reset"]) document[how](event, elsewhere, true); };
  const refuse = (text) => {
    refused = text;
    why.textContent = text && `${text} It is still ${said(model.get("value"))}.`;
    input.setAttribute("aria-invalid", String(text !== ""));
    watch(text ? "addEventListener" : "removeEventListener");
  };
  let typing = false; // what is not taken yet stays, though Python may say another number meanwhile
  const show = () => {
    typing = false;
    input.value = shown(model.get("value"), whole);
    refuse("");
  };
  const dress = () => {
    label.textContent = model.get("description");
    label.hidden = !label.textContent;
    input.style.width = model.get("field");
    input.title = model.get("tooltip") || label.textContent;
    if (label.hidden) input.setAttribute("aria-label", input.title);
    input.disabled = model.get("disabled");
  };
  const heard = () => { if (refused) refuse(refused); else if (!typing) show(); };
  const take = () => {
    typing = false;
    if (input.value === shown(model.get("value"), whole)) return show(); // not edited: all its digits stay
    const found = read(input.value, { low: model.get("min"), high: model.get("max"), whole, unit: model.get("unit") });
    if (found.why) return refuse(found.why);
    const step = model.get("step");
    model.set("value", step ? Number((Math.round(found.value / step) * step).toPrecision(12)) : found.value);
    model.save_changes();
    show();
  };
  input.addEventListener("input", () => { typing = true; });
  input.addEventListener("change", take);
  input.addEventListener("blur", () => { if (typing) show(); }); // the text was put back: no change is told
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") take();
    if (event.key === "Escape") show();
    const step = whole && { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    model.set("value", Math.min(Math.max(model.get("value") + step, model.get("min")), model.get("max")));
    model.save_changes();
    show();
  });
  model.on("change:value", heard);
  model.on("change:description change:field change:tooltip change:disabled", dress);
  dress();
  show();
  return () => watch("removeEventListener");
}
export default { render };
