// A button with which the reader hands a file over, in pieces: Jupyter's server closes the line at a message of 10 MB.
const PIECE = 4_000_000; // bytes

function render({ model, el }) {
  const button = document.createElement("button"), input = document.createElement("input");
  button.className = "jupyter-button";
  Object.assign(input, { type: "file", accept: model.get("accept") });
  el.append(button);
  const say = (done) => { button.textContent = model.get("label") + done; };
  let next = () => {}; // Python has heard a piece, and after the last has taken the file
  model.on("msg:custom", () => next());
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", async () => {
    const [file] = input.files, choice = Math.random();
    input.value = ""; // the same one may be chosen again
    for (let at = 0; file && (at === 0 || at < file.size); at += PIECE) {
      const piece = await file.slice(at, at + PIECE).arrayBuffer();
      model.send({ name: file.name, size: file.size, choice, at }, undefined, [piece]);
      say(` (${Math.floor((100 * at) / (file.size || 1))}%)`);
      await new Promise((done) => { next = done; });
    }
    say("");
  });
  say("");
}

export default { render };
