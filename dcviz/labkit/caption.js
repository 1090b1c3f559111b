// A live region that stays in the page while its text changes, so that screen readers announce it. A lab's caption
// also names what ipywidgets leaves without a name (handles and entries of sliders, pictures), and
// keeps JupyterLab's one-key commands away from controls: an arrow on a drop-down would choose another cell.
// Its value is the one text that is markup here: Python's Caption escapes all that dcviz.labkit.markup.html did not make.
const attended = new WeakSet();

function name(lab) {
  const say = (element, text) => {
    if (element && text && element.getAttribute("aria-label") !== text) element.setAttribute("aria-label", text);
  };
  const waits = lab.classList.contains("dcviz-waiting"); // for a guess: nothing can be moved before it
  for (const part of lab.children)
    if (!part.matches(".dcviz-prediction, .dcviz-asked, .dcviz-title, .dcviz-bar, .dcviz-caption, .dcviz-alert")) part.inert = waits;
  for (const control of lab.querySelectorAll("select, button, input, .noUi-handle, [tabindex]"))
    control.setAttribute("data-lm-suppress-shortcuts", "true");
  for (const slider of lab.querySelectorAll(".dcviz-slider")) {
    const text = slider.querySelector(".widget-label")?.textContent.trim();
    const entry = slider.querySelector(".dcviz-number input");
    for (const handle of slider.querySelectorAll(".noUi-handle")) {
      say(handle, text); // and the value that is meant: of its own it says the place, a power of ten for some
      if (entry && handle.getAttribute("aria-valuetext") !== entry.value) handle.setAttribute("aria-valuetext", entry.value);
    }
    say(entry, `${text}, as a number`);
  }
  for (const image of lab.querySelectorAll("img.dcviz-figure")) {
    const words = [...image.classList].find((c) => c in alts);
    const alt = words ? alts[words] : "figure; its numbers are in the caption of this lab";
    if (image.getAttribute("alt") !== alt) image.setAttribute("alt", alt);
  }
}

const alts = {}; // class of a picture -> its words

// Set a lab or a question for the room that it has; tell Python, which draws a lab's pictures for it, and, by the
// window's event, the views.
function settle(lab) {
  const is = narrow(lab), model = lab.querySelector(":scope > .dcviz-caption .dcviz-text")?.dcvizModel;
  if (lab.clientWidth < 120) return; // hidden, or on its way: Python would draw a stamp, and may be busy for long then
  lab.classList.toggle("dcviz-narrow", is);
  if (!lab.matches(".dcviz-lab")) return; // a question that stands alone has no pictures
  const css = getComputedStyle(lab), inner = lab.clientWidth - parseFloat(css.paddingLeft) - parseFloat(css.paddingRight);
  const size = parseFloat(css.getPropertyValue("--dcviz-size")), high = most(lab);
  const room = [Math.round(inner), Number.isFinite(high) ? high : 0, size, window.devicePixelRatio];
  if (lab.dcvizRoom === String(room)) return;
  lab.dcvizRoom = String(room);
  window.dispatchEvent(new Event("dcviz-room"));
  if (!model || model.alone || lab.classList.contains("dcviz-asleep")) return;
  model.send({ room }); // saved as a state, it would take with it the words that a film has set here
}

// Also where only the window's height changes, or the zoom; a lab that has gone is not kept by it.
function atResize(held) {
  window.addEventListener("resize", function resized() {
    const lab = held.deref();
    if (lab) settle(lab);
    else window.removeEventListener("resize", resized);
  });
}

