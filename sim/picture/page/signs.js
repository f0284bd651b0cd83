// The signs of faults: small drawings in a square of 12 around 0,0.

const SIGNS = {
  crash(c) { c.beginPath(); crossPath(c, 0, 0, 3.6); c.stroke(); },
  boot(c) {
    c.beginPath();
    c.arc(0, 0, 3.6, -0.9, 4.1);
    c.stroke();
    c.beginPath();
    c.moveTo(-0.2, -5.6);
    c.lineTo(3.4, -3.2);
    c.lineTo(-0.2, -0.8);
    c.fill();
  },
  wipe(c) {
    c.strokeRect(-3.6, -3.6, 7.2, 7.2);
    line(c, -3.6, 3.6, 3.6, -3.6);
  },
  disk(c) {
    c.beginPath();
    c.ellipse(0, -2.6, 4, 1.6, 0, 0, 7);
    c.stroke();
    line(c, -4, -2.6, -4, 2.8);
    line(c, 4, -2.6, 4, 2.8);
    c.beginPath();
    c.ellipse(0, 2.8, 4, 1.6, 0, 0, Math.PI);
    c.stroke();
  },
  halt(c) { c.fillRect(-3.4, -3.4, 6.8, 6.8); },
  cut(c) {
    line(c, -5, 0, -1.6, 0);
    line(c, 1.6, 0, 5, 0);
    line(c, -2.2, 3.4, 0.2, -3.4);
    line(c, -0.2, 3.4, 2.2, -3.4);
  },
  pause(c) { c.fillRect(-3.4, -3.6, 2.4, 7.2); c.fillRect(1, -3.6, 2.4, 7.2); },
  clock(c) {
    c.beginPath();
    c.arc(0, 0, 4.2, 0, 7);
    c.stroke();
    line(c, 0, 0, 0, -2.8);
    line(c, 0, 0, 2.2, 0.8);
  },
  healed(c) {
    c.beginPath();
    c.moveTo(-4, 0.2);
    c.lineTo(-1.2, 3.2);
    c.lineTo(4.2, -3.2);
    c.stroke();
  },
  fault(c) {
    c.beginPath();
    c.moveTo(1.4, -5);
    c.lineTo(-3.2, 1);
    c.lineTo(-0.4, 1);
    c.lineTo(-1.4, 5);
    c.lineTo(3.2, -1.2);
    c.lineTo(0.4, -1.2);
    c.closePath();
    c.fill();
  },
};

// drawSign paints a sign on a disc, so that it can be seen on anything.
function drawSign(app, kind, x, y, strong) {
  const c = app.ctx, colour = kind === "healed" || kind === "boot" ? app.colours.LEADING : app.colours.fault;
  c.save();
  c.translate(x, y);
  c.fillStyle = strong ? colour : app.colours.panel;
  c.strokeStyle = colour;
  c.lineWidth = 1.2;
  c.beginPath();
  c.arc(0, 0, 7.5, 0, 7);
  c.fill();
  c.stroke();
  c.strokeStyle = c.fillStyle = strong ? app.colours.panel : colour;
  c.lineWidth = 1.5;
  c.lineCap = "round";
  c.scale(0.86, 0.86);
  (SIGNS[kind] || SIGNS.fault)(c);
  c.restore();
}
