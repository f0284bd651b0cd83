// The address: what is shown stands behind its #, so that it can be sent to
// somebody. t: the moment in the middle, w: how much time is seen, both in
// seconds; sel: what is selected; off: classes of messages that are hidden;
// find: what is sought; theme: light or dark, if not the system's.

// parseLink reads an address. What it does not understand it leaves out.
function parseLink(hash) {
  const link = { t: null, w: null, sel: "", off: null, find: "", theme: "" };
  for (const part of hash.replace(/^#/, "").split("&")) {
    const at = part.indexOf("=");
    if (at < 0) continue;
    const key = part.slice(0, at);
    let value = part.slice(at + 1);
    try { value = decodeURIComponent(value); } catch { /* as it stands */ }
    if (key === "t" || key === "w") {
      const x = Number(value);
      if (value !== "" && Number.isFinite(x) && (key === "t" || x > 0)) link[key] = x * S;
    } else if (key === "off") {
      link.off = value === "" ? [] : value.split(",");
    } else if (key === "sel" || key === "find") {
      link[key] = value;
    } else if (key === "theme" && (value === "light" || value === "dark")) {
      link.theme = value;
    }
  }
  return link;
}

function formatLink(link) {
  const seconds = (ns) => String(Number((ns / S).toFixed(9)));
  const parts = ["t=" + seconds(link.t), "w=" + seconds(link.w)];
  if (link.sel) parts.push("sel=" + encodeURIComponent(link.sel));
  if (link.off) parts.push("off=" + link.off.map(encodeURIComponent).join(","));
  if (link.find) parts.push("find=" + encodeURIComponent(link.find));
  if (link.theme) parts.push("theme=" + link.theme);
  return "#" + parts.join("&");
}

// A selection is written e and the place of an event (a message is the event that
// sends it), o or n and the place of an operation or watch event, or s, the name
// of a server, @ and seconds.
function formatSelection(m, sel) {
  if (!sel) return "";
  switch (sel.type) {
    case "event": return "e" + (sel.i + 1);
    case "op": return "o" + (sel.i + 1);
    case "notice": return "n" + (sel.i + 1);
    case "server": return "s" + m.servers[sel.i].name + "@" + Number((sel.t / S).toFixed(9));
  }
  const message = m.doc.messages;
  return "e" + (message.sent[sel.i] || message.got[sel.i]);
}

// parseSelection returns null for what is not in this run.
function parseSelection(m, text) {
  let match = /^([eon])(\d+)$/.exec(text);
  if (match) {
    const n = Number(match[2]);
    if (match[1] === "e") {
      const i = n - 1;
      if (i < 0 || i >= m.n) return null;
      return m.message[i] >= 0 ? { type: "message", i: m.message[i] } : { type: "event", i };
    }
    const size = match[1] === "o" ? m.doc.ops.sent.length : m.doc.notices.at.length;
    if (n < 1 || n > size) return null;
    return { type: match[1] === "o" ? "op" : "notice", i: n - 1 };
  }
  match = /^s(-?\d+)@([\d.]+)$/.exec(text);
  if (match) {
    const i = m.servers.findIndex((s) => s.name === match[1]);
    if (i >= 0 && Number.isFinite(Number(match[2]))) return { type: "server", i, t: Number(match[2]) * S };
  }
  return null;
}
