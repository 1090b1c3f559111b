// The room that a lab has on the page. A narrow one (a projector at 150%, half a window) is set smaller and lower, so
// that what one drags, what follows it and the words can be seen at once; so is a lab with `compact=True`.
const ROOM = {
  narrow: 900, // pixels of the page; below, or where Python says so, a lab is narrow
  share: 0.62, shareOfTwo: 0.31, least: 150, // of the window's height, for one drawing, and for each of more
};

const narrow = (lab) => lab.classList.contains("dcviz-compact") || (lab.clientWidth > 0 && lab.clientWidth < ROOM.narrow);

// the height of a drawing at most; of a frame in a page of somebody else's, the window says nothing
function most(node) {
  const lab = node.closest(".dcviz-lab");
  if (!lab || window.parent !== window) return Infinity;
  const high = lab.classList.contains("dcviz-compact") ? Math.min(533, window.innerHeight) : window.innerHeight;
  return Math.round(Math.max(ROOM.least, high * (lab.classList.contains("dcviz-two") ? ROOM.shareOfTwo : ROOM.share)));
}
