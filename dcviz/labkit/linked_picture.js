// A picture by matplotlib with its moving parts drawn over it, where Python (or a film) says that they stand.

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "dcviz dcviz-view dcviz-figure";
  el.append(root);

  let background = null, levels = null, tinted = null;
  const high = (width) => { const [w, h] = model.get("size"); return w ? Math.round((width * h) / w) : 0; };
  const view = stage(root, { colours: [], height: high, draw });

  async function readBackground() {
    const bytes = model.get("background");
    if (!bytes?.byteLength) return;
    const read = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    background?.close();
    background = read;
    view.fit();
    view.schedule();
  }

  async function readPixels() {
    const bytes = model.get("pixels");
    levels = null;
    if (!bytes?.byteLength) return;
    const read = new Uint16Array(await (await unpacked(bytes)).arrayBuffer());
    if (bytes === model.get("pixels")) levels = read;
    tinted = null;
    view.schedule();
  }

  function path(c, points, closed) {
    c.beginPath();
    for (let i = 0; i < points.length; i += 2) c.lineTo(points[i], points[i + 1]);
    if (closed) c.closePath();
  }

  const DRAW = {
    patch(c, style, points) {
      if (points.length < 4) return;
      path(c, points, true);
      if (style.face) { c.fillStyle = style.face; c.fill(); }
      if (style.hatch) { c.fillStyle = hatch(c, style.edge, view.ratio, style.hatch); c.fill(); }
      if (style.edge && style.width) {
        c.strokeStyle = style.edge;
        c.lineWidth = style.width;
        c.stroke();
      }
    },
    line(c, style, points) {
      if (style.stroke) {
        path(c, points, false);
        c.strokeStyle = style.stroke;
        c.lineWidth = style.width;
        c.setLineDash(style.dashes);
        c.stroke();
        c.setLineDash([]);
      }
      c.lineWidth = style.edge_width;
      c.strokeStyle = style.edge;
      c.fillStyle = style.face;
      for (let i = 0; style.marker.length && i < points.length; i += 2) {
        c.save();
        c.translate(points[i], points[i + 1]);
        for (const outline of style.marker) {
          path(c, outline, style.face !== "");
          if (style.face) c.fill();
          c.stroke();
        }
        c.restore();
      }
    },
    axis(c, style, ticks) {
      const [x0, y0, x1, y1] = style.clip;
      c.font = `${style.font}px ${view.style.font}`;
      c.lineWidth = 1.2;
      c.textAlign = style.across ? "center" : "right";
      c.textBaseline = style.across ? "top" : "middle";
      for (let i = 0; i < ticks.length; i += 2) {
        const at = ticks[i], from = style.across ? [at, y1] : [x0, at];
        const line = (dx, dy) => { c.beginPath(); c.moveTo(...from); c.lineTo(from[0] + dx, from[1] + dy); c.stroke(); };
        if (style.grid) { c.strokeStyle = style.grid; line(style.across ? 0 : x1 - x0, style.across ? y0 - y1 : 0); }
        c.strokeStyle = c.fillStyle = style.ink;
        line(style.across ? 0 : -5, style.across ? 5 : 0);
        c.fillText(ticks[i + 1], from[0] - (style.across ? 0 : 8), from[1] + (style.across ? 8 : 0));
      }
    },
    // a pixel: the share of its weights whose level is above the row
    levels(c, style, [row]) {
      const [planes, height, width] = style.shape, size = height * width, [x0, y0, x1, y1] = style.clip;
      if (!levels || levels.length !== planes * size) return;
      if (tinted?.row !== row) {
        const [none, all, absent] = style.colours.map((colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16)));
        tinted = new OffscreenCanvas(width, height);
        tinted.row = row;
        const image = new ImageData(width, height), out = new Uint32Array(image.data.buffer);
        const pack = ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r; // little-endian RGBA
        const mix = (share) => pack(none.map((from, i) => Math.round(from + share * (all[i] - from))));
        const ink = Array.from({ length: planes + 1 }, (_, count) =>
          Array.from({ length: count + 1 }, (_, kept) => (count ? mix(kept / count) : pack(absent))));
        for (let i = 0; i < size; i++) {
          let kept = 0, count = planes;
          for (let p = i; p < levels.length; p += size) {
            if (levels[p] === 0xffff) count--;
            else if (levels[p] > row) kept++;
          }
          out[i] = ink[count][kept];
        }
        tinted.getContext("2d").putImageData(image, 0, 0);
      }
      c.imageSmoothingEnabled = false;
      c.drawImage(tinted, x0, y0, x1 - x0, y1 - y0);
    },
  };

  function draw(c) {
    if (!background) return;
    c.imageSmoothingEnabled = true;
    c.imageSmoothingQuality = "high";
    c.drawImage(background, 0, 0, view.width, view.height);
    const scale = view.width / model.get("size")[0], shapes = model.get("shapes");
    c.scale(scale, scale);
    model.get("styles").forEach((style, i) => {
      const points = shapes[i] ?? [];
      if (!points.length) return;
      c.save();
      c.globalAlpha = style.alpha;
      if (style.clip.length && !["levels", "axis"].includes(style.kind)) {
        const [x0, y0, x1, y1] = style.clip;
        c.beginPath();
        c.rect(x0, y0, x1 - x0, y1 - y0);
        c.clip();
      }
      DRAW[style.kind](c, style, points);
      c.restore();
    });
    drawGhost(c, shapes);
    view.canvas.dataset.shapes = JSON.stringify(shapes);
  }

  // where another setting's shapes stood, in grey; an axis that has moved since takes them along
  function drawGhost(c, shapes) {
    const ghost = model.get("ghost") ?? [], styles = model.get("styles");
    view.canvas.dataset.ghost = ghost.length;
    styles.forEach((style, i) => {
      const old = ghost[i] ?? [];
      if (!old.length || ["levels", "axis"].includes(style.kind) || JSON.stringify(old) === JSON.stringify(shapes[i])) return;
      const points = [...old];
      styles.forEach((axis, j) => {
        if (axis.kind !== "axis" || JSON.stringify(axis.clip) !== JSON.stringify(style.clip)) return;
        const from = scale(ghost[j]), to = scale(shapes[j]);
        if (from && to) for (let k = axis.across ? 0 : 1; k < points.length; k += 2)
          points[k] = to.start + (points[k] - from.start) * (to.one / from.one);
      });
      c.save();
      const [x0, y0, x1, y1] = style.clip;
      c.beginPath();
      if (style.clip.length) { c.rect(x0, y0, x1 - x0, y1 - y0); c.clip(); }
      c.strokeStyle = c.fillStyle = "#808080";
      c.lineWidth = 1.5;
      if (style.kind === "patch" || style.stroke) {
        path(c, points, style.kind === "patch");
        c.stroke();
      } else for (let k = 0; k < points.length; k += 2) {
        c.beginPath();
        c.arc(points[k], points[k + 1], 3, 0, 7);
        c.fill();
      }
      c.restore();
    });
  }

  // where 0 of an axis stands, and how far 1 is from it, from its first and last number
  function scale(ticks) {
    if (!ticks || ticks.length < 4) return null;
    const low = Number(ticks[1].replace("−", "-")), high = Number(ticks.at(-1).replace("−", "-"));
    const one = (ticks.at(-2) - ticks[0]) / (high - low);
    return Number.isFinite(one) ? { start: ticks[0] - low * one, one } : null;
  }

  function readWords() {
    view.canvas.setAttribute("aria-label", model.get("alt"));
  }

  const listeners = {
    "change:background change:size": readBackground, "change:pixels": readPixels,
    "change:shapes change:styles change:ghost": view.schedule, "change:alt": readWords,
  };
  for (const [events, listener] of Object.entries(listeners)) model.on(events, listener);
  readBackground();
  readPixels();
  readWords();
  return () => {
    view.close();
    for (const [events, listener] of Object.entries(listeners)) model.off(events, listener);
  };
}

export default { render };
