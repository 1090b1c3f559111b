// The setting before, and one that is pinned. What the lab shows once nothing moves any more is noted; when a setting
// moves, that note becomes the ghost: shapes for the pictures to draw in grey, and the caption's words.
const REST_MS = 400; // without a change, and with no button down, a setting is at rest

const labs = new WeakMap(); // a lab's caption -> its ghost: one, also where the lab stands on the page twice

function ghost(caption, pictures, settings) {
  const places = new Set(), undo = []; // where it is shown: functions that say it there
  const now = () => ({ words: plain(caption.get("value")), shapes: pictures.map((one) => [one.get("background"), one.get("shapes")]) });
  let rest = now(), before = null, pinned = null, moving = false, held = false, timer = 0;

  function show() {
    const shown = pinned ?? before;
    pictures.forEach((one, i) => { // of other axes it would be wrong
      const [background, shapes] = shown?.shapes[i] ?? [];
      one.set("ghost", background && background === one.get("background") ? shapes : []);
    });
    for (const say of places) say(shown ? `${pinned ? "Pinned" : "Before"}: ${shown.words}` : "", pinned !== null);
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
  function listen(source, names, call) {
    source.on(names, call);
    undo.push(() => source.off(names, call));
  }
  const down = () => { held = true; }, up = () => { held = false; };
  const released = ["pointerup", "pointercancel"];
  function begin() {
    window.addEventListener("pointerdown", down, true);
    for (const name of released) window.addEventListener(name, up, true);
    for (const [source, trait] of settings) listen(source, `change:${trait}`, moved);
    for (const source of [caption, ...pictures]) listen(source, "change:value change:shapes", settle);
    for (const one of pictures) listen(one, "change:background", show);
  }
  function end() {
    clearTimeout(timer);
    timer = 0;
    window.removeEventListener("pointerdown", down, true);
    for (const name of released) window.removeEventListener(name, up, true);
    for (const one of undo.splice(0)) one();
  }
  return {
    pin() {
      pinned = pinned ? null : now();
      show();
    },
    clear() {
      [before, pinned, rest, moving] = [null, null, now(), false];
      settle();
      show();
    },
    enter(say) {
      if (!places.size) begin();
      places.add(say);
      show();
    },
    leave(say) {
      if (places.delete(say) && !places.size) end();
    },
  };
}

function render({ model, el }) {
  const box = document.createElement("div"), words = document.createElement("p");
  const pin = document.createElement("button");
  box.className = "dcviz-ghost";
  pin.type = "button";
  box.append(pin, words);
  el.append(box);
  let its = null, gone = false;

  function say(text, pinned) {
    pin.textContent = pinned ? "Unpin" : "Pin this setting";
    pin.setAttribute("aria-pressed", String(pinned));
    if (pinned) words.setAttribute("role", "status"); // said aloud; what was before is there to be read
    else words.removeAttribute("role");
    if (words.textContent !== text) words.textContent = text;
  }
  const cleared = () => its?.clear();
  say("", false);
  pin.addEventListener("click", () => its?.pin());
  model.on("change:cleared", cleared);

  async function start() {
    const find = (id) => model.widget_manager.get_model(id);
    const caption = await find(model.get("caption"));
    const pictures = await Promise.all(model.get("pictures").map(find));
    const settings = await Promise.all(model.get("settings").map(async ([id, trait]) => [await find(id), trait]));
    if (gone) return;
    if (!labs.has(caption)) labs.set(caption, ghost(caption, pictures, settings));
    its = labs.get(caption);
    its.enter(say);
  }
  start();
  return () => {
    gone = true;
    model.off("change:cleared", cleared);
    its?.leave(say);
  };
}

// a caption's words without its markup
function plain(html) {
  return new DOMParser().parseFromString(html, "text/html").body.textContent.replace(/\s+/g, " ").trim();
}

export default { render };
