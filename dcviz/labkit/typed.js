// A number as people type it: 0,05 and 1e-3, 12 % and 1 000. What is not taken is refused in words beside the field,
// stays there to be mended, and Python hears nothing of it.
const GROUPS = /^[+-]?\d{1,3}([ ,]\d{3})+$/;

const minus = (text) => text.replace(/^-/, "\u2212"); // as all text around it has

function shown(value, whole) { // four digits that count; whole numbers in full
  return minus(String(whole || Number.isInteger(value) ? value : Number(value.toPrecision(4))));
}

const said = (value) => minus(value.toLocaleString("en", Number.isInteger(value) ? {} : { maximumSignificantDigits: 4 }));

function read(typed, { low, high, whole, unit }) { // -> {value} or {why}
  let text = typed.trim().replace(/\u2212/g, "-").replace(/[\u00a0\u2009\u202f_]/g, " ");
  if (unit && text.endsWith(unit)) text = text.slice(0, -unit.length).trim();
  if (unit.startsWith("%")) text = text.replace(/\s*%$/, "");
  if (text === "") return { why: "A number is wanted here." };
  if (GROUPS.test(text)) {
    if (!whole && !/[ ]|,.*,/.test(text)) return { why: `“${typed}” may be read in two ways: write ${text.replace(",", "")} or ${text.replace(",", ".")}.` };
    text = text.replace(/[ ,]/g, "");
  } else if (/^[^.]*,[^,.]*$/.test(text)) text = text.replace(",", ".");
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return { why: `“${typed.slice(0, 30)}” is no number.` };
  const value = Number(text);
  if (whole && !Number.isInteger(value)) return { why: "A whole number is wanted here." };
  if (value < low || value > high) return { why: `From ${said(low)} to ${said(high)}.` };
  return { value };
}
