// The weight histogram that the mouse moves. All numbers come from the sketch that Python sent once:
// counts (histogram), magnitudes and ranks (distribution of |w|). A drag is drawn at once, in the next
// animation frame; Python hears of it through traits, at most every 50 ms and always on release.

const MARGIN = { left: 82, right: 26, top: 46, bottom: 58 };

// how many weights lie below a magnitude; the same rule as dcviz.ideas.sketch.Sketch.count_below
function countBelow(s, t) {
  const q = s.magnitudes, m = q.length;
  if (!m) return s.zeros;
  let lo = 0, hi = m;
  while (lo < hi) { const mid = (lo + hi) >> 1; if (q[mid] < t) lo = mid + 1; else hi = mid; }
  if (lo === 0) return s.zeros;
  if (lo === m) return s.n;
  const width = q[lo] - q[lo - 1];
  const part = width > 0 ? (t - q[lo - 1]) / width : 1;
  return s.zeros + s.ranks[lo - 1] + part * (s.ranks[lo] - s.ranks[lo - 1]);
}

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "dcviz dcviz-view dcviz-histogram";
  el.append(root);

  let s = {}, threshold = 0, dragging = false, keyTimer = 0;
  const view = stage(root, {
    colours: ["soft", "kept", "pruned", "paper", "muted"],
    height: () => Math.min(model.get("height"), most(root)), draw, after: placeHandle,
  });
  const { canvas, schedule } = view, mouse = mover(model), handle = makeHandle();

  // ---- data and state from Python

  function readSketch() {
    s = {
      counts: array(model, "counts", Uint32Array),
      magnitudes: array(model, "magnitudes", Float32Array),
      ranks: array(model, "ranks", Uint32Array),
      snaps: array(model, "snaps", Float64Array),
      n: model.get("n"), zeros: model.get("zeros"), limit: model.get("limit"),
    };
    s.top = s.counts.reduce((a, b) => Math.max(a, b), 1);
    schedule();
  }

  function readState() {
    if (!dragging) threshold = model.get("threshold");
    schedule();
  }

  // the nearest of the thresholds that Python has tabulated
  function snapped(x) {
    let best = x, distance = Infinity;
    for (const at of s.snaps) if (Math.abs(at - x) < distance) { distance = Math.abs(at - x); best = at; }
    return best;
  }

  function move(x) {
    threshold = snapped(Math.min(Math.abs(x), s.limit));
    schedule();
    mouse.move({ threshold });
  }

  // ---- geometry

  const plot = () => ({
    x: MARGIN.left * view.text, y: MARGIN.top * view.text,
    w: Math.max(10, view.width - (MARGIN.left + MARGIN.right + (model.get("show_cdf") ? 52 : 0)) * view.text),
    h: view.height - (MARGIN.top + MARGIN.bottom - (view.low ? 26 : 0)) * view.text,
  });
  const toPixel = (p, x) => p.x + ((x + s.limit) / (2 * s.limit)) * p.w;
  const toValue = (p, px) => ((px - p.x) / p.w) * 2 * s.limit - s.limit;

  // ---- the picture

  function outline(c, p, counts, height) {
    const step = p.w / counts.length;
    c.beginPath();
    c.moveTo(p.x, p.y + p.h);
    for (let i = 0; i < counts.length; i++) {
      const y = p.y + p.h - height(counts[i]);
      c.lineTo(p.x + i * step, y);
      c.lineTo(p.x + (i + 1) * step, y);
    }
    c.lineTo(p.x + p.w, p.y + p.h);
  }

  function draw(c) {
    if (!s.counts) return;
    const { style } = view, p = plot(), log = model.get("log_y");
    const height = log
      ? (v) => (Math.log10(1 + v) / Math.log10(1 + s.top)) * p.h * 0.96
      : (v) => (v / s.top) * p.h * 0.96;
    countAxes(c, view, p, { low: -s.limit, high: s.limit, top: s.top, log, height, label: model.get("label"), toPixel: (x) => toPixel(p, x) });

    // kept outside the lines, pruned between them: other colour, and hatched
    const cutoff = Math.min(threshold, s.limit * 1.002); // typed thresholds may lie beyond the histogram
    const left = toPixel(p, -cutoff), right = toPixel(p, cutoff);
    outline(c, p, s.counts, height);
    c.fillStyle = style.kept;
    c.fill();
    if (threshold > 0) {
      c.save();
      c.beginPath();
      c.rect(left, p.y, right - left, p.h);
      c.clip();
      c.fillStyle = style.ground;
      c.fillRect(left, p.y, right - left, p.h);
      outline(c, p, s.counts, height);
      c.globalAlpha = 0.3;
      c.fillStyle = style.pruned;
      c.fill();
      c.globalAlpha = 1;
      c.fillStyle = hatch(c, style.pruned, view.ratio);
      c.fill();
      c.strokeStyle = style.pruned;
      c.lineWidth = 2;
      c.stroke();
      c.restore();
    }
    if (model.get("show_cdf")) distribution(c, p);
    for (const x of threshold > 0 ? [left, right] : [right]) line(c, p, x);
    readout(c, p);
    canvas.dataset.threshold = threshold.toPrecision(6);
  }

  function distribution(c, p) {
    const { style } = view;
    c.strokeStyle = style.paper;
    c.lineWidth = 2.5;
    c.setLineDash([10, 5]);
    c.beginPath();
    for (let px = 0; px <= p.w; px += 2) {
      const y = p.y + p.h - (countBelow(s, Math.abs(toValue(p, p.x + px))) / s.n) * p.h;
      if (px) c.lineTo(p.x + px, y); else c.moveTo(p.x + px, y);
    }
    c.stroke();
    c.setLineDash([]);
    c.fillStyle = style.ink;
    c.textAlign = "left";
    c.textBaseline = "middle";
    for (const part of [0, 0.5, 1]) c.fillText(100 * part + "%", p.x + p.w + 8, p.y + p.h * (1 - part));
  }

  function line(c, p, x) {
    const { style } = view;
    c.strokeStyle = style.ink;
    c.lineWidth = 3;
    c.beginPath();
    c.moveTo(x, p.y);
    c.lineTo(x, p.y + p.h);
    c.stroke();
    c.fillStyle = style.ground;
    c.beginPath();
    c.roundRect(x - 9, p.y + p.h / 2 - 16, 18, 32, 6);
    c.fill();
    c.stroke();
    c.lineWidth = 2;
    for (const d of [-3, 3]) {
      c.beginPath();
      c.moveTo(x + d, p.y + p.h / 2 - 8);
      c.lineTo(x + d, p.y + p.h / 2 + 8);
      c.stroke();
    }
  }

  function words() {
    const [at, count] = model.get("exact"); // Python counted the weights themselves
    const pruned = at === threshold ? count : countBelow(s, threshold);
    return { share: percent(pruned / s.n), kept: thousands(s.n - pruned), all: thousands(s.n) };
  }

  function readout(c, p) {
    const { style } = view;
    c.textBaseline = "middle";
    c.textAlign = "left";
    c.font = `bold ${style.size + 3}px ${style.font}`;
    c.fillStyle = style.ink;
    const w = words(), full = `|w| < ${three(threshold)}: ${w.share} pruned · ${w.kept} of ${w.all} kept`;
    c.fillText(c.measureText(full).width < p.w ? full : `|w| < ${three(threshold)}: ${w.share} pruned`, p.x, 20 * view.text);
    // the legend stands inside the plot, top right, where a bell-shaped histogram leaves room
    c.font = `${style.size - 1}px ${style.font}`;
    c.textAlign = "right";
    const entries = [["kept", style.kept, "fill"], ["pruned", style.pruned, "hatch"]];
    if (model.get("show_cdf")) entries.push(["share below |w|", style.paper, "dash"]);
    entries.forEach(([text, colour, kind], i) => {
      const x = p.x + p.w - 34, yy = p.y + 16 + i * (style.size + 8);
      c.fillStyle = style.ground;
      c.globalAlpha = 0.88;
      c.fillRect(x - c.measureText(text).width - 12, yy - style.size / 2 - 3, c.measureText(text).width + 46, style.size + 6);
      c.globalAlpha = 1;
      c.fillStyle = style.ink;
      c.fillText(text, x - 6, yy);
      c.strokeStyle = colour;
      c.lineWidth = 3;
      if (kind === "dash") {
        c.setLineDash([7, 4]);
        c.beginPath();
        c.moveTo(x, yy);
        c.lineTo(x + 32, yy);
        c.stroke();
        c.setLineDash([]);
      } else {
        c.fillStyle = kind === "hatch" ? hatch(c, colour, view.ratio) : colour;
        c.fillRect(x, yy - 8, 30, 16);
        c.lineWidth = 1.5;
        c.strokeRect(x, yy - 8, 30, 16);
      }
    });
  }

  // ---- the handle: an invisible element over the line, for keyboard and screen readers

  function makeHandle() {
    const node = document.createElement("div");
    node.className = "dcviz-handle";
    node.tabIndex = 0;
    node.setAttribute("role", "slider");
    node.setAttribute("aria-label", "threshold");
    node.dataset.lmSuppressShortcuts = "true"; // else JupyterLab's command mode takes the arrow keys
    node.addEventListener("keydown", onKey);
    root.append(node);
    canvas.classList.add("dcviz-grab");
    return node;
  }

  function placeHandle() {
    const p = plot(), w = words();
    handle.style.left = toPixel(p, threshold) + "px";
    handle.style.top = p.y + "px";
    handle.style.height = p.h + "px";
    handle.setAttribute("aria-valuemin", 0);
    handle.setAttribute("aria-valuemax", s.limit);
    handle.setAttribute("aria-valuenow", threshold.toPrecision(4));
    handle.setAttribute("aria-valuetext", `${three(threshold)}: ${w.share} pruned, ${w.kept} of ${w.all} kept`);
    canvas.setAttribute("aria-label", `histogram of ${thousands(s.n || 0)} weights, ${model.get("label")}`);
  }

  function onKey(event) {
    const target = keyTarget(event, threshold, (2 * s.limit) / 400, 0, s.limit);
    if (target === undefined) return;
    move(Math.max(0, target));
    clearTimeout(keyTimer);
    keyTimer = setTimeout(mouse.release, 250);
  }

  // ---- mouse and touch

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    dragging = true;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    handle.focus({ preventScroll: true });
    move(toValue(plot(), event.offsetX));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (dragging) move(toValue(plot(), event.offsetX));
  });
  const release = () => {
    if (!dragging) return;
    mouse.release();
    dragging = false;
  };
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) canvas.addEventListener(name, release);

  // ---- life

  const listeners = {
    "change:counts change:magnitudes change:ranks change:n change:zeros change:limit change:snaps": readSketch,
    "change:threshold": readState,
    "change:log_y change:show_cdf change:label change:exact": schedule,
  };
  for (const [events, listener] of Object.entries(listeners)) model.on(events, listener);
  readSketch();
  readState();
  return () => {
    view.close();
    mouse.close();
    clearTimeout(keyTimer);
    for (const [events, listener] of Object.entries(listeners)) model.off(events, listener);
  };
}

export default { render };
