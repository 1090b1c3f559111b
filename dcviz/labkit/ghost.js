// The setting before, and one that is pinned. What the lab shows once nothing moves any more is noted; when a setting
// moves, that note becomes the ghost: shapes for the pictures to draw in grey, and the caption's words.
const REST_MS = 400; // without a change, and with no button down, a setting is at rest

function render({ model, el }) {
  const box = document.createElement("div"), words = document.createElement("p");
  const pin = document.createElement("button");
  box.className = "dcviz-ghost";
  pin.type = "button";
  box.append(pin, words);
  el.append(box);

  let caption = null, pictures = [], rest = null, before = null, pinned = null, moving = false, held = false;
  let timer = 0, gone = false;
  const undo = [];
  const now = () => ({ words: plain(caption.get("value")), shapes: pictures.map((one) => [one.get("background"), one.get("shapes")]) });

  function show() {
    const ghost = pinned ?? before;
    pin.textContent = pinned ? "Unpin" : "Pin this setting";
    pin.setAttribute("aria-pressed", String(pinned !== null));
    const text = ghost ? `${pinned ? "Pinned" : "Before"}: ${ghost.words}` : "";
    if (pinned) words.setAttribute("role", "status"); // said aloud; what was before is there to be read
    else words.removeAttribute("role");
    if (words.textContent !== text) words.textContent = text;
    pictures.forEach((one, i) => { // of other axes it would be wrong
      const [background, shapes] = ghost?.shapes[i] ?? [];
      one.set("ghost", background && background === one.get("background") ? shapes : []);
    });
  }
  function settle() {
    if (timer && !moving) return; // what a run says changes all the time: that is noted now and then
    clearTimeout(timer);
    timer = setTimeout(() => {
      timer = 0;
      if (held) return settle();
      [rest, moving] = [now(), false];
      if (JSON.stringify(before) !== JSON.stringify(rest)) return;
      before = null; // a slider that is shown rounds its number to its steps: nothing has moved
      show();
    }, REST_MS);
  }
  function moved() {
    if (!moving) before = rest;
    moving = true;
    settle();
    show();
  }
  function cleared() {
    [before, pinned, rest, moving] = [null, null, now(), false];
    settle();
    show();
  }
  function listen(source, names, call) {
    source.on(names, call);
    undo.push(() => source.off(names, call));
  }
  const down = () => { held = true; }, up = () => { held = false; };
  window.addEventListener("pointerdown", down, true);
  for (const name of ["pointerup", "pointercancel"]) window.addEventListener(name, up, true);
  pin.addEventListener("click", () => {
    pinned = pinned ? null : now();
    show();
  });

  async function start() {
    const find = (id) => model.widget_manager.get_model(id);
    caption = await find(model.get("caption"));
    pictures = await Promise.all(model.get("pictures").map(find));
    const settings = await Promise.all(model.get("settings").map(async ([id, trait]) => [await find(id), trait]));
    if (gone) return;
    rest = now();
    for (const [source, trait] of settings) listen(source, `change:${trait}`, moved);
    for (const source of [caption, ...pictures]) listen(source, "change:value change:shapes", settle);
    for (const one of pictures) listen(one, "change:background", show);
    listen(model, "change:cleared", cleared);
    show();
  }
  start();
  return () => {
    gone = true;
    clearTimeout(timer);
    window.removeEventListener("pointerdown", down, true);
    for (const name of ["pointerup", "pointercancel"]) window.removeEventListener(name, up, true);
    for (const one of undo) one();
  };
}

// a caption's words without its markup
function plain(html) {
  return new DOMParser().parseFromString(html, "text/html").body.textContent.replace(/\s+/g, " ").trim();
}

export default { render };
