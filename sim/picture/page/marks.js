// Marks at moments: commits, what servers do by themselves, faults, the
// violation, and where one looks.

// Up to so many events for each pixel of width get a mark of their own.
const MARKS_PER_PIXEL = 0.6;

// drawCommits paints a tick below the band for each commit, at most one a pixel.
function drawCommits(app) {
  const c = app.ctx, l = app.layout;
  c.strokeStyle = app.colours.commit;
  c.lineWidth = 1;
  const pixel = (app.t1 - app.t0) / (l.width - l.gutter);
  c.beginPath();
  app.m.commits.forEach((times, server) => {
    const y = l.lanes[server].bottom - app.scroll;
    for (let k = lowerBound(times, app.t0); k < times.length && times[k] <= app.t1;) {
      const x = xOf(app, times[k]);
      c.moveTo(x, y + 1);
      c.lineTo(x, y + 6);
      k = Math.max(k + 1, lowerBound(times, times[k] + pixel));
    }
  });
  c.stroke();
}

const SMALL = { "log.append": 1, "log.durable": 2, "propose": 2, "ack.send": 1, "ack": 1, "commit": 2, "deliver": 1, "link.up": 1,
  "role": 2, "fle.decide": 3, "sess": 1 };

// LOUD are what one is to see from afar, too: bands do not say it.
const LOUD = ["disk.err", "halt", "snap.install", "log.trunc"];

// drawMarks paints what servers do by themselves: a little of it always, the rest
// when one looks closely; labels where there is room, the weighty first.
function drawMarks(app) {
  const m = app.m, l = app.layout;
  const low = lowerBound(m.t, app.t0), high = lowerBound(m.t, app.t1);
  const close = high - low < MARKS_PER_PIXEL * (l.width - l.gutter);
  const list = [];
  if (close) {
    for (let i = low; i < high; i++) if (kindOf(m, i) in MILESTONES || kindOf(m, i) in SMALL) list.push(i);
  } else {
    const times = app.milestoneTimes;
    for (let k = lowerBound(times, app.t0); k < times.length && times[k] <= app.t1; k++) {
      const i = m.milestones[k];
      if (LOUD.includes(kindOf(m, i)) || app.way && app.way.events.has(i)) list.push(i);
    }
  }
  paintMarks(app, list, close);
}

function paintMarks(app, list, close) {
  const m = app.m, l = app.layout, c = app.ctx, focus = app.way && app.way.events.size > 0;
  const last = new Float64Array(m.servers.length).fill(-Infinity), labels = [];
  for (const i of list) {
    const server = m.node[i];
    if (server < 0) continue;
    const x = xOf(app, m.t[i]), y = l.lanes[server].top - app.scroll, weight = MILESTONES[kindOf(m, i)] || 0;
    const chosen = focus && app.way.events.has(i);
    if (x - last[server] < (close ? 0.5 : 2) && weight < 7 && !chosen) continue;
    last[server] = x;
    c.globalAlpha = focus && !chosen ? 0.25 : 1;
    c.fillStyle = weight >= 7 ? app.colours.ink : app.colours.soft;
    if (chosen) c.fillStyle = app.colours.select;
    c.beginPath();
    c.arc(x, y, chosen ? 3.6 : weight >= 7 ? 3 : 2, 0, 7);
    c.fill();
    app.hits.push({ x: x - 5, y: y - 6, w: 10, h: 10, sel: { type: "event", i } });
    labels.push([chosen ? 20 + weight : weight + (SMALL[kindOf(m, i)] || 0) / 9, i, x, y]);
  }
  c.globalAlpha = 1;
  labelMarks(app, labels, focus);
}

