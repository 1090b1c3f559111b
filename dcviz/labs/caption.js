// A live region that stays in the page while its text changes, so that screen readers announce it.
function render({ model, el }) {
  const box = document.createElement("div");
  box.className = "dcviz-text";
  const update = () => {
    const html = model.get("value");
    box.setAttribute("role", model.get("role"));
    box.setAttribute("aria-live", model.get("role") === "alert" ? "assertive" : "polite");
    box.hidden = html === "";
    if (box.innerHTML !== html) box.innerHTML = html;
    // ipywidgets' Image has no alt text: point to the caption, which has the numbers
    for (const image of el.closest(".dcviz-lab")?.querySelectorAll("img.dcviz-figure:not([alt])") ?? [])
      image.alt = "figure; its numbers are in the caption of this lab";
  };
  model.on("change:value change:role", update);
  el.append(box);
  update();
}
export default { render };
