// A short layer as a row of cells with an arc per stored entry. A click, space or enter keeps or prunes a weight;
// arrow keys walk along the cells. Python encodes; this file only draws what its film says.
const WIDTH = 1080, CELL_TOP = 168, STORED = 322, HEIGHT = 336;
let made = 0;

function render({ model, el }) {
  const id = `dcviz-strip-${made++}`;
  const box = document.createElement("div");
  box.className = "dcviz dcviz-view dcviz-index-strip";
  el.append(box);
  let focused = 0;

  function toggle(position) {
    const kept = new Set(model.get("positions"));
    if (!kept.delete(position)) kept.add(position);
    model.set("positions", [...kept].sort((a, b) => a - b));
    model.save_changes();
  }

  function draw() {
    const hadFocus = box.contains(document.activeElement);
    const size = model.get("size"), step = model.get("step");
    const entries = model.get("entries").slice(0, step);
    const kept = new Set(model.get("positions"));
    const wide = Math.min(62, (WIDTH - 8) / (size + 1.5));
    const middle = (position) => 4 + wide * (position + 2);
    const svg = add(null, "svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: "100%",
      "font-family": "var(--dcviz-font)", fill: "var(--dcviz-ink)", role: "group",
      "aria-label": `layer of ${size} weights, ${kept.size} kept` });
    const defs = add(svg, "defs", {});
    const hatch = add(defs, "pattern", { id: `${id}-x`, width: 9, height: 9, patternUnits: "userSpaceOnUse" });
    add(hatch, "path", { d: "M0 0L9 9M9 0L0 9", stroke: "var(--dcviz-filler)", "stroke-width": 1.6 });
    for (const [name, paint] of [["ink", "var(--dcviz-ink)"], ["accent", "var(--dcviz-accent)"]]) {
      const head = add(defs, "marker", { id: `${id}-${name}`, viewBox: "0 0 10 10", refX: 9, refY: 5,
        markerWidth: 17, markerHeight: 15, markerUnits: "userSpaceOnUse", orient: "auto" });
      add(head, "path", { d: "M0 0L10 5L0 10z", fill: paint });
    }

    const fillers = new Set(entries.filter((entry) => !entry[2]).map((entry) => entry[0]));
    const tall = 62, big = Math.min(24, wide * 0.62), small = Math.min(19, wide * 0.56);
    add(svg, "rect", { x: middle(-1) - wide / 2 + 2, y: CELL_TOP, width: wide - 4, height: tall, fill: "none",
      stroke: "var(--dcviz-muted)", "stroke-dasharray": "5 4" });
    add(svg, "text", { x: middle(-1), y: CELL_TOP + tall / 2, "text-anchor": "middle",
      "dominant-baseline": "central", "font-size": Math.min(16, wide * 0.36) }, "start");
    add(svg, "text", { x: middle(-1), y: CELL_TOP + tall + 24, "text-anchor": "middle", "font-size": small }, "−1");
    for (let position = 0; position < size; position++) {
      const here = kept.has(position), filler = fillers.has(position);
      const cell = add(svg, "g", { role: "button", tabindex: position === focused ? 0 : -1, style: "cursor: pointer",
        "data-lm-suppress-shortcuts": "true", "data-position": position, "aria-pressed": here,
        "aria-label": `position ${position}: ${here ? "kept weight" : filler ? "zero, stored as filler" : "zero"}` });
      add(cell, "rect", { x: middle(position) - wide / 2, y: CELL_TOP, width: wide, height: tall,
        fill: here ? "var(--dcviz-kept)" : "var(--dcviz-ground)", stroke: "var(--dcviz-ink)", "stroke-width": 1.5 });
      if (filler) add(cell, "rect", { x: middle(position) - wide / 2, y: CELL_TOP, width: wide, height: tall,
        fill: `url(#${id}-x)`, "pointer-events": "none" });
      add(cell, "text", { x: middle(position), y: CELL_TOP + tall / 2, "text-anchor": "middle",
        "dominant-baseline": "central", "font-size": big, "font-weight": here || filler ? 700 : 400,
        fill: here ? "var(--dcviz-ground)" : "var(--dcviz-ink)", "pointer-events": "none",
        ...(filler ? { stroke: "var(--dcviz-ground)", "stroke-width": 5, "paint-order": "stroke" } : {}),
      }, here ? "w" : "0");
      add(svg, "text", { x: middle(position), y: CELL_TOP + tall + 24, "text-anchor": "middle", "font-size": small },
        position);
      cell.addEventListener("click", () => { focused = position; toggle(position); });
      cell.addEventListener("keydown", (event) => {
        const to = { ArrowRight: position + 1, ArrowLeft: position - 1, Home: 0, End: size - 1 }[event.key];
        if (event.key === " " || event.key === "Enter") { focused = position; toggle(position); }
        else if (to !== undefined && to >= 0 && to < size) {
          focused = to;
          cell.setAttribute("tabindex", -1);
          const next = svg.querySelector(`[data-position="${to}"]`);
          next.setAttribute("tabindex", 0);
          next.focus();
        } else return;
        event.preventDefault();
        event.stopPropagation();
      });
    }

    add(svg, "text", { x: 4, y: STORED, "font-size": Math.min(18, wide * 0.42) }, "stored");
    let previous = -1;
    entries.forEach(([position, stored, real], i) => {
      const from = middle(previous), to = middle(position), last = i === entries.length - 1;
      const high = Math.min(120, 26 + 11 * (position - previous));
      const paint = last ? "var(--dcviz-accent)" : "var(--dcviz-ink)";
      add(svg, "path", { d: `M${from} ${CELL_TOP - 4}C${from} ${CELL_TOP - high} ${to} ${CELL_TOP - high} ${to} ${CELL_TOP - 2}`,
        fill: "none", stroke: paint, "stroke-width": last ? 4 : 2.5, "stroke-dasharray": real ? "none" : "7 5",
        "marker-end": `url(#${id}-${last ? "accent" : "ink"})` });
      add(svg, "text", { x: (from + to) / 2, y: CELL_TOP - 0.75 * high - 10, "text-anchor": "middle",
        "font-size": Math.max(15, Math.min(22, wide * 0.6)), fill: paint, "font-weight": last ? 700 : 400 }, `+${stored + 1}`);
      add(svg, "rect", { x: to - wide / 2 + 2, y: STORED - 30, width: wide - 4, height: 40, rx: 5, fill: "none",
        stroke: paint, "stroke-width": last ? 3.5 : 2, "stroke-dasharray": real ? "none" : "7 5" });
      add(svg, "text", { x: to, y: STORED - 1, "text-anchor": "middle", "font-size": Math.min(25, wide * 0.62),
        "font-weight": 700, fill: paint }, stored);
      previous = position;
    });
    box.replaceChildren(svg);
    focused = Math.min(focused, size - 1);
    if (hadFocus) svg.querySelector(`[data-position="${focused}"]`)?.focus();
  }

  const shorter = () => queueMicrotask(() => { // what lies beyond the end is forgotten, as Python does
    const inside = model.get("positions").filter((position) => position < model.get("size"));
    if (inside.length < model.get("positions").length) model.set("positions", inside);
  });
  const names = "change:size change:positions change:entries change:step";
  model.on(names, draw);
  model.on("change:size", shorter);
  draw();
  return () => {
    model.off(names, draw);
    model.off("change:size", shorter);
  };
}
export default { render };
