// A layer's entries while the learner keeps and prunes: Python has encoded every jump with every width (`jumps`), and
// written every word that a number may have; a layer's entries are those of its jumps, one after another.

function frameOf(t, { positions, bits, size, step }) {
  const kept = positions.filter((position) => position < size), entries = [];
  kept.forEach((position, i) => {
    const from = i ? kept[i - 1] : -1;
    for (const [ahead, stored, real, word] of t.jumps[bits][position - from])
      entries.push({ position: from + ahead, gap: stored + 1, stored, word, real });
  });
  const done = Math.min(step, entries.length), last = entries[done - 1];
  const before = done > 1 ? entries[done - 2].position : "−1";
  const now = last ? fill(last.real ? t.words.real : t.words.filler, { step: done, before, ...last }) : t.words.nothing;
  const fillers = entries.filter((entry) => !entry.real).length;
  const known = { ...t.bits[bits], ...t.entries[entries.length], ...t.fillers[fillers], ...t.sizes[size] };
  const caption = fill(t.words.all, { now, ...known, total: t.totals[bits][entries.length] });
  const shown = entries.slice(0, done).map((entry) => ({ ...entry, weight: entry.real ? t.words.weight : t.words.zero }));
  const cells = (name) => shown.map((entry) => fill(t.words.cell, { cell: entry[name] })).join("");
  const rows = Object.entries(t.rows).map(([name, title]) => fill(t.words.row, { name: title, cells: cells(name) }));
  return [
    caption, fill(t.words.table, { rows: rows.join("") }), kept.join(", "), size,
    entries.map((entry) => [entry.position, entry.stored, entry.real]), done, entries.length,
  ];
}
