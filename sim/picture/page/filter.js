// The legend below the picture. What can be hidden is a switch in it.

function fillLegend(app) {
  const roles = document.getElementById("roles"), chips = document.getElementById("classes");
  for (const [role, hint] of [
    ["LOOKING", "knows no leader and votes"], ["LEADING", "proposes and commits; pale while it is not established"],
    ["FOLLOWING", "acknowledges and votes; pale while it is being synchronized"], ["OBSERVING", "follows and has no vote"],
    ["down", "is not running"]]) {
    if (role !== "down" && !app.m.servers.some((s) => s.bands.some((b) => b.role === role))) continue;
    roles.append(el("span", { class: "role", title: hint }, el("i", { class: "swatch " + role }), role.toLowerCase()));
  }
  roles.append(el("span", { class: "role", title: "the server may apply up to a zxid" }, el("i", { class: "tick" }), "commit"),
    el("span", { class: "role", title: "a message that did not arrive ends in a cross" }, el("i", { class: "cross" }, "\u2715"), "lost"));
  if (app.m.clients.length > 0) {
    for (const [name, hint] of [["write", "a request that changes something"], ["read", "one that does not"],
      ["failed", "answered with an error"], ["unanswered", "nobody knows whether it was done"]]) {
      roles.append(el("span", { class: "role", title: hint }, el("i", { class: "bar " + name }), name));
    }
  }
  app.m.classes.forEach((k, i) => {
    if (k.count === 0) return;
    const chip = el("button", { class: "chip", title: k.hint + " \u00b7 " + k.count, "aria-pressed": "true", onclick: (event) => {
      if (event.shiftKey || event.altKey) onlyClass(app, i); else toggleClass(app, i);
    } }, el("i", { class: "line " + k.name }), k.title, el("small", {}, compact(k.count)));
    chip.dataset.k = i;
    chips.append(chip);
  });
  showLegend(app);
}

function compact(n) {
  if (n < 1000) return String(n);
  return (n < 100000 ? (n / 1000).toFixed(1).replace(/\.0$/, "") : Math.round(n / 1000)) + "k";
}

function toggleClass(app, i) {
  if (!app.off.delete(i)) app.off.add(i);
  filtersChanged(app);
}

// onlyClass hides all others, or shows all again.
function onlyClass(app, i) {
  const alone = app.m.classes.every((k, j) => k.count === 0 || app.off.has(j) !== (j === i));
  app.off = new Set(alone ? [] : app.m.classes.map((k, j) => j).filter((j) => j !== i));
  filtersChanged(app);
}

function filtersChanged(app) {
  showLegend(app);
  app.overview = null;
  app.hover = null;
  changed(app);
}

function showLegend(app) {
  document.querySelectorAll("#classes .chip").forEach((chip) => chip.setAttribute("aria-pressed", String(!app.off.has(Number(chip.dataset.k)))));
}
