// What the views that are drawn on a canvas share. `dcviz.labkit.controls.script` puts it in front of each of them.

const PUSH_MS = 50; // between two messages of a drag to Python

// bytes that Python sent, as numbers
function array(model, name, Type) {
  const view = model.get(name); // a DataView whose offset need not fit Type: copy
  if (!view || !view.byteLength) return new Type(0);
  return new Type(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

// bytes that Python packed with zlib
async function unpacked(view) {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate")));
}

const thousands = (x) => Math.round(x).toLocaleString("en-US");
function percent(x) { // as dcviz.labkit.markup.percent: never 0 or 100 where it is not
  if (x <= 0 || x >= 1) return (x > 0 ? 100 : 0) + "%";
  let places = x > 0.995 || x < 0.005 ? 2 : 1;
  while (places < 8 && [0, 100].includes(Number((100 * x).toFixed(places)))) places++;
  return (100 * x).toFixed(places) + "%";
}
function general(x, digits) { // as Python's format(x, f".{digits}g")
  const [, mantissa, exponent] = x.toExponential(digits - 1).match(/(.*)e(.*)/), e = Number(exponent);
  const trimmed = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (e >= -4 && e < digits) return trimmed(x.toFixed(Math.max(0, digits - 1 - e)));
  return `${trimmed(mantissa)}e${e < 0 ? "-" : "+"}${String(Math.abs(e)).padStart(2, "0")}`;
}
const three = (x) => (x === 0 ? "0" : Number(x.toPrecision(3)).toString().replace("-", "−"));
const short = (x) => (x >= 1e6 ? three(x / 1e6) + "M" : x >= 1e3 ? three(x / 1e3) + "k" : String(Math.round(x)));

// tick positions at 1, 2 or 5 times a power of ten, about `wanted` of them
function ticks(low, high, wanted) {
  const raw = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= raw);
  const out = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) out.push(i * step);
  return out;
}

// a pattern to fill with; `kind` as in matplotlib: made of / \ | - + x .
const HATCHES = new Map();
function hatch(context, colour, ratio, kind = "/") {
  const key = [colour, ratio, kind].join(" ");
  if (!HATCHES.has(key)) HATCHES.set(key, hatched(context, colour, ratio, kind));
  return HATCHES.get(key);
}

function hatched(context, colour, ratio, kind) {
  const tile = document.createElement("canvas"), size = 10 * ratio;
  tile.width = tile.height = size;
  const c = tile.getContext("2d");
  c.strokeStyle = c.fillStyle = colour;
  c.lineWidth = (kind === "/" ? 2.5 : 1.5) * ratio;
  c.beginPath();
  const has = (signs) => [...signs].some((sign) => kind.includes(sign));
  for (const shift of [-size, 0, size]) {
    if (has("/x")) { c.moveTo(shift, size); c.lineTo(shift + size, 0); }
    if (has("\\x")) { c.moveTo(shift, 0); c.lineTo(shift + size, size); }
  }
  if (has("|+")) { c.moveTo(size / 2, 0); c.lineTo(size / 2, size); }
  if (has("-+")) { c.moveTo(0, size / 2); c.lineTo(size, size / 2); }
  c.stroke();
  if (has(".")) { c.beginPath(); c.arc(size / 2, size / 2, 1.6 * ratio, 0, 7); c.fill(); }
  const pattern = context.createPattern(tile, "repeat");
  pattern.setTransform(new DOMMatrix().scale(1 / ratio));
  return pattern;
}

