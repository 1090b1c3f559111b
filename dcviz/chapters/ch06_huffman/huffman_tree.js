// A Huffman tree in SVG. Python sends the layout once (nodes as parallel lists, parents first); choosing a leaf
// marks its path here, at once, and tells Python through the trait "selected".

const SIDE = { left: 56, right: 14, top: 22 };
const NARROW = 11.5; // pixels of the tightest column: the digits of a label that stands upright are 11 wide

const percent = (x) => (x >= 0.0995 ? (100 * x).toFixed(1) : (100 * x).toPrecision(2)) + "%";

function element(name, text) { // a piece of the readout; text is data, never markup
  const node = document.createElement(name);
  node.textContent = text;
  return node;
}

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "dcviz dcviz-view dcviz-tree";
  const readout = document.createElement("div"), scroll = document.createElement("div");
  readout.className = "readout";
  scroll.className = "scroll";
  root.append(readout, scroll);
  el.append(root);

  let t = null, shapes = [], svg = null, width = 0, hover = -1, frame = 0, wantFocus = false;

  const high = () => Math.min(model.get("height"), most(root) / (parseFloat(getComputedStyle(root).zoom) || 1));
  const isTerminal = (i) => t.kind[i] !== "inner";
  const made = (i) => t.made[i] < step();
  const step = () => { const s = model.get("step"); return s < 0 ? Infinity : s; };
  const indexOf = (node) => t.node.indexOf(node);

  function way(i) { // indices from the root to i
    const up = [];
    for (; i >= 0; i = t.parent[i]) up.push(i);
    return up.reverse();
  }

  // ---- building: once per layout and width

  function build() {
    t = model.get("tree");
    const hadFocus = scroll.contains(document.activeElement);
    scroll.replaceChildren();
    shapes = [];
    if (!t.node || !t.node.length || !width) return;
    const room = width - SIDE.left - SIDE.right;
    const column = Math.max(NARROW, room / t.columns), tight = column < 34;
    const level = Math.max(high() < 300 ? 18 : 27, Math.min(64, (high() - SIDE.top - 60) / Math.max(1, t.depth)));
    const total = SIDE.left + SIDE.right + column * t.columns;
    const tail = tight ? 40 : 34;
    const bottom = SIDE.top + level * t.depth + tail;
    const x = (i) => SIDE.left + column * (t.x[i] + 0.5), y = (i) => SIDE.top + level * t.y[i];
    svg = add(scroll, "svg", { width: Math.max(total, width - 2), height: bottom, role: "group", "aria-label": model.get("label") });
    svg.classList.toggle("tight", tight);
    svg.classList.toggle("all-bits", t.columns <= 20);
    const levels = add(svg, "g", { "aria-hidden": "true" }), edges = add(svg, "g", { "aria-hidden": "true" });
    const knots = add(svg, "g", { "aria-hidden": "true" }), bits = add(svg, "g", { "aria-hidden": "true" });
    const terminals = add(svg, "g", {});
    const every = Math.ceil(24 / level);
    for (let d = 0; d <= t.depth; d++) {
      add(levels, "line", { class: "level", x1: SIDE.left - 14, x2: total - SIDE.right, y1: SIDE.top + level * d, y2: SIDE.top + level * d });
      if (d % every === 0) add(levels, "text", { class: "depth", x: SIDE.left - 20, y: SIDE.top + level * d }).textContent = d;
    }
    t.node.forEach((node, i) => {
      const p = t.parent[i], shape = { i };
      if (p >= 0) {
        shape.edge = add(edges, "line", {
          class: "edge", x1: x(p), y1: y(p), x2: x(i), y2: y(i), "stroke-width": (1.5 + 15 * t.share[i]).toFixed(1) });
        shape.bit = add(bits, "text", { class: "bit", x: x(p) + 0.55 * (x(i) - x(p)), y: y(p) + 0.55 * (y(i) - y(p)) });
        shape.bit.textContent = t.bit[i];
      }
      if (isTerminal(i)) terminal(shape, x(i), y(i), column, tail, tight, terminals);
      else shape.knot = add(knots, "circle", { class: "inner", cx: x(i), cy: y(i), r: 5 });
      shapes.push(shape);
    });
    const marks = add(svg, "g", { "aria-hidden": "true" });
    svg.here = add(marks, "circle", { class: "here", r: 13 });
    svg.next = [0, 1].map(() => add(marks, "circle", { class: "next", r: 11 }));
    svg.place = { x, y };
    wantFocus = wantFocus || hadFocus;
    paint();
  }

  function terminal(shape, x, y, column, tail, tight, parent) {
    const i = shape.i, leaf = t.kind[i] === "leaf";
    const g = add(parent, "g", { class: `terminal ${t.kind[i]}`, role: "button", tabindex: -1, transform: `translate(${x},${y})` });
    g.dataset.lmSuppressShortcuts = "true"; // else JupyterLab's command mode takes the arrow keys
    g.dataset.node = t.node[i];
    const bits = way(i).map((j) => t.bit[j]).join("");
    const word = bits ? `${model.get("word")} ${bits}, ${bits.length} bits` : "alone";
    g.setAttribute("aria-label", leaf
      ? `${t.name[i]}, ${percent(t.share[i])}, ${word}`
      : `branch of ${t.below[i]} symbols, together ${percent(t.share[i])}; opens`);
    const w = Math.max(column, 22);
    add(g, "rect", { class: "hit", x: -w / 2, y: -12, width: w, height: 12 + tail, rx: 4 });
    const half = Math.min(leaf ? 6 : 9, column / 2 - 1); // beside its neighbour, not on it
    if (leaf) add(g, "rect", { class: "glyph", x: -half, y: -6, width: 2 * half, height: 12 });
    else add(g, "path", { class: "glyph", d: `M0,-7 L${half},9 L-${half},9 Z` });
    const text = add(g, "text", tight ? { transform: "translate(0,12) rotate(-90)" } : { y: 27 });
    text.textContent = leaf ? t.mark[i] : `${t.below[i]}×`;
    g.addEventListener("click", () => choose(i));
    g.addEventListener("keydown", (event) => key(event, i));
    g.addEventListener("pointerenter", () => look(i));
    g.addEventListener("pointerleave", () => look(-1));
    shape.terminal = g;
  }

  // ---- painting: classes only

  function paint() {
    frame = 0;
    if (!t || !shapes.length) { readout.textContent = ""; return; }
    const selected = indexOf(model.get("selected")), current = indexOf(model.get("current"));
    const seen = hover >= 0 && hover < shapes.length ? hover : current >= 0 ? current : selected;
    const on = new Set(way(seen));
    const stop = shapes.find((s) => s.terminal && s.i === selected) ?? shapes.find((s) => s.terminal);
    for (const s of shapes) {
      const p = t.parent[s.i], there = made(s.i) && (p < 0 || made(p)), lit = on.has(s.i);
      s.edge?.classList.toggle("later", !there);
      s.bit?.classList.toggle("later", !there);
      s.edge?.classList.toggle("on", lit);
      s.bit?.classList.toggle("on", lit);
      s.knot?.classList.toggle("later", !made(s.i));
      s.knot?.classList.toggle("on", lit);
      if (s.terminal) {
        s.terminal.classList.toggle("later", !made(s.i));
        s.terminal.setAttribute("aria-pressed", String(s.i === selected));
        s.terminal.setAttribute("tabindex", s === stop ? 0 : -1);
      }
    }
    const { x, y } = svg.place;
    mark(svg.here, current, x, y);
    const now = t.made.indexOf(step()); // the node that the next merge makes
    const pair = now < 0 || t.kind[now] === "branch" ? [] : t.parent.flatMap((p, i) => (p === now ? [i] : []));
    svg.next.forEach((circle, k) => mark(circle, pair[k] ?? -1, x, y));
    say(seen, pair);
    if (wantFocus && stop && document.activeElement !== stop.terminal) stop.terminal.focus({ preventScroll: true });
    wantFocus = false;
  }

  function mark(circle, i, x, y) {
    circle.style.display = i < 0 ? "none" : "";
    if (i >= 0) { circle.setAttribute("cx", x(i)); circle.setAttribute("cy", y(i)); }
  }

  function say(i, pair) {
    if (i >= 0 && !(t.kind[i] === "inner" && t.parent[i] < 0)) {
      const bits = way(i).map((j) => t.bit[j]).join(""), whole = way(i).every(made);
      const who = t.kind[i] === "branch" ? `branch of ${t.below[i]} symbols` : t.kind[i] === "leaf" ? t.name[i] : "on the way";
      const code = !bits ? ["at the root"] : !whole ? ["not joined to the root yet"]
        : [`${model.get("word")} `, element("code", bits), ` ${bits.length} bit${bits.length > 1 ? "s" : ""}`];
      const share = t.kind[i] === "inner" ? "" : ` · ${percent(t.share[i])}`;
      readout.replaceChildren(element("b", who), `${share} · `, ...code);
    } else if (pair.length === 2) {
      const [one, other] = pair.map((j) => t.share[j]);
      readout.replaceChildren("next merge: the two lightest, ", element("b", percent(one)), " + ", element("b", percent(other)),
        ` = ${percent(one + other)}`);
    } else if (step() < Infinity && model.get("current") < 0) {
      readout.textContent = "The next merge is inside a closed branch.";
    } else {
      readout.textContent = model.get("hint");
    }
  }

  const schedule = () => { if (!frame) frame = requestAnimationFrame(paint); };

  // ---- mouse and keys

  function look(i) { hover = i; schedule(); }

  function choose(i) {
    if (t.kind[i] === "branch") {
      model.set("opened", [...model.get("opened"), t.node[i]]);
      wantFocus = true;
    } else {
      model.set("selected", t.node[i] === model.get("selected") ? -1 : t.node[i]);
    }
    hover = -1;
    model.save_changes();
    schedule();
  }

  function key(event, i) {
    const stops = shapes.filter((s) => s.terminal).map((s) => s.i), at = stops.indexOf(i);
    const goal = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: stops.length - 1 }[event.key];
    if (goal !== undefined) {
      const next = stops[Math.max(0, Math.min(stops.length - 1, goal))];
      const g = shapes[next].terminal;
      g.setAttribute("tabindex", 0);
      g.focus();
      if (t.kind[next] === "leaf" && t.node[next] !== model.get("selected")) {
        model.set("selected", t.node[next]);
        model.save_changes();
      } else look(next);
    } else if (event.key === "Enter" || event.key === " ") choose(i);
    else if (event.key === "Escape") { model.set("selected", -1); model.save_changes(); }
    else return;
    event.preventDefault();
    event.stopPropagation();
    schedule();
  }

  // ---- life

  let built = 0;
  const fit = () => {
    if (!root.clientWidth || (Math.abs(root.clientWidth - width) < 2 && high() === built)) return;
    [width, built] = [root.clientWidth, high()];
    build();
  };
  const resize = new ResizeObserver(fit);
  resize.observe(root);
  window.addEventListener("dcviz-room", fit);
  const ink = () => root.style.setProperty("--tree-ink", `var(--dcviz-${model.get("ink")})`);
  const rebuild = () => { hover = -1; ink(); build(); };
  const listeners = {
    "change:tree change:label change:ink change:height change:word": rebuild,
    "change:selected change:step change:current change:hint": schedule,
  };
  for (const [events, listener] of Object.entries(listeners)) model.on(events, listener);
  ink();
  return () => {
    resize.disconnect();
    window.removeEventListener("dcviz-room", fit);
    cancelAnimationFrame(frame);
    for (const [events, listener] of Object.entries(listeners)) model.off(events, listener);
  };
}

export default { render };
