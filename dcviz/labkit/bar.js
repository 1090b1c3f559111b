// What every lab has at its top: back to the start, its link for a cell or a colleague, its picture for a report.
// What came of a press stands on the button itself, as there is no room beside the title.
function render({ model, el }) {
  const box = document.createElement("div"), note = document.createElement("span");
  const from = Math.random().toString(36).slice(2); // a lab may be on the page twice: each bar takes its own answers
  box.className = "dcviz-buttons";
  note.setAttribute("role", "status");
  const button = (text, press) => {
    const node = document.createElement("button");
    node.type = "button";
    node.textContent = text;
    node.setAttribute("aria-label", text);
    node.className = "dcviz-python"; // off while the lab sleeps: the link, too, is Python's
    node.addEventListener("click", press);
    box.append(node);
    return node;
  };
  const back = () => {
    for (const node of box.querySelectorAll("button")) node.textContent = node.getAttribute("aria-label");
    note.textContent = "";
  };
  const say = (text, node, brief) => { // what has no brief word is a line of its own
    clearTimeout(say.timer);
    back();
    note.textContent = text;
    note.classList.toggle("dcviz-unseen", Boolean(brief));
    if (brief) {
      node.style.minWidth = `${node.offsetWidth}px`;
      node.textContent = `✓ ${brief}`;
    }
    say.timer = setTimeout(back, 6000);
  };
  const reset = button("Reset", () => {
    el.dispatchEvent(new Event("dcviz-reset", { bubbles: true })); // what was refused goes, though no number changes
    model.send({ do: "reset", from });
  });
  const link = button("Copy link", () => {
    const text = model.get("link");
    if (!text) return say("its names are too long for a link");
    return copy(text).then(() => say("copied: paste it into a cell", link, "copied"), () => say(text));
  });
  const save = button("Save picture", () => model.send({ do: "picture", from }));
  box.append(note);
  model.on("msg:custom", (message, buffers) => {
    if (message.to !== from) return;
    if (message.picture === undefined) return say("as at the start", reset, "done");
    const file = document.createElement("a");
    file.href = URL.createObjectURL(new Blob([buffers[0]], { type: "image/png" }));
    file.download = message.picture;
    file.click();
    setTimeout(() => URL.revokeObjectURL(file.href), 60000);
    say(`saved as ${message.picture}`, save, "saved");
  });
  el.append(box);
}

async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea"), before = document.activeElement; // http from another machine
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  before?.focus();
  if (!done) throw new Error("no clipboard");
}
export default { render };
