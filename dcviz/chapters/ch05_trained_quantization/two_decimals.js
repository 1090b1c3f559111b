// Two decimals as Python writes them, halves to the even digit: dcviz.chapters.ch05_trained_quantization.figures.number.
function number(x) {
  const half = Number.isInteger(8 * x) && Math.abs((100 * x) % 1) === 0.5;
  const text = half ? ((2 * Math.round(50 * x)) / 100).toFixed(2) : x.toFixed(2);
  return Number(text) === 0 ? "0.00" : text.replace("-", "−");
}
