// The page comes to life: one app, drawn anew when something has changed, and only
// then.

function start() {
  const m = decode(JSON.parse(document.getElementById("data").textContent));
  const canvas = document.getElementById("canvas");
  const app = {
    m, canvas, ctx: canvas.getContext("2d"), strip: document.getElementById("strip"), hintBox: document.getElementById("hint"),
    find: document.getElementById("find"), help: document.getElementById("help"),
    t0: 0, t1: m.end, scroll: 0, sel: null, way: null, causes: causesOf(m), hover: null, pointer: null,
    off: new Set(), visible: [], range: [0, 0], hits: [], taken: [], faultTaken: [], fingers: new Map(),
    found: [], foundAt: -1, theme: "", tab: "story", atViolation: false, overview: null, waiting: false, written: "",
  };
  m.classes.forEach((k, i) => { if (k.off) app.off.add(i); });
  app.shown = m.classes.map((k, i) => i).filter((i) => m.classes[i].count > 0);
  app.milestoneTimes = Float64Array.from(m.milestones, (i) => m.t[i]);
  app.opEnd = Float64Array.from(m.doc.ops.sent, (x, i) => opEnd(m, i));
  app.opUntil = app.opEnd.slice();
  for (let i = 1; i < app.opUntil.length; i++) app.opUntil[i] = Math.max(app.opUntil[i], app.opUntil[i - 1]);
  dress(app);
  readColours(app);
  resized(app);
  listen(app);
  const link = parseLink(location.hash);
  if (link.t === null && link.w === null && m.violation) showViolation(app, true);
  else showWindow(app, ...wholeRun(m));
  openLink(app);
  document.documentElement.dataset.ready = "yes";
  return app;
}

// dress fills what is words: totals, verdict, story, legend.
function dress(app) {
  const m = app.m, totals = document.getElementById("totals");
  for (const t of m.doc.totals) totals.append(el("span", {}, el("b", {}, t.value), " " + t.name));
  const verdict = document.getElementById("verdict");
  verdict.textContent = m.violation ? m.violation.invariant + " violated" : "no violation";
  verdict.className = m.violation ? "bad" : "good";
  verdict.addEventListener("click", () => m.violation ? showViolation(app) : showTab(app, "story"));
  fillStory(app);
  fillLegend(app);
  fillDetails(app);
  for (const tab of TABS) document.getElementById("tab-" + tab).addEventListener("click", () => showTab(app, tab));
  showTab(app, "story");
  const on = (id, f) => document.getElementById(id).addEventListener("click", f);
  on("fit", () => fitAll(app));
  on("in", () => KEYS["+"](app));
  on("out", () => KEYS["-"](app));
  on("scheme", () => nextTheme(app));
  on("ask", () => toggleHelp(app));
  on("side", () => togglePanel(app));
  on("close", () => app.help.close());
  app.find.addEventListener("keydown", (e) => {
    if (e.key !== "Enter") return;
    if (app.find.value.trim() === "") return;
    if (app.find.value !== app.sought) {
      app.sought = app.find.value;
      fillFound(app, app.sought);
      changed(app);
    }
    showTab(app, "found");
    visitFound(app, app.foundAt + (e.shiftKey ? -1 : 1));
  });
}

function resized(app) {
  const box = app.canvas.parentElement.getBoundingClientRect(), ratio = devicePixelRatio || 1;
  const width = Math.max(120, Math.floor(box.width)), height = Math.max(120, Math.floor(box.height));
  app.canvas.width = Math.round(width * ratio);
  app.canvas.height = Math.round(height * ratio);
  app.ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  app.layout = layOut(app.m, width, height);
  app.scroll = clamp(app.scroll, 0, app.layout.scrollMax);
  app.overview = null;
  redraw(app);
}

function redraw(app) {
  if (app.waiting) return;
  app.waiting = true;
  requestAnimationFrame(() => { app.waiting = false; draw(app); });
}

function draw(app) {
  const c = app.ctx, l = app.layout;
  app.hits.length = app.taken.length = app.faultTaken.length = 0;
  prepareTraffic(app);
  c.textAlign = "left";
  c.save();
  drawBackground(app);
  drawFaultSpans(app);
  drawTraffic(app);
  drawBands(app);
  drawCommits(app);
  drawClients(app);
  drawFocus(app);
  drawMarks(app);
  drawLaneSigns(app);
  drawViolation(app);
  drawHead(app);
  drawFaults(app);
  drawGutter(app);
  drawFlag(app);
  drawMoments(app);
  c.restore();
  drawOverview(app);
  document.getElementById("scale").textContent = spanText(app.t1 - app.t0) + (app.dense ? " \u00b7 " + compact(app.count) + " messages: zoom in to see each" : "");
}

// showWindow shows a stretch of time.
function showWindow(app, t0, t1) {
  app.t0 = t0;
  app.t1 = t1;
  app.hover = null;
  changed(app);
}

// changed draws, and writes the address when the hand rests.
function changed(app) {
  redraw(app);
  clearTimeout(app.later);
  app.later = setTimeout(() => {
    markStory(app);
    writeLink(app);
  }, 150);
}

function writeLink(app) {
  const m = app.m, usual = m.classes.every((k, i) => !!k.off === app.off.has(i));
  app.written = formatLink({
    t: (app.t0 + app.t1) / 2, w: app.t1 - app.t0, sel: formatSelection(m, app.sel), find: app.sought || "", theme: app.theme,
    off: usual ? null : [...app.off].sort((a, b) => a - b).map((i) => m.classes[i].name),
  });
  try { history.replaceState(null, "", app.written); } catch { /* some browsers forbid it in files */ }
}

