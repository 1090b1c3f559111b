// Starts reveal.js, makes what is on a slide fit into it, names the section at its foot, and offers the living labs.
(() => {
  const WIDTH = 1280, HEIGHT = 720, ROOM = HEIGHT - 64, LARGEST = 30, SMALLEST = 15;
  const PICTURE = [330, 520];

  const fits = (slide) => slide.scrollHeight <= ROOM && slide.scrollWidth <= WIDTH;

  // Pictures take the room that the words leave, within limits; then letters shrink until all fits.
  function fit(slide) {
    if (!slide || slide.dataset.fitted) return;
    slide.dataset.fitted = "yes";
    const pictures = [...slide.querySelectorAll(".dcviz-picture img")];
    for (let size = LARGEST; size >= SMALLEST; size -= 1) {
      slide.style.fontSize = `${size}px`;
      if (pictures.length) {
        const words = slide.scrollHeight - pictures.reduce((sum, one) => sum + one.offsetHeight, 0);
        const height = Math.max(PICTURE[0], Math.min(PICTURE[1], (ROOM - words) / pictures.length));
        for (const one of pictures) one.style.maxHeight = `${height}px`;
      }
      if (fits(slide)) return;
    }
  }

  // The heading of the stack, on the slides below it.
  function where(slide) {
    const stack = slide?.parentElement, foot = document.getElementById("dcviz-where");
    const heading = stack?.querySelector("h1, h2");
    foot.textContent = heading && !slide.contains(heading) ? heading.textContent.replace("¶", "") : "";
  }

  const foot = document.createElement("div");
  foot.id = "dcviz-where";
  document.querySelector(".reveal").append(foot);

  for (const place of document.querySelectorAll("[data-lab]")) {
    const button = document.createElement("button");
    button.className = "dcviz-try";
    button.textContent = "Take hold of it";
    button.addEventListener("click", async () => {
      button.remove();
      await window.dcvizLive(place);
      const slide = place.closest("section");
      delete slide.dataset.fitted;
      slide.classList.add("dcviz-held");
    });
    place.prepend(button);
  }

  const shown = (event) => { fit(event.currentSlide); where(event.currentSlide); };
  const deck = new Reveal({
    width: WIDTH, height: HEIGHT, margin: 0.02, center: false, controls: true, progress: true, history: true, hash: true,
    slideNumber: "h.v", transition: "none", pdfSeparateFragments: false, plugins: [RevealNotes],
  });
  deck.on("slidechanged", shown);
  deck.initialize().then(() => {
    window.deck = deck;
    if (/print-pdf/.test(location.search)) for (const slide of deck.getSlides()) fit(slide);
    shown({ currentSlide: deck.getCurrentSlide() });
  });
})();
