// The whole run in a strip above the picture: roles of all servers, how busy it
// was, faults, the violation, and the window that is seen below.

// renderOverview paints what does not change into a canvas of its own.
function renderOverview(app) {
  const w = app.strip.clientWidth, h = app.strip.clientHeight, ratio = devicePixelRatio || 1, m = app.m;
  const back = document.createElement("canvas");
  back.width = w * ratio;
  back.height = h * ratio;
  const c = back.getContext("2d");
  c.scale(ratio, ratio);
  c.fillStyle = app.colours.panel;
  c.fillRect(0, 0, w, h);
  const x = (t) => overviewX(app, t, w);
  const busy = 16, each = Math.min(9, (h - busy - 12) / Math.max(1, m.servers.length));
  m.servers.forEach((server, i) => {
    const y = 8 + i * each;
    for (const b of server.bands) {
      if (b.role === "absent" || b.role === "unknown") continue;
      c.fillStyle = bandColours(app, b.role)[0];
      c.globalAlpha = b.serving || b.role === "LOOKING" || b.role === "down" ? 1 : 0.5;
      c.fillRect(x(b.from), y, Math.max(0.8, x(b.to) - x(b.from)), each - 1.5);
    }
  });
  c.globalAlpha = 1;
  paintBusy(app, c, w, h, busy);
  c.fillStyle = app.colours.fault;
  for (const f of m.doc.faults) {
    if (f.kind === "healed" || f.kind === "boot") continue;
    c.fillRect(x(f.from) - 0.75, 1, 1.5, 5);
  }
  app.overview = back;
}

// paintBusy draws how many messages are sent, over time.
function paintBusy(app, c, w, h, height) {
  const a = app.m.arrows, bins = new Float64Array(Math.max(1, Math.ceil(w / 2)));
  for (let i = 0; i < a.n; i++) {
    if (app.off.has(a.cls[i])) continue;
    const k = Math.floor(overviewX(app, a.t0[i], w) / 2);
    if (k >= 0 && k < bins.length) bins[k]++;
  }
  const most = Math.max(1, ...bins);
  c.fillStyle = app.colours.faint;
  for (let k = 0; k < bins.length; k++) {
    const tall = Math.sqrt(bins[k] / most) * height;
    if (tall > 0) c.fillRect(2 * k, h - 2 - tall, 1.5, tall);
  }
}

const EDGE = 14; // pixels left and right of the run

function overviewX(app, t, w) { return EDGE + t / app.m.end * (w - 2 * EDGE); }
function overviewTime(app, x, w) { return (x - EDGE) / (w - 2 * EDGE) * app.m.end; }

function drawOverview(app) {
  const strip = app.strip, w = strip.clientWidth, h = strip.clientHeight, ratio = devicePixelRatio || 1;
  if (strip.width !== Math.round(w * ratio) || strip.height !== Math.round(h * ratio) || !app.overview) {
    strip.width = Math.round(w * ratio);
    strip.height = Math.round(h * ratio);
    renderOverview(app);
  }
  const c = strip.getContext("2d");
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.drawImage(app.overview, 0, 0, w, h);
  const x0 = clamp(overviewX(app, app.t0, w), 1, w - 1), x1 = clamp(overviewX(app, app.t1, w), 1, w - 1);
  c.fillStyle = app.colours.bg;
  c.globalAlpha = 0.62;
  c.fillRect(0, 0, x0, h);
  c.fillRect(x1, 0, w - x1, h);
  c.globalAlpha = 1;
  c.strokeStyle = app.colours.ink;
  c.lineWidth = 1.5;
  const wide = Math.max(3, x1 - x0);
  roundRect(c, x0, 1, wide, h - 2, 4);
  c.stroke();
  const t = selectedMoment(app);
  if (t !== null) {
    c.fillStyle = app.colours.select;
    c.fillRect(overviewX(app, t, w) - 0.5, 0, 1, h);
  }
  if (app.m.violation) {
    const x = overviewX(app, app.m.violation.at, w);
    c.fillStyle = app.colours.red;
    c.fillRect(x - 1, 0, 2, h);
    c.beginPath();
    c.moveTo(x - 5, h);
    c.lineTo(x, h - 8);
    c.lineTo(x + 5, h);
    c.fill();
  }
}