// A canvas as wide as its root, drawn at most once a frame, in the theme's colours. `draw(context, stage)` gets pixels
// of the page; `height(width)` says how high it is, where the lab has the room. A canvas has stage.style, stage.width,
// stage.height, stage.ratio, stage.text, stage.low.
function stage(root, { colours, height, draw, after = () => {} }) {
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  root.append(canvas);
  const made = { canvas, style: {}, width: 0, height: 0, ratio: 1, text: 1, low: false, schedule, close };
  let frame = 0;

  function paint() {
    frame = 0;
    if (!made.width || !made.style.ink || root.closest(".dcviz-older")) return; // hidden: not even a handle says where it is
    const context = canvas.getContext("2d");
    context.setTransform(made.ratio, 0, 0, made.ratio, 0, 0);
    context.fillStyle = made.style.ground;
    context.fillRect(0, 0, made.width, made.height);
    draw(context);
    after();
  }
  function schedule() {
    if (!frame) frame = requestAnimationFrame(paint);
  }
  function readTheme() {
    const css = getComputedStyle(root), read = (name) => css.getPropertyValue("--dcviz-" + name).trim();
    made.style = Object.fromEntries(["ink", "ground", "grid", ...colours].map((name) => [name, read(name)]));
    made.style.font = read("font") || "sans-serif";
    made.style.size = parseFloat(read("size")) || 18;
    made.text = made.style.size / 18; // margins go with the letters
    schedule();
  }
  function fit() {
    const width = root.clientWidth, ratio = window.devicePixelRatio || 1, high = height(width);
    if (!width) made.width = 0; // hidden, where no change of colours is told
    if (!width || (width === made.width && ratio === made.ratio && high === made.height)) return;
    Object.assign(made, { width, ratio, height: high, low: high < 200 }); // low: no room for an axis' name below it
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(high * ratio);
    canvas.style.height = high + "px";
    readTheme(); // not before: the variables are known once the element is in the page
  }
  const again = () => { readTheme(); fit(); };
  const resize = new ResizeObserver(fit);
  resize.observe(root);
  window.addEventListener("dcviz-room", again);
  root.addEventListener("transitionend", readTheme); // labs.css: whatever changed the colours, in any front end
  const told = new MutationObserver(readTheme); // JupyterLab hides the page while it changes its theme: no transition ends
  told.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  made.fit = fit;
  function close() {
    resize.disconnect();
    told.disconnect();
    window.removeEventListener("dcviz-room", again);
    cancelAnimationFrame(frame);
  }
  return made;
}

// Axes of a histogram of weights: counts upward, weights from low to high. `p` is the plot's rectangle, `height(count)` and
// `toPixel(weight)` place on it.
function countAxes(c, { style, low: flat }, p, { low, high, top, log, height, label, toPixel, gap = 8 }) {
  c.font = `${style.size - 1}px ${style.font}`;
  c.lineWidth = 1;
  c.strokeStyle = style.grid;
  c.fillStyle = style.ink;
  c.textBaseline = "middle";
  c.textAlign = "right";
  let levels = ticks(0, top, 4);
  if (log) {
    const most = Math.log10(1 + top), every = Math.max(1, Math.ceil(most / 4));
    levels = [0];
    for (let e = 0; e <= most; e += every) levels.push(10 ** e);
    if (height(1) < 24) levels.splice(1, 1);
  }
  for (const v of levels) {
    const y = p.y + p.h - height(v);
    if (y < p.y - 1) continue;
    c.beginPath();
    c.moveTo(p.x, y);
    c.lineTo(p.x + p.w, y);
    c.stroke();
    c.fillText(short(v), p.x - 8, y);
  }
  c.textAlign = "center";
  c.textBaseline = "top";
  const values = ticks(low, high, Math.max(2, Math.min(8, p.w / 110)));
  for (const x of values) c.fillText(three(x), toPixel(x), p.y + p.h + gap);
  const between = (toPixel(values.at(-2)) + toPixel(values.at(-1))) / 2; // where there is no room below the numbers
  if (flat) c.fillText(label.split(" of ")[0], between, p.y + p.h + gap);
  else c.fillText(label, p.x + p.w / 2, p.y + p.h + gap + style.size * 1.33);
  c.save();
  c.translate(4, p.y + p.h / 2);
  c.rotate(-Math.PI / 2);
  c.fillText(log ? "weights per bin (log)" : "weights per bin", 0, 0);
  c.restore();
  c.strokeStyle = style.ink;
  c.lineWidth = 1.5;
  c.beginPath();
  c.moveTo(p.x, p.y + p.h);
  c.lineTo(p.x + p.w, p.y + p.h);
  c.stroke();
}

// where a key takes a handle; undefined for other keys, which go on to the page
function keyTarget(event, value, step, low, high) {
  const big = event.shiftKey ? 10 : 1;
  const target = {
    ArrowRight: value + big * step, ArrowUp: value + big * step, ArrowLeft: value - big * step,
    ArrowDown: value - big * step, PageUp: value + 10 * step, PageDown: value - 10 * step, Home: low, End: high,
  }[event.key];
  if (target === undefined) return undefined;
  event.preventDefault();
  event.stopPropagation();
  return target;
}

// What a drag changes: set in the model at once, so that all that follows it is drawn in the same frame; told to Python
// at most every 50 ms, and when it is let go.
function mover(model) {
  let timer = 0, last = 0;
  function push(release = false) {
    const now = performance.now();
    clearTimeout(timer);
    timer = 0;
    if (!release && now - last < PUSH_MS) {
      timer = setTimeout(push, PUSH_MS - (now - last));
      return;
    }
    last = now;
    if (release) model.set("released", model.get("released") + 1);
    model.save_changes();
  }
  return {
    move(values) {
      for (const [name, value] of Object.entries(values)) model.set(name, value);
      push();
    },
    release: () => push(true),
    close: () => clearTimeout(timer),
  };
}
