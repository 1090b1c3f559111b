// Fig. 3 as tables. Weights and gradients are entries; codes come from Python, sums and new centroids from its film.
// Each cluster has a colour and its number; pointing at a cell lights up its whole cluster.

const HUES = ["kept", "pruned", "retrained", "centroid"];
const STYLE = `
.dcviz-gradient { display: grid; grid-template-columns: auto auto auto auto auto; gap: 20px 20px;
  justify-content: start; align-items: start; overflow-x: auto; padding: 4px; }
.dcviz-gradient h4 { font: bold 18px var(--dcviz-font); color: var(--dcviz-ink); margin: 0 0 6px; white-space: nowrap; }
.dcviz-gradient h4 small { font-weight: 400; font-size: 16px; }
.dcviz-gradient .cells { display: grid; gap: 3px; width: max-content; }
.dcviz-gradient .cell { box-sizing: border-box; width: 62px; height: 42px; font: 18px var(--dcviz-font); color: var(--dcviz-ink);
  border: 2px solid transparent; border-radius: 4px; display: flex; align-items: center; justify-content: center;
  font-variant-numeric: tabular-nums; position: relative; text-align: center; padding: 0; }
.dcviz-gradient .cell.code { width: 46px; font-weight: 700; }
.dcviz-gradient .cell.name { width: 30px; font-weight: 700; background: none; }
.dcviz-gradient input.cell { border: 2px solid var(--dcviz-muted); }
.dcviz-gradient input.cell:invalid { border: 3px solid var(--dcviz-pruned); }
.dcviz-gradient input.cell:focus-visible { outline: 3px solid var(--dcviz-accent); }
.dcviz-gradient .lit { border-color: var(--dcviz-ink) !important; box-shadow: 0 0 0 2px var(--dcviz-ink); }
.dcviz-gradient .line { display: flex; flex-wrap: wrap; gap: 3px; max-width: 360px; }
.dcviz-gradient .rows { display: grid; gap: 3px; min-width: 290px; }
.dcviz-gradient .operator { align-self: center; justify-self: center; font: 20px var(--dcviz-font); color: var(--dcviz-ink);
  white-space: nowrap; }
.dcviz-narrow .dcviz-gradient { gap: 10px 8px; align-items: end; }
.dcviz-narrow .dcviz-gradient h4 { margin: 0 0 2px; white-space: normal; width: min-content; min-width: 100%; }
.dcviz-narrow .dcviz-gradient .cell { width: 56px; height: 31px; font-size: 16.5px; } /* "−1.08" in a frame */
.dcviz-narrow .dcviz-gradient .cell.code { width: 44px; }
.dcviz-narrow .dcviz-gradient .cell.name { width: 26px; }
.dcviz-narrow .dcviz-gradient .line { max-width: 330px; }
.dcviz-narrow .dcviz-gradient .rows { min-width: 325px; } /* five numbers beside their name */
.dcviz-narrow .dcviz-gradient .operator { font-size: 16px; white-space: normal; text-align: center; }
${HUES.map((hue, i) => `.dcviz-gradient .c${i} { background: color-mix(in srgb, var(--dcviz-${hue}) 30%, var(--dcviz-ground)); }`).join("\n")}
`;

