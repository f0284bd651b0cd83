// What stands behind the messages: lanes, ruler, reigns and the bands of roles.

// drawBackground paints lanes in two shades, and lines at the ruler's marks.
function drawBackground(app) {
  const c = app.ctx, l = app.layout;
  c.fillStyle = app.colours.bg;
  c.fillRect(0, 0, l.width, l.height);
  l.lanes.forEach((lane, i) => {
    if (i % 2 === 0) return;
    c.fillStyle = app.colours.stripe;
    c.fillRect(0, lane.y - app.scroll, l.width, lane.height);
  });
  const first = app.m.servers.length;
  if (app.m.clients.length > 0 && first > 0) {
    c.strokeStyle = app.colours.line;
    c.lineWidth = 1;
    const y = Math.round(l.lanes[first].y - 4 - app.scroll) + 0.5;
    line(c, 0, y, l.width, y);
  }
  c.strokeStyle = app.colours.line;
  c.lineWidth = 1;
  eachTick(app, (t, x) => line(c, x, RULER, x, l.height));
}

function eachTick(app, visit) {
  const l = app.layout, step = tickStep(app.t1 - app.t0, l.width - l.gutter, l.narrow ? 84 : 104);
  for (let t = Math.max(0, Math.ceil(app.t0 / step)) * step; t <= Math.min(app.t1, app.m.end); t += step) {
    visit(t, Math.round(xOf(app, t)) + 0.5, step);
  }
}

// drawHead paints ruler, reigns and faults over all that has scrolled below them.
function drawHead(app) {
  const c = app.ctx, l = app.layout;
  c.fillStyle = app.colours.bg;
  c.fillRect(0, 0, l.width, l.top - 3);
  c.fillStyle = app.colours.soft;
  setFont(c, 11);
  c.textBaseline = "middle";
  c.textAlign = "center";
  c.lineWidth = 1;
  c.strokeStyle = app.colours.line;
  eachTick(app, (t, x, step) => {
    line(c, x, RULER - 4, x, l.top - 3);
    const text = momentText(t, step);
    if (x >= l.gutter) c.fillText(text, Math.max(x, l.gutter + textWidth(c, text) / 2 + 3), RULER / 2);
  });
  c.textAlign = "left";
  drawReigns(app);
}

// drawReigns paints who led the ensemble when, and how long nobody did.
function drawReigns(app) {
  const c = app.ctx, l = app.layout, height = app.m.doc.reigns.some((r) => r.row > 0) ? REIGN - 4 : REIGN;
  const left = Math.max(l.gutter, xOf(app, 0)), right = Math.min(l.width, xOf(app, app.m.end));
  setFont(c, 11, 600);
  if (right > left) {
    c.fillStyle = hatch(app, app.colours.line);
    roundRect(c, left, l.reign, right - left, l.reignHeight, 4);
    c.fill();
  }
  let since = 0;
  const gaps = [];
  for (const r of app.m.doc.reigns) {
    if (r.from > since) gaps.push([since, r.from]);
    since = Math.max(since, r.to);
    const x = Math.max(xOf(app, r.from), l.gutter - 5), end = Math.min(xOf(app, r.to), l.width + 5);
    if (end <= x) continue;
    const y = l.reign + r.row * height;
    c.fillStyle = app.colours.LEADING;
    roundRect(c, x, y, Math.max(1, end - x), height - (l.reignHeight > REIGN ? 1 : 0), 4);
    c.fill();
    const name = app.m.servers[r.leader - 1].name;
    const text = fitting(c, ["epoch " + r.epoch + ", led by " + name, "epoch " + r.epoch, "e" + r.epoch], end - x - 12);
    c.fillStyle = app.colours["on-LEADING"];
    c.fillText(text, Math.max(x, l.gutter) + 6, y + height / 2 + 0.5);
  }
  if (app.m.end > since) gaps.push([since, app.m.end]);
  setFont(c, 11);
  for (const [from, to] of gaps) {
    const x = Math.max(xOf(app, from), l.gutter), end = Math.min(xOf(app, to), l.width);
    const text = fitting(c, ["no leader for " + spanText(to - from), "no leader"], end - x - 10);
    c.textAlign = "center";
    haloText(app, text, (x + end) / 2, l.reign + l.reignHeight / 2 + 0.5, app.colours.soft);
    c.textAlign = "left";
  }
}

