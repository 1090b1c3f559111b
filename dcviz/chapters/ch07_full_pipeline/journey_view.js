// One weight's journey on one screen: its values stage by stage, its path through training, and its bits in the file.
// Python has tabulated every weight (`table`); this file only draws the one that is chosen.
const WIDTH = 1080, LEFT = 88, TOP = 152, HIGH = 250, LOW = 62; // of the path: low where all has to fit in half a page
let made = 0;

function render({ model, el }) {
  const id = `dcviz-journey-${made++}`;
  const box = document.createElement("div");
  box.className = "dcviz dcviz-view dcviz-journey";
  el.append(box);
  let TALL, BYTES, HEIGHT;

  function stages(svg, one) {
    const wide = (WIDTH - 10) / one.stages.length;
    one.stages.forEach(([title, value, note], i) => {
      const x = 5 + i * wide, last = i === one.stages.length - 1;
      add(svg, "rect", { x: x + 3, y: 4, width: wide - 6, height: 116, rx: 6, fill: "var(--dcviz-ground)",
        stroke: last ? "var(--dcviz-accent)" : "var(--dcviz-muted)", "stroke-width": last ? 3.5 : 1.5 });
      add(svg, "text", { x: x + wide / 2, y: 28, "text-anchor": "middle", "font-size": 17 }, title);
      add(svg, "text", { x: x + wide / 2, y: 66, "text-anchor": "middle", "font-size": 25, "font-weight": 700 }, value);
      note.split("\n").forEach((line, row) =>
        add(svg, "text", { x: x + wide / 2, y: 90 + 20 * row, "text-anchor": "middle", "font-size": 15.5 }, line));
    });
  }

  function path(svg, one) {
    const inside = WIDTH - LEFT - 12;
    const px = (x) => LEFT + inside * x, py = (y) => TOP + TALL / 2 - (TALL / 2) * y;
    add(svg, "rect", { x: LEFT, y: TOP, width: inside, height: TALL, fill: "none", stroke: "var(--dcviz-muted)" });
    add(svg, "rect", { x: LEFT, y: py(one.band), width: inside, height: py(-one.band) - py(one.band),
      fill: `url(#${id}-gone)`, stroke: "none" });
    for (const [y, label] of one.ticks) {
      add(svg, "line", { x1: LEFT - 6, x2: LEFT, y1: py(y), y2: py(y), stroke: "var(--dcviz-ink)" });
      add(svg, "text", { x: LEFT - 10, y: py(y), "text-anchor": "end", "dominant-baseline": "central", "font-size": 16 }, label);
    }
    add(svg, "line", { x1: LEFT, x2: LEFT + inside, y1: py(0), y2: py(0), stroke: "var(--dcviz-ink)" });
    const low = one.path[one.path.length - 1][1] > 0; // where the path is not
    one.events.forEach(([x, label]) => {
      add(svg, "line", { x1: px(x), x2: px(x), y1: TOP, y2: TOP + TALL, stroke: "var(--dcviz-ink)", "stroke-dasharray": "6 5" });
      add(svg, "text", { x: px(x) - 6, y: low ? TOP + TALL - 10 : TOP + 20, "text-anchor": "end", "font-size": 16,
        stroke: "var(--dcviz-ground)", "stroke-width": 5, "paint-order": "stroke" }, label);
    });
    const points = one.path.map(([x, y]) => `${px(x)},${py(y)}`).join(" ");
    add(svg, "polyline", { points, fill: "none", stroke: "var(--dcviz-kept)", "stroke-width": 4, "stroke-linejoin": "round" });
    const [x, y] = one.path[one.path.length - 1];
    add(svg, "circle", { cx: px(x), cy: py(y), r: 8, fill: "var(--dcviz-accent)", stroke: "var(--dcviz-ground)", "stroke-width": 2 });
    one.under.forEach(([x, label]) =>
      add(svg, "text", { x: px(x), y: TOP + TALL + 22, "text-anchor": "middle", "font-size": 16 }, label));
  }

  function file(svg, one) {
    add(svg, "text", { x: 8, y: BYTES - 22, "font-size": 17 }, one.file);
    add(svg, "rect", { x: 8, y: BYTES - 10, width: WIDTH - 16, height: 14, fill: "none", stroke: "var(--dcviz-muted)" });
    one.words.forEach((word) =>
      add(svg, "rect", { x: 8 + (WIDTH - 16) * word.where - 2.5, y: BYTES - 15, width: 5, height: 24, fill: "var(--dcviz-accent)" }));
    add(svg, "text", { x: 8, y: BYTES + 218, "font-size": 18 }, one.back);
    one.words.forEach((word, row) => {
      const y = BYTES + 34 + row * 82, cell = 18.5, gap = 14, start = 150;
      add(svg, "text", { x: 8, y: y + 24, "font-size": 18, "font-weight": 700 }, word.name);
      add(svg, "text", { x: 8, y: y + 46, "font-size": 16 }, word.says);
      word.bytes.forEach((byte, i) => {
        const x = start + i * (8 * cell + gap), bits = byte.toString(2).padStart(8, "0");
        const mine = word.from < 8 * i + 8 && word.from + word.length > 8 * i;
        add(svg, "rect", { x: x - 5, y, width: 8 * cell + 8, height: 62, rx: 5, fill: "none",
          stroke: mine ? "var(--dcviz-accent)" : "var(--dcviz-muted)", "stroke-width": mine ? 3.5 : 1 });
        add(svg, "text", { x: x + 4 * cell, y: y + 22, "text-anchor": "middle", "font-size": 15.5,
          "font-weight": mine ? 700 : 400 }, `byte ${(word.first + i).toLocaleString("en")}`);
        for (let bit = 0; bit < 8; bit++) {
          const at = 8 * i + bit, ours = at >= word.from && at < word.from + word.length;
          if (ours) add(svg, "rect", { x: x + bit * cell, y: y + 31, width: cell, height: 27, fill: "var(--dcviz-accent)" });
          add(svg, "text", { x: x + (bit + 0.5) * cell, y: y + 51, "text-anchor": "middle", "font-size": 20,
            "font-family": "monospace", "font-weight": ours ? 700 : 400,
            fill: ours ? "var(--dcviz-ground)" : "var(--dcviz-ink)" }, bits[bit]);
        }
      });
    });
  }

  function measure() {
    const tall = el.closest(".dcviz-narrow") ? LOW : HIGH, changed = tall !== TALL;
    [TALL, BYTES, HEIGHT] = [tall, TOP + tall + 94, TOP + tall + 328];
    return changed;
  }

  function draw() {
    measure();
    const table = model.get("table"), one = table[Math.min(model.get("chosen"), table.length - 1)];
    const svg = add(null, "svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: "100%",
      "font-family": "var(--dcviz-font)", fill: "var(--dcviz-ink)", role: "img", "aria-label": one.words_only });
    const hatch = add(add(svg, "defs", {}), "pattern", { id: `${id}-gone`, width: 10, height: 10, patternUnits: "userSpaceOnUse" });
    add(hatch, "path", { d: "M0 10L10 0", stroke: "var(--dcviz-pruned)", "stroke-width": 1.3 });
    stages(svg, one);
    path(svg, one);
    file(svg, one);
    box.replaceChildren(svg);
  }

  const room = new ResizeObserver(() => measure() && draw());
  room.observe(box);
  model.on("change:chosen change:table", draw);
  draw();
  return () => { room.disconnect(); model.off("change:chosen change:table", draw); };
}
export default { render };
