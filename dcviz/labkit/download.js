// A button that hands a file's bytes to the reader.
function render({ model, el }) {
  const button = document.createElement("button");
  button.className = "jupyter-button";
  el.append(button);
  const show = () => {
    button.textContent = model.get("label");
    button.disabled = !model.get("data")?.byteLength;
  };
  button.addEventListener("click", () => {
    const data = model.get("data"), link = document.createElement("a");
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    link.href = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
    link.download = model.get("name");
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });
  model.on("change:data change:label", show);
  show();
  return () => model.off("change:data change:label", show);
}

export default { render };
