// Time and pixels. All moments and spans are in ns.

const US = 1e3, MS = 1e6, S = 1e9;
const SPAN_MIN = 2 * US;

// clampWindow keeps a window inside the run, with a margin so that its ends can
// be seen, and not smaller than SPAN_MIN.
function clampWindow(t0, t1, end) {
  const margin = Math.max(end * 0.015, 1);
  const most = end + 2 * margin;
  let span = Math.min(Math.max(t1 - t0, SPAN_MIN), most);
  let from = (t0 + t1 - span) / 2;
  from = Math.min(Math.max(from, -margin), end + margin - span);
  return [from, from + span];
}

// wholeRun is the largest window.
function wholeRun(m) { return clampWindow(-m.end, 2 * m.end, m.end); }

// zoomWindow makes a window smaller or larger around a moment that stays where it
// is.
function zoomWindow(t0, t1, around, factor, end) {
  const most = end * 1.03 + 2;
  const span = Math.min(Math.max((t1 - t0) * factor, SPAN_MIN), most);
  const share = (around - t0) / (t1 - t0);
  return clampWindow(around - share * span, around + (1 - share) * span, end);
}

// tickStep is the distance of ruler marks: 1, 2 or 5 of some power of ten, at
// least so many pixels apart.
function tickStep(span, width, apart) {
  const least = span * apart / Math.max(width, 1);
  const power = Math.pow(10, Math.floor(Math.log10(least)));
  for (const f of [1, 2, 5, 10]) if (f * power >= least) return Math.max(f * power, 1);
  return Math.max(10 * power, 1);
}

// momentText prints a moment in seconds, as exactly as a step needs.
function momentText(t, step) {
  const digits = Math.min(9, Math.max(0, Math.ceil(-Math.log10(Math.max(step, 1) / S) - 1e-9)));
  const text = (t / S).toFixed(digits);
  if (digits <= 3) return text + " s";
  // Groups of three digits can be read.
  const [whole, part] = text.split(".");
  return whole + "." + part.replace(/(\d{3})(?=\d)/g, "$1\u2009") + " s";
}

// exactText prints a moment to the nanosecond, without zeros that say nothing.
function exactText(t) {
  const ns = Math.round(t);
  const whole = Math.floor(ns / S);
  let part = String(ns - whole * S).padStart(9, "0").replace(/0{1,6}$/, "");
  return whole + "." + part.replace(/(\d{3})(?=\d)/g, "$1\u2009") + " s";
}

// spanText prints how long something takes.
function spanText(d) {
  if (d < 0) return "\u2212" + spanText(-d);
  if (d >= 10 * S) return (d / S).toFixed(1) + " s";
  if (d >= 0.1 * S) return (d / S).toFixed(3) + " s";
  if (d >= MS) return trimmed(d / MS, 2) + " ms";
  if (d >= US) return trimmed(d / US, 1) + " µs";
  return Math.round(d) + " ns";
}

function trimmed(x, digits) { return String(Number(x.toFixed(digits))); }

function clamp(x, low, high) { return Math.max(low, Math.min(high, x)); }
