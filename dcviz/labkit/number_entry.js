// A number as people type it: 0,05 and 1e-3, 12 % and 1 000. What is not taken is refused in words beside the field,
// stays there to be mended, and Python hears nothing of it.
const GROUPS = /^[+-]?\d{1,3}([ ,]\d{3})+$/;

function shown(value, whole) { // four digits that count; whole numbers in full
  return whole || Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

const said = (value) => Number.isInteger(value) ? value.toLocaleString("en") : shown(value);

function read(typed, { low, high, whole, unit }) { // -> {value} or {why}
  let text = typed.trim().replace(/\u2212/g, "-").replace(/[\u00a0\u2009\u202f_]/g, " ");
  if (unit && text.endsWith(unit)) text = text.slice(0, -unit.length).trim();
  if (unit.startsWith("%")) text = text.replace(/\s*%$/, "");
  if (text === "") return { why: "A number is wanted here." };
  if (GROUPS.test(text)) {
    if (!whole && !/[ ]|,.*,/.test(text)) return { why: `“${typed}” may be read in two ways: write ${text.replace(",", "")} or ${text.replace(",", ".")}.` };
    text = text.replace(/[ ,]/g, "");
  } else if (/^[^.]*,[^,.]*$/.test(text)) text = text.replace(",", ".");
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return { why: `“${typed.slice(0, 30)}” is no number.` };
  const value = Number(text);
  if (whole && !Number.isInteger(value)) return { why: "A whole number is wanted here." };
  if (value < low || value > high) return { why: `From ${said(low)} to ${said(high)}.` };
  return { value };
}

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

  const refuse = (text) => {
    why.textContent = text;
    input.setAttribute("aria-invalid", String(text !== ""));
  };
  const show = () => {
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
  const take = () => {
    if (input.value === shown(model.get("value"), whole)) return show(); // not edited: all its digits stay
    const found = read(input.value, { low: model.get("min"), high: model.get("max"), whole, unit: model.get("unit") });
    if (found.why) return refuse(`${found.why} It is still ${shown(model.get("value"), whole)}.`);
    model.set("value", found.value);
    model.save_changes();
    show();
  };
  input.addEventListener("change", take);
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
  model.on("change:value", show);
  model.on("change:description change:field change:tooltip change:disabled", dress);
  dress();
  show();
}
export default { render };
