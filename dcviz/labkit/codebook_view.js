// The weights of a layer in the colours of their clusters, the codebook on top, and the cumulative distribution.
// A drag of a centroid is drawn at once, clusters and all; Python hears of it at most every 50 ms and on release. What
// moves stops at multiples of `grid`: of these a film knows what follows.

const MARGIN = { left: 84, right: 30, top: 76, bottom: 62 };

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "dcviz dcviz-view dcviz-codebook";
  el.append(root);

  let s = { counts: [], sums: [0], low: -1, high: 1, top: 1 };
  let marks = [], handles = [], dragging = null, pile = [], keyTimer = 0, ahead = null, moving = false; // pile: those on one place, of which one is dragged
  const view = stage(root, {
    colours: ["kept", "pruned", "centroid", "paper", "muted"], height: () => Math.min(model.get("height"), most(root)), draw, after: placeHandles,
  });
  const { canvas, schedule } = view, mouse = mover(model);

  // ---- data and state from Python

  function readCounts() {
    const counts = array(model, "counts", Uint32Array), sums = [0];
    for (const c of counts) sums.push(sums.at(-1) + c);
    s = { counts, sums, low: model.get("low"), high: model.get("high"), top: Math.max(1, ...counts) };
    schedule();
  }

  function readMarks() {
    const told = model.get("centroids");
    if (told.length !== marks.length) dragging = ahead = null; // k was changed: what is held is not there any more
    if (String(told) === String(marks)) ahead = null;
    if (dragging === null && !ahead) marks = [...told];
    makeHandles();
    schedule();
  }

  function readDragged() { // not by the mouse: what was moved here before is undone
    if (moving || String(model.get("dragged")) === String(marks)) return;
    ahead = null;
    readMarks();
  }

  const snap = (x, round = Math.round) => { const grid = model.get("grid"); return grid ? round(x / grid) * grid : x; };

  function move(i, x) { // centroids stay in order
    marks = marks.map((mark) => snap(mark));
    const low = i ? marks[i - 1] : snap(s.low, Math.ceil);
    const high = i + 1 < marks.length ? marks[i + 1] : snap(s.high, Math.floor);
    marks[i] = Math.min(Math.max(snap(x), low), high);
    schedule();
    moving = ahead = true;
    const same = (name) => String(model.get(name)) === String(marks);
    if (same("dragged") && !same("centroids")) { // back where Python began: no change to it, and yet its steps go
      model.set("dragged", []);
      model.set("again", model.get("again") + 1);
    }
    mouse.move({ dragged: [...marks] });
    moving = false;
    ahead = !same("centroids"); // no film has followed: an older key's answer must not take back what this one did
  }

  // ---- geometry and counting

  const plot = () => ({
    x: MARGIN.left * view.text, y: MARGIN.top * view.text,
    w: Math.max(10, view.width - (MARGIN.left + MARGIN.right + (model.get("show_cdf") ? 60 : 0)) * view.text),
    h: view.height - (MARGIN.top + MARGIN.bottom - (view.low ? 26 : 0)) * view.text,
  });
  const toPixel = (p, x) => p.x + ((x - s.low) / (s.high - s.low)) * p.w;
  const toValue = (p, px) => s.low + ((px - p.x) / p.w) * (s.high - s.low);

  function below(x) { // how many weights are smaller, from the histogram
    const at = Math.min(Math.max(((x - s.low) / (s.high - s.low)) * s.counts.length, 0), s.counts.length);
    const i = Math.min(Math.floor(at), s.counts.length - 1);
    return s.sums[i] + (at - i) * s.counts[i];
  }

  const middles = () => marks.slice(1).map((x, i) => (x + marks[i]) / 2);

  function empties() {
    const sizes = model.get("sizes"), own = model.get("centroids"); // counted by Python, or its film, for these centroids
    if (sizes.length === marks.length && marks.every((x, i) => x === own[i])) return sizes.map((n) => n === 0);
    const cuts = [0, ...middles().map(below), s.sums.at(-1)];
    return marks.map((_, i) => cuts[i + 1] - cuts[i] < 0.5);
  }

  // ---- the picture

  function draw(c) {
    if (!s.counts.length) return;
    const p = plot(), log = model.get("log_y");
    const height = log
      ? (v) => (Math.log10(1 + v) / Math.log10(1 + s.top)) * p.h * 0.96
      : (v) => (v / s.top) * p.h * 0.96;
    const cuts = middles(), empty = empties();
    const { low, high, top } = s;
    countAxes(c, view, p, { low, high, top, log, height, label: model.get("label"), toPixel: (x) => toPixel(p, x), gap: 12 });
    bars(c, p, cuts, height);
    if (model.get("show_cdf")) distribution(c, p);
    previous(c, p);
    marks.forEach((x, i) => mark(c, p, x, empty[i]));
    if (marks.length <= 40) labels(c, p, empty);
    legend(c, p, empty);
    canvas.dataset.centroids = marks.map((x) => x.toPrecision(5)).join(" ");
    canvas.dataset.empty = empty.filter(Boolean).length;
  }

  function bars(c, p, cuts, height) {
    const { style } = view;
    const n = s.counts.length, step = p.w / n;
    let cluster = 0;
    c.fillStyle = style.kept;
    for (let i = 0; i < n; i++) {
      const middle = s.low + ((i + 0.5) / n) * (s.high - s.low);
      while (cluster < cuts.length && middle > cuts[cluster]) cluster++;
      c.globalAlpha = cluster % 2 ? 0.45 : 0.95;
      const h = height(s.counts[i]);
      if (h > 0) c.fillRect(p.x + i * step, p.y + p.h - h, step + 0.4, h);
    }
    c.globalAlpha = 1;
    if (cuts.length > 40) return;
    c.strokeStyle = style.muted;
    c.setLineDash([3, 5]);
    for (const x of cuts) {
      c.beginPath();
      c.moveTo(toPixel(p, x), p.y + 10);
      c.lineTo(toPixel(p, x), p.y + p.h);
      c.stroke();
    }
    c.setLineDash([]);
  }

  function distribution(c, p) {
    const { style } = view;
    const level = (x) => p.y + p.h - (below(x) / s.sums.at(-1)) * p.h;
    c.strokeStyle = style.paper;
    c.lineWidth = 2.5;
    c.setLineDash([10, 5]);
    c.beginPath();
    for (let px = 0; px <= p.w; px += 2) {
      const y = level(toValue(p, p.x + px));
      if (px) c.lineTo(p.x + px, y); else c.moveTo(p.x + px, y);
    }
    c.stroke();
    c.setLineDash([]);
    c.lineWidth = 1;
    c.globalAlpha = 0.6;
    for (const x of marks) { // where each centroid stands in the distribution
      c.beginPath();
      c.moveTo(toPixel(p, x), level(x));
      c.lineTo(p.x + p.w, level(x));
      c.stroke();
    }
    c.globalAlpha = 1;
    c.fillStyle = style.paper;
    for (const x of marks) {
      c.beginPath();
      c.arc(toPixel(p, x), level(x), marks.length > 40 ? 2.5 : 4.5, 0, 7);
      c.fill();
    }
    c.fillStyle = style.ink;
    c.textAlign = "left";
    c.textBaseline = "middle";
    for (const part of [0, 0.25, 0.5, 0.75, 1]) c.fillText(100 * part + "%", p.x + p.w + 8, p.y + p.h * (1 - part));
  }

  function previous(c, p) { // where the codebook stood before: crosses
    const { style } = view;
    c.strokeStyle = style.ink;
    c.lineWidth = 2.5;
    for (const x of model.get("before")) {
      const px = toPixel(p, x), y = p.y + p.h - 40;
      c.beginPath();
      c.moveTo(px - 6, y - 6);
      c.lineTo(px + 6, y + 6);
      c.moveTo(px - 6, y + 6);
      c.lineTo(px + 6, y - 6);
      c.stroke();
    }
  }

  function diamond(c, px, y, r, isEmpty) {
    const { style } = view;
    c.beginPath();
    c.moveTo(px, y - r);
    c.lineTo(px + r, y);
    c.lineTo(px, y + r);
    c.lineTo(px - r, y);
    c.closePath();
    c.fillStyle = isEmpty ? style.ground : style.centroid;
    c.fill();
    c.strokeStyle = isEmpty ? style.pruned : style.ink;
    c.lineWidth = isEmpty ? 3 : 1.5;
    c.stroke();
  }

  function mark(c, p, x, isEmpty) {
    const { style } = view;
    const px = toPixel(p, x), r = marks.length > 40 ? 5 : 9;
    c.strokeStyle = isEmpty ? style.pruned : style.ink;
    c.lineWidth = isEmpty ? 2.5 : 1.5;
    c.setLineDash(isEmpty ? [2, 4] : [8, 4, 2, 4]);
    c.beginPath();
    c.moveTo(px, p.y);
    c.lineTo(px, p.y + p.h);
    c.stroke();
    c.setLineDash([]);
    diamond(c, px, p.y + p.h, r, isEmpty);
  }

  function labels(c, p, empty) { // numbers that would cover each other stand as one: "3–5"
    const { style } = view;
    c.font = `${style.size - 1}px ${style.font}`;
    c.textAlign = "center";
    c.textBaseline = "bottom";
    const ends = (g) => [toPixel(p, marks[g[0]]), toPixel(p, marks[g.at(-1)])];
    const text = (g) => (g.length > 1 ? `${g[0]}–${g.at(-1)}` : String(g[0]));
    const left = (g) => (ends(g)[0] + ends(g)[1] - c.measureText(text(g)).width) / 2;
    const right = (g) => left(g) + c.measureText(text(g)).width;
    const groups = [];
    for (let group of marks.map((_, i) => [i])) {
      while (groups.length && left(group) < right(groups.at(-1)) + 5) group = [...groups.pop(), ...group];
      groups.push(group);
    }
    for (const group of groups) {
      c.fillStyle = group.every((i) => empty[i]) ? style.pruned : style.ink;
      c.fillText(text(group), (ends(group)[0] + ends(group)[1]) / 2, p.y - 3);
    }
    canvas.dataset.labels = groups.map(text).join(" ");
  }

  function legend(c, p, empty) {
    const { style } = view;
    c.font = `${style.size - 1}px ${style.font}`;
    c.textAlign = "left";
    c.textBaseline = "middle";
    let x = p.x;
    const y = 22 * view.text;
    const entry = (sign, text) => {
      sign(x + 9);
      c.fillStyle = style.ink;
      c.fillText(text, x + 26, y);
      x += 26 + c.measureText(text).width + 26;
    };
    const count = empty.filter(Boolean).length;
    entry((at) => diamond(c, at, y, 9, false), "centroid");
    if (count) entry((at) => diamond(c, at, y, 9, true), count > 1 ? `${count} empty: own no weight` : "empty: owns no weight");
    if (model.get("before").length) {
      entry((at) => {
        c.strokeStyle = style.ink;
        c.lineWidth = 2.5;
        c.beginPath();
        c.moveTo(at - 6, y - 6); c.lineTo(at + 6, y + 6); c.moveTo(at - 6, y + 6); c.lineTo(at + 6, y - 6);
        c.stroke();
      }, model.get("before_label"));
    }
    if (model.get("show_cdf")) {
      entry((at) => {
        c.strokeStyle = style.paper;
        c.lineWidth = 2.5;
        c.setLineDash([7, 4]);
        c.beginPath();
        c.moveTo(at - 12, y); c.lineTo(at + 12, y);
        c.stroke();
        c.setLineDash([]);
      }, "share of weights below w");
    }
  }

  // ---- handles: invisible elements over the centroids, for keyboard and screen readers

  // k may be changed, and an older answer of Python come after it: what stays keeps the focus, else its neighbour has it
  function makeHandles() {
    const wanted = model.get("draggable") ? marks.length : 0, gone = handles.slice(wanted);
    handles = handles.slice(0, wanted);
    if (gone.includes(document.activeElement)) handles.at(-1)?.focus({ preventScroll: true });
    gone.forEach((node) => node.remove());
    while (handles.length < wanted) handles.push(handle(handles.length));
    canvas.classList.toggle("dcviz-grab", wanted > 0);
  }

  function handle(i) {
    const node = document.createElement("div");
    node.className = "dcviz-handle";
    node.tabIndex = 0;
    node.setAttribute("role", "slider");
    node.setAttribute("aria-label", `centroid ${i}`);
    node.dataset.lmSuppressShortcuts = "true"; // else JupyterLab's command mode takes the arrow keys
    node.addEventListener("keydown", (event) => onKey(event, i));
    root.append(node);
    return node;
  }

  function placeHandles() {
    const p = plot();
    handles.forEach((node, i) => {
      node.style.left = toPixel(p, marks[i]) + "px";
      node.style.top = p.y + "px";
      node.style.height = p.h + "px";
      node.setAttribute("aria-valuemin", s.low);
      node.setAttribute("aria-valuemax", s.high);
      node.setAttribute("aria-valuenow", marks[i].toPrecision(4));
    });
    canvas.setAttribute("aria-label", `histogram of ${model.get("label")} with ${marks.length} centroids`);
  }

  function onKey(event, i) {
    const target = keyTarget(event, marks[i], model.get("grid") || (s.high - s.low) / 400, s.low, s.high);
    if (target === undefined) return;
    move(i, target);
    clearTimeout(keyTimer);
    keyTimer = setTimeout(mouse.release, 250);
  }

  // ---- mouse and touch

  canvas.addEventListener("pointerdown", (event) => {
    if (!model.get("draggable") || !marks.length || event.button > 0) return;
    const p = plot(), away = marks.map((x) => Math.abs(toPixel(p, x) - event.offsetX));
    const nearest = away.indexOf(Math.min(...away));
    pile = marks.flatMap((x, i) => (x === marks[nearest] ? [i] : []));
    dragging = nearest;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    handles[dragging].focus({ preventScroll: true });
    drag(toValue(p, event.offsetX));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (dragging !== null) drag(toValue(plot(), event.offsetX));
  });
  function drag(x) { // of a pile, the one that can go where the mouse goes
    const target = snap(x), at = marks[dragging];
    if (pile.length > 1 && target !== at) {
      dragging = target > at ? pile.at(-1) : pile[0];
      handles[dragging].focus({ preventScroll: true });
      pile = [];
    }
    move(dragging, x);
  }
  const release = () => {
    if (dragging === null) return;
    dragging = null;
    mouse.release();
  };
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) canvas.addEventListener(name, release);

  // ---- life

  const listeners = {
    "change:counts change:low change:high": readCounts,
    "change:centroids change:draggable": readMarks,
    "change:dragged": readDragged,
    "change:sizes change:before change:log_y change:show_cdf change:label": schedule,
    "change:before_label": schedule,
  };
  for (const [events, listener] of Object.entries(listeners)) model.on(events, listener);
  readCounts();
  readMarks();
  return () => {
    view.close();
    mouse.close();
    clearTimeout(keyTimer);
    for (const [events, listener] of Object.entries(listeners)) model.off(events, listener);
  };
}

export default { render };
