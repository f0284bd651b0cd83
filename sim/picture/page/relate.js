// What belongs together: the way of one transaction through the ensemble, or the
// causes of the violation.

// subjectOf is the zxid that a selection is about, 0 if there is none.
function subjectOf(m, sel) {
  if (!sel) return 0;
  switch (sel.type) {
    case "event": {
      const f = factOf(m, sel.i);
      if (["propose", "log.append"].includes(kindOf(m, sel.i)) && f.log) return f.log.last;
      return ["log.durable", "ack.send", "ack", "commit", "deliver"].includes(kindOf(m, sel.i)) ? m.zxid[sel.i] : 0;
    }
    case "message": {
      const x = m.doc.messages, name = m.classes[x.class[sel.i]].name;
      return ["proposal", "ack", "commit"].includes(name) ? x.high[sel.i] : 0;
    }
    case "op": return m.doc.ops.write[sel.i] ? m.doc.ops.zxid[sel.i] : 0;
    case "notice": return m.doc.notices.zxid[sel.i];
  }
  return 0;
}

// wayOf collects all that one transaction does: the request, its proposals, the
// disks, the acknowledgements and commits that are the first to cover it, the
// answers and watch events. Returned are sets of places.
function wayOf(m, zxid) {
  const way = { zxid, arrows: new Set(), events: new Set(), ops: new Set(), from: Infinity, to: -Infinity };
  if (zxid <= 0) return way;
  const epoch = m.zxidEpoch[zxid - 1];
  const covers = (low, high) => high >= zxid && low > 0 && m.zxidEpoch[high - 1] === epoch;
  const first = new Set();
  const once = (key) => !first.has(key) && first.add(key);
  wayOfEvents(m, zxid, way, covers, once);
  wayOfMessages(m, zxid, way, covers, once);
  const ops = m.doc.ops, notices = m.doc.notices;
  for (let i = 0; i < ops.zxid.length; i++) {
    if (ops.zxid[i] !== zxid || !ops.write[i]) continue;
    way.ops.add(i);
    for (const a of m.arrowsOfOp[i]) addArrow(m, way, a);
  }
  for (let i = 0; i < notices.zxid.length; i++) {
    if (notices.zxid[i] === zxid && m.arrowOfNotice[i] >= 0) addArrow(m, way, m.arrowOfNotice[i]);
  }
  return way;
}

function addArrow(m, way, a) {
  way.arrows.add(a);
  way.from = Math.min(way.from, m.arrows.t0[a]);
  way.to = Math.max(way.to, m.arrows.t1[a]);
}

function wayOfEvents(m, zxid, way, covers, once) {
  for (let i = 0; i < m.n; i++) {
    const kind = kindOf(m, i);
    let belongs = false;
    switch (kind) {
      case "propose": case "log.append": {
        const log = factOf(m, i).log;
        belongs = log && log.first <= zxid && zxid <= log.last;
        break;
      }
      case "log.durable": case "ack.send": case "commit":
        belongs = covers(m.zxid[i], m.zxid[i]) && once(kind + m.node[i] + "/" + m.life[i]);
        break;
      case "ack":
        belongs = covers(m.zxid[i], m.zxid[i]) && once(kind + m.node[i] + "<" + m.peer[i] + "/" + m.life[i]);
        break;
      case "deliver": belongs = m.zxid[i] === zxid;
    }
    if (!belongs) continue;
    way.events.add(i);
    way.from = Math.min(way.from, m.t[i]);
    way.to = Math.max(way.to, m.t[i]);
  }
}

function wayOfMessages(m, zxid, way, covers, once) {
  const x = m.doc.messages;
  const name = (i) => m.classes[x.class[i]].name;
  for (let i = 0; i < x.from.length; i++) {
    if (x.high[i] < zxid) continue;
    const kind = name(i);
    const belongs = kind === "proposal" ? x.low[i] <= zxid
      : (kind === "ack" || kind === "commit") && covers(x.low[i], x.high[i]) && once(kind + x.from[i] + ">" + x.to[i]);
    if (belongs) addArrow(m, way, m.arrowOfMessage[i]);
  }
}

// causesOf are the sets of what led to the violation.
function causesOf(m) {
  const v = m.violation;
  if (!v) return null;
  const arrows = new Set(v.messages.map((x) => m.arrowOfMessage[x - 1]));
  for (const o of v.ops) for (const a of m.arrowsOfOp[o - 1]) arrows.add(a);
  if (v.notice) arrows.add(m.arrowOfNotice[v.notice - 1]);
  return { arrows, events: new Set(v.events.map((e) => e - 1)), ops: new Set(v.ops.map((o) => o - 1)) };
}

// search finds events, messages and operations whose words contain a text;
// ascending in time, and no more than so many.
function search(m, text, most) {
  const found = [], needle = text.trim().toLowerCase();
  if (needle === "") return found;
  const texts = m.doc.texts.map((t) => t.toLowerCase().includes(needle));
  const zxids = m.doc.zxids.map((z, i) => z === needle || shortZxid(m, i + 1) === needle);
  const facts = m.doc.facts.map((f) => JSON.stringify([f.text, f.mode, f.session, f.state, f.chain, f.digest]).toLowerCase().includes(needle));
  const kinds = m.kinds.map((k) => k.includes(needle));
  for (let i = 0; i < m.n && found.length < most; i++) {
    const message = m.message[i];
    if (message >= 0 && m.doc.messages.got[message] === i + 1 && m.doc.messages.sent[message]) continue;
    const f = m.fact[i];
    const hit = kinds[m.kind[i]] || m.zxid[i] > 0 && zxids[m.zxid[i] - 1] || f >= 0 && facts[f]
      || f >= 0 && m.doc.facts[f].log && zxids[m.doc.facts[f].log.last - 1]
      || message >= 0 && texts[m.doc.messages.text[message] - 1];
    if (hit) found.push({ t: m.t[i], sel: message >= 0 ? { type: "message", i: message } : { type: "event", i } });
  }
  const ops = m.doc.ops;
  for (let i = 0; i < ops.sent.length && found.length < 2 * most; i++) {
    const hit = texts[ops.text[i] - 1] || texts[ops.reply[i] - 1] || ops.zxid[i] > 0 && zxids[ops.zxid[i] - 1];
    if (hit) found.push({ t: ops.sent[i], sel: { type: "op", i } });
  }
  return found.sort((a, b) => a.t - b.t).slice(0, most);
}