function render({ model, el }) {
  const style = document.createElement("style");
  style.textContent = STYLE;
  const root = document.createElement("div");
  root.className = "dcviz dcviz-gradient";
  el.append(style, root);

  const make = (tag, name, text = "") => {
    const node = document.createElement(tag);
    node.className = name;
    node.textContent = text;
    return node;
  };
  const block = (title, content, unit = "") => {
    const box = make("div", "block"), heading = make("h4", "");
    heading.textContent = title;
    if (unit) heading.append(" ", make("small", "", unit));
    box.append(heading, content);
    root.append(box);
    return { box, heading, content };
  };
  const cells = (columns) => {
    const node = make("div", "cells");
    node.style.gridTemplateColumns = `repeat(${columns}, auto)`;
    return node;
  };

  // a grid of entries: what is typed goes to Python on Enter or when the entry is left, and stays until then, though
  // Python may answer an earlier one meanwhile
  const typing = new Set(), refused = new Map(); // entry -> its number, which is still what it was
  function entries(name, label) {
    const node = cells(4);
    const inputs = Array.from({ length: 16 }, (_, i) => {
      const input = make("input", "cell");
      Object.assign(input, { type: "text", inputMode: "decimal", autocomplete: "off", spellcheck: false });
      input.dataset.lmSuppressShortcuts = "true"; // else JupyterLab's command mode takes the keys
      input.setAttribute("aria-label", `${label}, row ${Math.floor(i / 4) + 1}, column ${(i % 4) + 1}`);
      input.addEventListener("keydown", (event) => event.stopPropagation());
      input.addEventListener("input", () => {
        typing.add(input);
        refused.delete(input);
        input.setCustomValidity("");
      });
      input.addEventListener("blur", () => { if (typing.delete(input)) update(); }); // the text was put back: no change is told
      input.addEventListener("change", () => {
        typing.delete(input);
        const values = [...model.get(name)];
        const { value, why = "" } = read(input.value, { low: -1000, high: 1000, whole: false, unit: "" });
        input.setCustomValidity(why); // the browser says it beside the cell
        if (why) refused.set(input, values[i]);
        if (!input.reportValidity()) return;
        values[i] = value;
        model.set("cell", i); // the caption speaks of it
        model.set(name, values);
        model.save_changes();
      });
      node.append(input);
      return input;
    });
    return { node, inputs };
  }

  const weights = entries("weights", "weight");
  if (model.alone) // k-means is Python's
    for (const input of weights.inputs) Object.assign(input, { disabled: true, title: "needs the notebook" });
  const gradients = entries("gradients", "gradient");
  const codes = cells(4), groups = make("div", "rows");
  const centroids = cells(2), reduced = cells(2), tuned = cells(2);
  const operator = make("div", "operator");

  block("weights", weights.node, "(32-bit)");
  block("cluster index", codes, "(2-bit)");
  block("centroids", centroids);
  root.append(operator);
  block("fine-tuned", tuned);
  block("gradient", gradients.node);
  block("grouped by cluster", groups);
  const reducedBlock = block("", reduced);

  const cell = (text, code, kind = "") => {
    const node = make("div", `cell ${kind} c${code % 4}`, text);
    node.dataset.cluster = code;
    return node;
  };

  function column(node, values) {
    node.replaceChildren(...values.flatMap((value, i) => [make("div", "cell name", `${i}:`), cell(number(value), i)]));
  }

  function update() {
    const code = model.get("codes"), k = model.get("centroids").length;
    if (code.length !== 16) return;
    for (const [name, { inputs }] of [["weights", weights], ["gradients", gradients]]) {
      const values = model.get(name);
      inputs.forEach((input, i) => {
        if (refused.has(input) && refused.get(input) !== values[i]) refused.delete(input);
        if (!typing.has(input) && !refused.has(input) && (document.activeElement !== input || Number(input.value.replace("\u2212", "-")) !== values[i])) {
          input.value = minus(String(Number(values[i].toFixed(4))));
          input.setCustomValidity("");
        }
        input.className = `cell c${code[i] % 4}`;
        input.dataset.cluster = code[i];
      });
    }
    codes.replaceChildren(...code.map((c) => cell(String(c), c, "code")));
    const g = model.get("gradients");
    groups.replaceChildren(...Array.from({ length: k }, (_, i) => {
      const line = make("div", "line");
      line.append(make("div", "cell name", `${i}:`));
      g.forEach((value, j) => { if (code[j] === i) line.append(cell(number(value), i)); });
      return line;
    }));
    reducedBlock.heading.textContent = model.get("reduce") === "sum" ? "sum" : "mean (not eq. 3)";
    operator.textContent = `− ${Number(model.get("learning_rate").toPrecision(3))} × ${model.get("reduce")}  =`;
    column(centroids, model.get("centroids"));
    column(reduced, model.get("reduced"));
    column(tuned, model.get("tuned"));
  }

  function light(event) {
    const cluster = event.type === "mouseleave" ? null : event.target.dataset?.cluster;
    for (const node of root.querySelectorAll("[data-cluster]")) {
      node.classList.toggle("lit", cluster != null && node.dataset.cluster === cluster);
    }
  }
  root.addEventListener("mouseover", light);
  root.addEventListener("focusin", light);
  root.addEventListener("mouseleave", light);

  const events = "change:weights change:gradients change:codes change:centroids change:reduced change:tuned "
    + "change:reduce change:learning_rate";
  model.on(events, update);
  const reset = ({ target }) => {
    if (!target.closest(".dcviz-lab")?.contains(el)) return;
    refused.clear();
    update();
  };
  document.addEventListener("dcviz-reset", reset);
  update();
  return () => {
    model.off(events, update);
    document.removeEventListener("dcviz-reset", reset);
  };
}

export default { render };
