// What every lab has at its top: back to the start, its link for a cell or a colleague, its picture for a report.
function render({ model, el }) {
  const box = document.createElement("div"), note = document.createElement("span");
  box.className = "dcviz-buttons";
  note.setAttribute("role", "status");
  const say = (text) => {
    note.textContent = text;
    clearTimeout(say.timer);
    say.timer = setTimeout(() => { note.textContent = ""; }, 6000);
  };
  box.append(note);
  const button = (text, press) => {
    const node = document.createElement("button");
    node.type = "button";
    node.textContent = text;
    node.className = "dcviz-python"; // off while the lab sleeps: the link, too, is Python's
    node.addEventListener("click", press);
    box.append(node);
  };
  button("Reset", () => model.send({ do: "reset" }));
  button("Copy link", () => {
    const link = model.get("link");
    if (!link) return say("its names are too long for a link");
    return copy(link).then(() => say("copied: paste it into a cell"), () => say(link));
  });
  button("Save picture", () => model.send({ do: "picture" }));
  model.on("msg:custom", (message, buffers) => {
    if (message.picture === undefined) return say(message.said ?? "");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([buffers[0]], { type: "image/png" }));
    link.download = message.picture;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    say(`saved as ${message.picture}`);
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
