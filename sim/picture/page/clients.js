// The lanes of clients: connections as lines, operations as bars on them.

function drawClients(app) {
  const c = app.ctx, l = app.layout, m = app.m;
  m.clients.forEach((client, k) => {
    const lane = l.lanes[m.servers.length + k], y = lane.center - app.scroll;
    if (lane.y - app.scroll > l.height) return;
    c.fillStyle = app.colours.line;
    for (const conn of client.conns) {
      if (conn.to < app.t0 || conn.from > app.t1) continue;
      drawConnection(app, conn, lane, y);
    }
  });
  drawOperations(app);
}

function drawConnection(app, conn, lane, y) {
  const c = app.ctx, l = app.layout;
  const x = Math.max(xOf(app, conn.from), l.gutter - 6), end = Math.min(xOf(app, conn.to), l.width + 6);
  c.fillStyle = app.colours.line;
  c.globalAlpha = 0.55;
  roundRect(c, x, lane.top - app.scroll - 2, Math.max(1, end - x), lane.bottom - lane.top + 4, 4);
  c.fill();
  c.globalAlpha = 1;
  app.hits.push({ x, y: lane.bottom - app.scroll, w: end - x, h: 16, text: conn.text, under: true });
  if (conn.fault && xOf(app, conn.to) <= l.width) {
    c.strokeStyle = app.colours.fault;
    c.lineWidth = 1.6;
    c.beginPath();
    crossPath(c, xOf(app, conn.to), y, 3.4);
    c.stroke();
  }
  setFont(c, 10.5);
  c.textBaseline = "middle";
  const left = Math.max(x, l.gutter) + 6, name = conn.server ? app.m.servers[conn.server - 1].name : "?";
  const text = fitting(c, ["at server " + name + (conn.session ? ", session " + conn.session : ""), "at server " + name, "at " + name],
    Math.min(end, l.width) - left);
  c.fillStyle = app.colours.soft;
  c.fillText(text, left, lane.bottom - app.scroll + 10);
}

// drawOperations paints requests as bars from sending to answer; those without an
// answer fade out at the end of their connection.
function drawOperations(app) {
  const m = app.m, o = m.doc.ops, l = app.layout, c = app.ctx;
  const [low, high] = [lowerBound(app.opUntil, app.t0), lowerBound(o.sent, app.t1)];
  const last = new Map();
  for (let i = low; i < high; i++) {
    const end = app.opEnd[i];
    if (end < app.t0) continue;
    const lane = l.lanes[m.servers.length + o.client[i] - 1];
    const y = lane.top - app.scroll + o.row[i] * OP_ROW + 1;
    const x0 = Math.max(xOf(app, o.sent[i]), l.gutter - 4), x1 = Math.max(x0 + 1.5, Math.min(xOf(app, end), l.width + 4));
    const key = o.client[i] * 8 + o.row[i];
    if (x1 - (last.get(key) || -1e9) < 0.7) continue;
    last.set(key, x1);
    drawOperation(app, i, x0, x1, y);
    app.hits.push({ x: x0 - 2, y: y - 1, w: x1 - x0 + 4, h: OP_ROW, sel: { type: "op", i } });
  }
  c.globalAlpha = 1;
}

function drawOperation(app, i, x0, x1, y) {
  const o = app.m.doc.ops, c = app.ctx, height = OP_ROW - 2;
  const chosen = app.way && app.way.ops.has(i) || app.sel && app.sel.type === "op" && app.sel.i === i;
  const dim = app.way && app.way.arrows.size > 0 && !chosen;
  c.globalAlpha = dim ? 0.35 : 1;
  c.fillStyle = o.outcome[i] === 1 ? app.colours.failed : o.write[i] ? app.colours.write : app.colours.read;
  if (app.causes && app.causes.ops.has(i)) c.fillStyle = app.colours.red;
  if (chosen) c.fillStyle = app.colours.select;
  roundRect(c, x0, y, x1 - x0, height, 2);
  if (o.outcome[i] === 2) {
    c.strokeStyle = c.fillStyle;
    c.lineWidth = 1.2;
    c.setLineDash([3, 2]);
    c.stroke();
    c.setLineDash([]);
  } else {
    c.fill();
  }
  if (x1 - x0 < 46) return;
  setFont(c, 9.5);
  const left = Math.max(x0, app.layout.gutter) + 4;
  const text = fitting(c, [textAt(app.m, o.text[i]), textAt(app.m, o.text[i]).split(" ")[0]], Math.min(x1, app.layout.width) - left - 3);
  c.fillStyle = o.outcome[i] === 2 ? app.colours.ink : app.colours.bg;
  c.fillText(text, left, y + height / 2 + 0.5);
}