function drawBands(app) {
  const c = app.ctx, l = app.layout;
  setFont(c, 11, 600);
  c.textBaseline = "middle";
  app.m.servers.forEach((server, i) => {
    const lane = l.lanes[i], y = lane.top - app.scroll;
    if (y > l.height || lane.bottom - app.scroll < l.top) return;
    let drawn = -Infinity;
    for (const b of server.bands) {
      if (b.to < app.t0) continue;
      if (b.from > app.t1) break;
      const x = Math.max(xOf(app, b.from), l.gutter - 8), end = Math.min(xOf(app, b.to), l.width + 8);
      // Many short bands in one pixel are one.
      if (end - drawn < 0.5) continue;
      drawn = end;
      drawBand(app, b, x, end, y);
    }
  });
}

function drawBand(app, b, x, end, y) {
  const c = app.ctx, [fill, ink] = bandColours(app, b.role), width = Math.max(1, end - x);
  if (b.role === "absent" || b.role === "unknown") {
    c.strokeStyle = app.colours.faint;
    c.setLineDash([2, 4]);
    line(c, x, y + BAND / 2, end, y + BAND / 2);
    c.setLineDash([]);
    return;
  }
  const settled = b.serving || b.role === "LOOKING" || b.role === "down" || b.role === "halted";
  roundRect(c, x, y, width, BAND, width > 8 ? 4 : 0);
  c.fillStyle = app.colours.bg;
  c.fill();
  c.globalAlpha = settled ? 1 : 0.42;
  c.fillStyle = fill;
  c.fill();
  c.globalAlpha = 1;
  if (!settled || b.role === "down" || b.role === "halted") {
    c.fillStyle = hatch(app, settled ? app.colours.bg : fill);
    c.globalAlpha = settled ? 0.55 : 0.6;
    c.fill();
    c.globalAlpha = 1;
  }
  // Where a sign begins the band its words stand behind it.
  const signed = b.event && x >= app.layout.gutter && ["crash", "halt"].concat(b.life > 1 ? "boot" : []).includes(kindOf(app.m, b.event - 1));
  const left = Math.max(x, app.layout.gutter) + (signed ? 13 : 7);
  const text = fitting(c, bandLabel(app.m, b), Math.min(end, app.layout.width) - left - 5);
  if (!text) return;
  if (settled && b.role !== "down" && b.role !== "halted") {
    c.fillStyle = ink;
    c.fillText(text, left, y + BAND / 2 + 0.5);
  } else {
    haloText(app, text, left, y + BAND / 2 + 0.5, app.colours.ink);
  }
}

// drawGutter writes the names of the lanes over all that runs below them.
function drawGutter(app) {
  const c = app.ctx, l = app.layout, m = app.m;
  c.fillStyle = app.colours.bg;
  c.fillRect(0, l.top - 3, l.gutter, l.height);
  l.lanes.forEach((lane, i) => {
    if (i % 2 === 1) {
      c.fillStyle = app.colours.stripe;
      c.fillRect(0, Math.max(lane.y - app.scroll, l.top - 3), l.gutter, lane.height);
    }
  });
  c.fillStyle = app.colours.bg;
  c.fillRect(0, 0, l.gutter, l.top - 3);
  c.textBaseline = "middle";
  setFont(c, 11);
  c.fillStyle = app.colours.soft;
  c.fillText("time", 14, RULER / 2);
  c.fillText(l.narrow ? "epoch" : "ensemble", 14, l.reign + l.reignHeight / 2);
  if (l.faultRows > 0) c.fillText("faults", 14, l.fault + l.faultRows * FAULT / 2);
  const focus = app.sel && app.sel.type === "server" ? app.sel.i : -1;
  c.save();
  c.beginPath();
  c.rect(0, l.top - 3, l.gutter, l.height);
  c.clip();
  l.lanes.forEach((lane, i) => {
    const y = lane.center - app.scroll, server = i < m.servers.length;
    const name = server ? m.servers[i].name : m.clients[i - m.servers.length].name;
    c.fillStyle = i === focus ? app.colours.select : app.colours.ink;
    setFont(c, 13, 600);
    c.fillText(l.narrow ? (server ? "S" : "C") + name : (server ? "Server " : "Client ") + name, 14, y);
  });
  c.restore();
  c.strokeStyle = app.colours.line;
  c.lineWidth = 1;
  line(c, l.gutter - 0.5, 0, l.gutter - 0.5, l.height);
  if (l.scrollMax === 0) return;
  const track = l.height - l.top - 8, share = (l.height - l.top) / (l.content - l.top);
  c.fillStyle = app.colours.faint;
  roundRect(c, l.width - 6, l.top + 4 + app.scroll / l.scrollMax * track * (1 - share), 4, track * share, 2);
  c.fill();
}