function attend(el, manager, tries = 300) {
  const lab = el.closest(".dcviz-lab") ?? el.closest(".dcviz-prediction");
  if (!lab) {
    if (tries > 0) setTimeout(() => attend(el, manager, tries - 1), 200); // the box comes after its parts
    return;
  }
  if (attended.has(lab)) return name(lab);
  attended.add(lab);
  inOrder(lab, manager);
  let timer = 0;
  new ResizeObserver(() => {
    clearTimeout(timer);
    timer = setTimeout(() => settle(lab), lab.dcvizRoom ? 250 : 0);
  }).observe(lab);
  atResize(new WeakRef(lab));
  let asked = false;
  const later = () => {
    asked = false;
    name(lab);
    if (kernel && kernel.gone > born) kernel.calls.delete(soon);
    if (lab.classList.contains("jupyter-widgets-disconnected") || (kernel && kernel.gone > born)) sleep(lab, manager);
  };
  const soon = () => {
    if (!asked) requestAnimationFrame(later);
    asked = true;
  };
  const kernel = watch(manager, soon), born = kernel?.gone;
  let last = null; // what had the focus
  lab.addEventListener("focusin", (event) => { last = event.target; });
  new MutationObserver((changes) => {
    for (const { target, attributeName } of changes)
      if (attributeName === "disabled" && target.disabled && target === last) stepAside(target, lab);
    soon();
  }).observe(lab, { childList: true, subtree: true, attributes: true, attributeFilter: ["class", "disabled", "aria-valuetext"] });
  later();
}

// ipywidgets holds a setting back until Python has heard the one before, but sends a click at once: on a busy kernel Run
// would run, and Record would record, the setting before. So a click waits here for all settings, and for the clicks
// before it. Enter that is held down is one click: it would run, stop, run, as the focus goes from Run to Stop and back.
function inOrder(lab, manager) {
  const late = () => [...(manager?._modelsSync?.values() ?? [])].some((one) => one._pending_msgs > 0);
  const waiting = [];
  let passing = false, timer = 0, left = 0; // tries: of a kernel that never answers nothing is to be had
  const next = () => {
    if (late() && left-- > 0) return;
    passing = true;
    waiting.shift().click();
    passing = false;
    if (waiting.length) return;
    clearInterval(timer);
    timer = 0;
  };
  lab.addEventListener("click", (event) => {
    const button = event.target.closest(".widget-button, .dcviz-python"); // Reset, too: it overtook a click that waits
    if (!button || passing) return;
    document.dispatchEvent(new Event("dcviz-pause")); // what plays would go on from there, and on a slow kernel be late for ever
    if (!timer && !late()) return;
    event.stopImmediatePropagation();
    waiting.push(button);
    left = 400;
    timer ||= setInterval(next, 25);
  }, true);
  lab.addEventListener("keydown", (event) => {
    if (event.repeat && event.key === "Enter" && event.target.closest("button")) event.preventDefault();
  }, true);
}

// A button that has the focus was switched off: the focus goes to its neighbour (from Run to Stop, and back), not to
// the top of the page.
function stepAside(button, lab) {
  if (![button, document.body, null].includes(document.activeElement)) return;
  for (let box = button.parentElement; box && lab.contains(box); box = box.parentElement) {
    const next = box.querySelector("button:not(:disabled), select:not(:disabled), input:not(:disabled)");
    if (next) return next.focus({ preventScroll: true });
  }
}

function render({ model, el }) {
  const box = document.createElement("div");
  box.className = "dcviz-text";
  const update = () => {
    const html = model.get("value"), role = model.get("role");
    box.setAttribute("role", role);
    if (role === "heading") box.setAttribute("aria-level", "3");
    else box.setAttribute("aria-live", role === "alert" ? "assertive" : "polite");
    box.hidden = html === "";
    if (box.innerHTML !== html) box.innerHTML = html;
    Object.assign(alts, model.get("alts"));
    attend(el, model.widget_manager);
  };
  box.dcvizModel = model;
  model.on("change:value change:role change:alts", update);
  el.append(box);
  update();
}
// A model of a saved lab is made before, and also where, no view of it is.
function initialize({ model }) {
  revive(model.widget_manager);
}
export default { initialize, render };