function labelMarks(app, labels, focus) {
  const c = app.ctx, l = app.layout, m = app.m;
  if (labels.length > 500) labels.length = 500;
  setFont(c, 10.5);
  c.textBaseline = "alphabetic";
  labels.sort((a, b) => b[0] - a[0] || a[2] - b[2]);
  for (const [weight, i, x, y] of labels) {
    if (focus && weight < 20) continue;
    const text = eventTitle(m, i), width = textWidth(c, text);
    if (x < l.gutter - 4 || x + width > l.width) continue;
    for (const lift of [6, 18]) {
      if (!place(app.taken, x - 2, y - lift - 9, width + 6, 11)) continue;
      haloText(app, text, x - 1, y - lift, weight >= 20 ? app.colours.select : weight >= 7 ? app.colours.ink : app.colours.soft);
      break;
    }
  }
  c.textBaseline = "middle";
}

// drawFaultSpans shades lanes as long as a fault of theirs lasts.
function drawFaultSpans(app) {
  const c = app.ctx, l = app.layout;
  c.fillStyle = app.colours.fault;
  for (const f of app.m.doc.faults) {
    if (f.to <= f.from || f.to < app.t0 || f.from > app.t1) continue;
    const x = Math.max(xOf(app, f.from), l.gutter), end = Math.min(xOf(app, f.to), l.width);
    for (const server of [f.node, f.peer]) {
      if (!server) continue;
      const lane = l.lanes[server - 1];
      c.globalAlpha = 0.06;
      c.fillRect(x, lane.y - app.scroll, end - x, lane.height);
    }
  }
  c.globalAlpha = 1;
}

// drawFaults paints the faults' own lane: spans first, then signs, then texts where
// there is room.
function drawFaults(app) {
  const c = app.ctx, l = app.layout, heads = [], seen = new Set();
  for (const f of app.m.doc.faults) {
    if (f.to < app.t0 || f.from > app.t1) continue;
    const x = xOf(app, f.from), end = xOf(app, f.to), y = l.fault + f.row * FAULT + FAULT / 2;
    if (f.to > f.from) {
      const left = Math.max(x, l.gutter - 9), right = Math.min(end, l.width + 9);
      c.globalAlpha = 0.22;
      c.fillStyle = app.colours.fault;
      roundRect(c, left, y - 5, Math.max(2, right - left), 10, 5);
      c.fill();
      c.globalAlpha = 1;
    }
    const shown = Math.max(x, f.to > f.from ? l.gutter + 10 : x), key = f.row + "/" + Math.round(shown / 9);
    if (shown < l.gutter - 8 || seen.has(key)) continue;
    seen.add(key);
    heads.push([f, shown, y]);
    app.faultTaken.push([shown - 8, y - 8, 16, 16]);
  }
  setFont(c, 10.5);
  for (const [f, x, y] of heads) {
    drawSign(app, f.kind, x, y, false);
    app.hits.push({ x: x - 8, y: y - 8, w: 16, h: 16, sel: { type: "event", i: f.event - 1 }, above: true });
    const width = textWidth(c, f.text);
    if (x + 12 + width < l.width && place(app.faultTaken, x + 9, y - 8, width + 8, 16)) haloText(app, f.text, x + 12, y + 0.5, app.colours.ink);
  }
}

// drawLaneSigns puts crashes, restarts and disk trouble on the servers' bands; what
// befalls the network stands in the faults' lane alone.
function drawLaneSigns(app) {
  const l = app.layout, last = new Float64Array(app.m.servers.length).fill(-Infinity);
  for (const f of app.m.doc.faults) {
    if (!f.node || f.kind === "cut" || f.kind === "fault" || f.from < app.t0 || f.from > app.t1) continue;
    const x = xOf(app, f.from), lane = l.lanes[f.node - 1];
    if (x - last[f.node - 1] < 6) continue;
    last[f.node - 1] = x;
    const y = lane.center - app.scroll;
    if (y < l.top - 8) continue;
    drawSign(app, f.kind, x, y, true);
    app.hits.push({ x: x - 8, y: y - 8, w: 16, h: 16, sel: { type: "event", i: f.event - 1 } });
  }
}

