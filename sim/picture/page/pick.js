// What is under the pointer.

// pick returns a selection, a violation, or an arrow's place; null for nothing.
// Signs and marks win over bars, bars over arrows, arrows over bands.
function pick(app, x, y) {
  const l = app.layout;
  if (x < l.gutter) {
    const lane = laneAt(app, y);
    return lane >= 0 && lane < app.m.servers.length ? { sel: { type: "server", i: lane, t: middleMoment(app) } } : null;
  }
  let best = null, near = Infinity;
  for (const h of app.hits) {
    if (h.under || x < h.x || x > h.x + h.w || y < h.y || y > h.y + h.h || y < l.top && !h.above) continue;
    const d = Math.abs(x - h.x - h.w / 2) + Math.abs(y - h.y - h.h / 2);
    if (d < near) { best = h; near = d; }
  }
  if (best) return best;
  if (y < l.top) return pickHead(app, x, y);
  const arrow = pickArrow(app, x, y);
  if (arrow >= 0) return { arrow, sel: selectionOfArrow(app.m, arrow) };
  const lane = laneAt(app, y);
  if (lane >= 0 && lane < app.m.servers.length) {
    const at = l.lanes[lane], t = timeOf(app, x);
    if (Math.abs(y + app.scroll - at.center) <= BAND / 2 + 2) return { band: bandAt(app.m, lane, t), sel: { type: "server", i: lane, t } };
  }
  return app.hits.find((h) => h.under && x >= h.x && x <= h.x + h.w && y >= h.y && y <= h.y + h.h) || null;
}

function middleMoment(app) {
  const t = selectedMoment(app);
  return t !== null ? t : clamp((app.t0 + app.t1) / 2, 0, app.m.end);
}

// pickHead finds a reign, or a fault that lasts.
function pickHead(app, x, y) {
  const l = app.layout, t = timeOf(app, x);
  if (y >= l.reign && y < l.reign + l.reignHeight) {
    const r = app.m.doc.reigns.find((r) => r.from <= t && t <= r.to);
    return r ? { sel: { type: "event", i: r.event - 1 } } : null;
  }
  const row = Math.floor((y - l.fault) / FAULT);
  const f = app.m.doc.faults.find((f) => f.row === row && f.to > f.from && f.from <= t && t <= f.to);
  return f ? { sel: { type: "event", i: f.event - 1 } } : null;
}

function pickArrow(app, x, y) {
  let best = -1, near = 5.5;
  const test = (i) => {
    const [x0, y0, x1, y1] = arrowEnds(app, i), d = segmentDistance(x, y, x0, y0, x1, y1);
    if (d < near) { near = d; best = i; }
  };
  if (app.way) app.way.arrows.forEach(test);
  if (best >= 0) return best;
  if (!app.dense) app.visible.forEach(test);
  else if (app.causes) app.causes.arrows.forEach(test);
  return best;
}

function segmentDistance(x, y, x0, y0, x1, y1) {
  const dx = x1 - x0, dy = y1 - y0, size = dx * dx + dy * dy;
  const share = size === 0 ? 0 : clamp(((x - x0) * dx + (y - y0) * dy) / size, 0, 1);
  return Math.hypot(x - x0 - share * dx, y - y0 - share * dy);
}

function selectionOfArrow(m, arrow) {
  const a = m.arrows, i = a.ref[arrow];
  switch (a.sort[arrow]) {
    case MESSAGE: return { type: "message", i };
    case WATCH: return { type: "notice", i };
  }
  return { type: "op", i };
}

// hintOf is a line about what is under the pointer.
function hintOf(app, hit) {
  const m = app.m;
  if (hit.violation) return m.violation.invariant + ": " + m.violation.rule;
  if (hit.text) return hit.text;
  const sel = hit.sel;
  switch (sel.type) {
    case "event": {
      const d = describeEvent(m, sel.i);
      return d.title + " \u00b7 " + exactText(m.t[sel.i]);
    }
    case "message": {
      const d = describeMessage(m, sel.i), took = d.rows.find((r) => r[0] === "took" || r[0] === "fate");
      const x = m.doc.messages;
      return d.title + " \u00b7 " + m.servers[x.from[sel.i] - 1].name + " \u2192 " + m.servers[x.to[sel.i] - 1].name + " \u00b7 " + took[1];
    }
    case "op": return textAt(m, m.doc.ops.text[sel.i]) + " \u00b7 " + textAt(m, m.doc.ops.reply[sel.i]);
    case "notice": return describeNotice(m, sel.i).title;
  }
  if (hit.band) return capital(serverText(m, sel.i)) + ": " + (bandLabel(m, hit.band)[0] || ROLE_WORDS[hit.band.role]) + " \u00b7 " + spanText(hit.band.to - hit.band.from) + (hit.band.why ? " \u00b7 " + hit.band.why : "");
  return capital(serverText(m, sel.i)) + ": its state";
}
