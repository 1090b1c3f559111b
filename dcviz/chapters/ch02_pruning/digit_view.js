// A sheet to draw a digit on, what the net gets to see of it, and the probabilities of the ten digits as bars.
// The sheet's ink becomes 28 x 28 levels as MNIST's digits were made; what the nets say is set from outside.
const SHEET = 280, PIXELS = 28, PEN = 21, BOX = 20, STEP = 7;

function digitCanvas(size, parent, name) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  canvas.className = name;
  parent.append(canvas);
  return canvas;
}

// Ink in a box of 20 pixels with its centre of mass in the middle -> 784 hexadecimal digits.
function centred(sheet, small) {
  const ink = sheet.getContext("2d").getImageData(0, 0, SHEET, SHEET).data, c = small.getContext("2d", { willReadFrequently: true });
  let left = SHEET, right = -1, top = SHEET, bottom = -1, mass = 0, x = 0, y = 0;
  for (let i = 3, at = 0; i < ink.length; i += 4, at++) {
    if (!ink[i]) continue;
    const column = at % SHEET, row = (at - column) / SHEET;
    left = Math.min(left, column); right = Math.max(right, column);
    top = Math.min(top, row); bottom = Math.max(bottom, row);
    mass += ink[i]; x += ink[i] * (column + 0.5); y += ink[i] * (row + 0.5);
  }
  c.clearRect(0, 0, PIXELS, PIXELS);
  if (mass) {
    const scale = BOX / Math.max(right - left + 1, bottom - top + 1);
    c.imageSmoothingQuality = "high";
    c.drawImage(sheet, PIXELS / 2 - scale * (x / mass), PIXELS / 2 - scale * (y / mass), scale * SHEET, scale * SHEET);
  }
  const levels = c.getImageData(0, 0, PIXELS, PIXELS).data;
  return Array.from({ length: PIXELS ** 2 }, (_, i) => Math.round((levels[4 * i + 3] / 255) * 15).toString(16)).join("");
}

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "dcviz dcviz-view dcviz-digit";
  el.append(root);
  const make = (tag, parent, name = "", text = "") => {
    const node = document.createElement(tag);
    node.className = name;
    node.textContent = text;
    parent.append(node);
    return node;
  };

  const left = make("div", root, "paper"), sheet = digitCanvas(SHEET, left, "sheet"), pen = make("div", left, "pen");
  const small = document.createElement("canvas");
  small.width = small.height = PIXELS;
  sheet.tabIndex = 0;
  sheet.setAttribute("role", "application"); // arrow keys are its own
  sheet.setAttribute("aria-label", "sheet to draw on: arrow keys move the pen, Space puts it down or up");
  sheet.dataset.lmSuppressShortcuts = "true"; // else JupyterLab's command mode takes the keys
  const c = sheet.getContext("2d", { willReadFrequently: true });

  const middle = make("div", root, "seen");
  make("div", middle, "title", "what the net sees");
  const seen = digitCanvas(PIXELS, middle, "pixels");
  seen.setAttribute("role", "img");
  seen.setAttribute("aria-label", "the drawing in 28 by 28 pixels");
  const clear = make("button", middle, "jupyter-button", "Clear"), example = make("button", middle, "jupyter-button", "Another example");

  const table = make("div", root, "shares");
  table.setAttribute("role", "table");
  table.setAttribute("aria-label", "probability of each digit");
  const rows = Array.from({ length: 10 }, (_, digit) => {
    const row = make("div", table, "digit");
    row.setAttribute("role", "row");
    make("b", row, "", String(digit)).setAttribute("role", "rowheader");
    const cells = model.get("labels").map((label, i) => {
      const cell = make("div", row, `share net${i}`), bar = make("div", make("div", cell), "bar"), text = make("span", cell, "text");
      cell.setAttribute("role", "cell");
      cell.title = label;
      return { bar, text };
    });
    return { row, cells };
  });
  const legend = make("div", table, "legend");
  model.get("labels").forEach((label, i) => { make("span", legend, `key net${i}`); make("span", legend, "", label); });

  let mine = false, setting = false, down = false, last = [SHEET / 2, SHEET / 2], chosen = -1, timer = 0, frame = 0;

  function readTheme() {
    c.strokeStyle = c.fillStyle = getComputedStyle(root).getPropertyValue("--dcviz-ink").trim() || "black";
    c.lineWidth = PEN;
    c.lineCap = c.lineJoin = "round";
  }

  function paint(canvas, drawing) { // levels as ink
    const context = canvas.getContext("2d"), image = context.createImageData(PIXELS, PIXELS);
    const [r, g, b] = ink();
    [...drawing].forEach((level, i) => image.data.set([r, g, b, 17 * parseInt(level, 16)], 4 * i));
    if (canvas.width === PIXELS) return context.putImageData(image, 0, 0);
    const copy = document.createElement("canvas");
    copy.width = copy.height = PIXELS;
    copy.getContext("2d").putImageData(image, 0, 0);
    context.clearRect(0, 0, SHEET, SHEET);
    return context.drawImage(copy, 0, 0, SHEET, SHEET);
  }
  function ink() {
    readTheme();
    const hex = c.strokeStyle; // the browser says #rrggbb
    return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  }

  function show() {
    const drawing = model.get("drawing");
    if (!mine) paint(sheet, drawing);
    paint(seen, drawing);
    root.dataset.drawing = drawing;
  }

  function bars() {
    frame = 0;
    model.get("shares").forEach((shares, i) => {
      const top = Math.max(...shares);
      shares.forEach((share, digit) => {
        const { bar, text } = rows[digit].cells[i];
        bar.style.width = `${100 * share}%`;
        text.textContent = `${(100 * share).toFixed(1)}%`;
        text.classList.toggle("most", share === top);
      });
    });
    root.dataset.shares = model.get("shares").map((one) => one.map((share) => share.toFixed(4)).join(" ")).join("|");
  }

  // the new drawing is set at once; Python hears of it when the pen rests
  function changed() {
    setting = true;
    model.set("drawing", centred(sheet, small));
    setting = false;
    clearTimeout(timer);
    timer = setTimeout(() => model.save_changes(), 80);
  }
  function line(to) {
    if (!mine) c.clearRect(0, 0, SHEET, SHEET); // somebody else's digit makes room
    mine = true;
    c.beginPath();
    c.moveTo(...last);
    c.lineTo(...to);
    c.stroke();
    last = to;
    changed();
  }
  function place(to) {
    last = to;
    pen.style.left = `${(100 * to[0]) / SHEET}%`;
    pen.style.top = `${(100 * to[1]) / SHEET}%`;
    pen.classList.toggle("down", down);
  }
  const at = (event) => [event.offsetX, event.offsetY].map((x) => (x / sheet.clientWidth) * SHEET);

  sheet.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    event.preventDefault();
    sheet.focus({ preventScroll: true });
    sheet.setPointerCapture(event.pointerId);
    down = true;
    place(at(event));
    line(last);
  });
  sheet.addEventListener("pointermove", (event) => { if (down && event.buttons) { line(at(event)); place(last); } });
  const up = () => { if (down) { down = false; place(last); } };
  for (const name of ["pointerup", "pointercancel", "blur"]) sheet.addEventListener(name, up);
  sheet.addEventListener("keydown", (event) => {
    const move = { ArrowRight: [STEP, 0], ArrowLeft: [-STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
    if (event.key === " ") {
      down = !down;
      if (down) line(last);
      place(last);
    } else if (move) {
      const to = last.map((x, i) => Math.min(Math.max(x + move[i], 0), SHEET));
      if (down) line(to);
      place(to);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  function replace(drawing) {
    mine = false;
    model.set("drawing", drawing);
    model.save_changes();
    show();
  }
  clear.addEventListener("click", () => replace("0".repeat(PIXELS ** 2)));
  example.addEventListener("click", () => {
    const examples = model.get("examples");
    chosen = (Math.max(chosen, examples.indexOf(model.get("drawing"))) + 1) % examples.length;
    replace(examples[chosen]);
  });

  const heard = () => {
    mine &&= setting; // else it was set by somebody else
    show();
  };
  const schedule = () => { if (!frame) frame = requestAnimationFrame(bars); };
  model.on("change:drawing", heard);
  model.on("change:shares", schedule);
  const theme = new MutationObserver(show);
  theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  requestAnimationFrame(show); // the theme's variables are known once the element is in the page
  bars();
  return () => {
    theme.disconnect();
    clearTimeout(timer);
    cancelAnimationFrame(frame);
    model.off("change:drawing", heard);
    model.off("change:shares", schedule);
  };
}

export default { render };