// drawViolation paints the moment of the violation and its causes in red.
function drawViolation(app) {
  const v = app.m.violation, c = app.ctx, l = app.layout;
  if (!v) return;
  c.strokeStyle = app.colours.red;
  for (const i of app.causes.events) {
    if (app.m.t[i] < app.t0 || app.m.t[i] > app.t1 || app.m.node[i] < 0) continue;
    const y = l.lanes[app.m.node[i]].top - app.scroll;
    c.lineWidth = 1.5;
    c.globalAlpha = 0.9;
    c.beginPath();
    c.arc(xOf(app, app.m.t[i]), y, 5, 0, 7);
    c.stroke();
  }
  c.globalAlpha = 1;
  const x = Math.round(xOf(app, v.at)) + 0.5;
  if (x < l.gutter - 1 || x > l.width) return;
  c.lineWidth = 1.5;
  line(c, x, RULER, x, l.height);
  const lane = v.client ? app.m.servers.length + v.client - 1
    : v.event && app.m.node[v.event - 1] >= 0 ? app.m.node[v.event - 1] : v.node - 1;
  if (lane < 0) return;
  const y = l.lanes[lane].center - app.scroll;
  const glow = c.createRadialGradient(x, y, 4, x, y, 34);
  glow.addColorStop(0, app.colours.red);
  glow.addColorStop(1, app.colours.red + "00");
  c.globalAlpha = 0.35;
  c.fillStyle = glow;
  c.fillRect(x - 34, y - 34, 68, 68);
  c.globalAlpha = 1;
  c.lineWidth = 2.5;
  c.beginPath();
  c.arc(x, y, 11, 0, 7);
  c.stroke();
  app.hits.push({ x: x - 12, y: y - 12, w: 24, h: 24, violation: true });
}

// drawFlag writes the name of the broken rule at its moment, in the ruler.
function drawFlag(app) {
  const v = app.m.violation, c = app.ctx, l = app.layout;
  if (!v) return;
  const x = xOf(app, v.at);
  if (x < l.gutter || x > l.width) return;
  setFont(c, 11, 700);
  const text = v.invariant + " violated", width = textWidth(c, text) + 14;
  const left = Math.min(x - 1, l.width - width);
  c.fillStyle = app.colours.red;
  roundRect(c, left, 3, width, 19, 4);
  c.fill();
  c.fillRect(x - 0.5, 20, 1.5, l.top - 20);
  c.fillStyle = app.colours.panel;
  c.fillText(text, left + 7, 13);
  app.hits.push({ x: left, y: 2, w: width, h: 20, violation: true, above: true });
}

// drawMoments paints the line of the selected moment and that of the pointer.
function drawMoments(app) {
  const c = app.ctx, l = app.layout, t = selectedMoment(app);
  if (t !== null && t >= app.t0 && t <= app.t1 && !app.atViolation) {
    const x = Math.round(xOf(app, t)) + 0.5;
    c.strokeStyle = app.colours.select;
    c.lineWidth = 1;
    c.setLineDash([4, 3]);
    line(c, x, RULER, x, l.height);
    c.setLineDash([]);
  }
  if (!app.pointer || app.pointer.x < l.gutter || app.dragging) return;
  const x = Math.round(app.pointer.x) + 0.5, step = (app.t1 - app.t0) / (l.width - l.gutter);
  c.strokeStyle = app.colours.faint;
  line(c, x, RULER - 2, x, l.height);
  setFont(c, 11, 600);
  c.textAlign = "center";
  const text = momentText(clamp(timeOf(app, x), 0, app.m.end), step * 4), width = textWidth(c, text) + 12;
  const middle = clamp(x, l.gutter + width / 2, l.width - width / 2);
  c.fillStyle = app.colours.ink;
  roundRect(c, middle - width / 2, 4, width, 18, 4);
  c.fill();
  c.fillStyle = app.colours.bg;
  c.fillText(text, middle, 13.5);
  c.textAlign = "left";
}

// selectedMoment is when what is selected happens, null if nothing is.
function selectedMoment(app) {
  const sel = app.sel, m = app.m;
  if (!sel) return null;
  switch (sel.type) {
    case "event": return m.t[sel.i];
    case "message": return m.arrows.t0[m.arrowOfMessage[sel.i]];
    case "op": return m.doc.ops.sent[sel.i];
    case "notice": return m.doc.notices.at[sel.i];
  }
  return sel.t;
}