function openLink(app) {
  if (location.hash === "" || location.hash === app.written) return;
  const link = parseLink(location.hash), m = app.m;
  if (link.theme !== app.theme) { app.theme = link.theme; recolour(app); }
  if (link.off) {
    app.off = new Set(m.classes.map((k, i) => i).filter((i) => link.off.includes(m.classes[i].name)));
    filtersChanged(app);
  }
  if (link.find && link.find !== app.sought) {
    app.find.value = app.sought = link.find;
    fillFound(app, link.find);
    showTab(app, "found");
  }
  const sel = parseSelection(m, link.sel);
  if (sel) select(app, sel);
  if (link.t === null && link.w === null) return;
  const t = link.t ?? (app.t0 + app.t1) / 2, w = link.w ?? Math.min(m.end, 0.5 * S);
  showWindow(app, ...clampWindow(t - w / 2, t + w / 2, m.end));
}

// select makes something the selection; null lets go. quiet leaves the tab.
function select(app, sel, quiet) {
  app.sel = sel;
  app.atViolation = false;
  const zxid = subjectOf(app.m, sel);
  app.way = zxid > 0 ? wayOf(app.m, zxid) : null;
  fillDetails(app);
  if (sel && !quiet) showTab(app, "details");
  changed(app);
}

function showViolation(app, atOnce) {
  const v = app.m.violation;
  if (!v) return;
  const sel = v.op ? { type: "op", i: v.op - 1 } : v.notice ? { type: "notice", i: v.notice - 1 }
    : v.event ? (app.m.message[v.event - 1] >= 0 ? { type: "message", i: app.m.message[v.event - 1] } : { type: "event", i: v.event - 1 })
      : v.node ? { type: "server", i: v.node - 1, t: v.at } : null;
  select(app, sel);
  app.way = null;
  app.atViolation = true;
  fillDetails(app);
  if (sel) showTab(app, "details");
  const before = clamp((v.at - v.from) * 1.08, 20 * MS, 2 * S), t0 = v.at - before, t1 = v.at + before * 0.35;
  if (atOnce) showWindow(app, ...clampWindow(t0, t1, app.m.end)); else glide(app, t0, t1);
}

// glide moves the window there in a quarter of a second, or at once for those who
// want no motion.
function glide(app, t0, t1) {
  const [to0, to1] = clampWindow(t0, t1, app.m.end), from0 = app.t0, from1 = app.t1, begin = performance.now();
  if (matchMedia("(prefers-reduced-motion: reduce)").matches || document.hidden) return showWindow(app, to0, to1);
  const mine = app.gliding = {};
  const step = (now) => {
    if (app.gliding !== mine) return;
    const x = clamp((now - begin) / 260, 0, 1), ease = 1 - Math.pow(1 - x, 3);
    showWindow(app, from0 + (to0 - from0) * ease, from1 + (to1 - from1) * ease);
    if (x < 1) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

function reveal(app, t) {
  const span = app.t1 - app.t0;
  if (t < app.t0 + span * 0.05 || t > app.t1 - span * 0.05) glide(app, t - span / 2, t + span / 2);
}

function fitAll(app) { glide(app, ...wholeRun(app.m)); }

function zoomToSelection(app) {
  const t = selectedMoment(app);
  if (t === null) return;
  if (app.way && app.way.to > app.way.from) {
    const margin = (app.way.to - app.way.from) * 0.2;
    return glide(app, app.way.from - margin, app.way.to + margin);
  }
  glide(app, t - 15 * MS, t + 15 * MS);
}

// stepEvent selects the event before or behind on the lane of the selection.
function stepEvent(app, by) {
  const m = app.m, sel = app.sel;
  if (!sel) return;
  if (sel.type === "op") {
    const client = m.doc.ops.client[sel.i];
    for (let i = sel.i + by; i >= 0 && i < m.doc.ops.sent.length; i += by) {
      if (m.doc.ops.client[i] === client) { select(app, { type: "op", i }); return reveal(app, m.doc.ops.sent[i]); }
    }
    return;
  }
  const message = m.doc.messages;
  const event = sel.type === "event" ? sel.i : sel.type === "message" ? (message.sent[sel.i] || message.got[sel.i]) - 1
    : lowerBound(m.t, selectedMoment(app)) - (by > 0 ? 1 : 0);
  const server = sel.type === "server" ? sel.i : event >= 0 && event < m.n ? m.node[event] : -1;
  const lane = server >= 0 ? m.byServer[server] : null;
  if (!lane) return;
  const next = lane[lowerBound(lane, by > 0 ? event + 1 : event) + (by > 0 ? 0 : -1)];
  if (next === undefined) return;
  select(app, { type: "event", i: next });
  reveal(app, m.t[next]);
}

function stepFault(app, by) {
  stepAmong(app, by, app.m.doc.faults.map((f) => [f.from, f.event]));
}

function stepReign(app, by) {
  stepAmong(app, by, app.m.doc.reigns.map((r) => [r.from, r.event]));
}

function stepAmong(app, by, list) {
  const now = selectedMoment(app) ?? (app.t0 + app.t1) / 2;
  const next = by > 0 ? list.find(([t]) => t > now + 0.5) : [...list].reverse().find(([t]) => t < now - 0.5);
  if (!next) return;
  select(app, { type: "event", i: next[1] - 1 });
  reveal(app, next[0]);
}

function recolour(app) {
  if (app.theme) document.documentElement.dataset.theme = app.theme; else delete document.documentElement.dataset.theme;
  readColours(app);
  app.overview = null;
  redraw(app);
}

function nextTheme(app) {
  const dark = app.theme ? app.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  app.theme = dark ? "light" : "dark";
  recolour(app);
  changed(app);
}

function togglePanel(app) {
  document.body.classList.toggle("alone");
  resized(app);
}

function toggleHelp(app) { if (app.help.open) app.help.close(); else app.help.showModal(); }
