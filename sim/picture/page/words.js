// What things are called. A description is a title, and rows of a name and a
// value; it speaks to somebody who knows ZooKeeper's words but not this run.

const zxidText = (m, place) => shortZxid(m, place) === "none" ? "none" : zxidAt(m, place);

// shortZxid writes 0x500000003 as 5:3, epoch and counter, where there is little
// room.
function shortZxid(m, place) {
  if (place <= 0) return "0";
  const hex = m.doc.zxids[place - 1].slice(2);
  if (hex.length > 15) return "none";
  return (parseInt(hex.slice(0, -8) || "0", 16)) + ":" + parseInt(hex.slice(-8), 16);
}

const serverText = (m, i) => i < 0 ? "nobody" : "server " + m.servers[i].name;
const clientText = (m, i) => "client " + m.clients[i].name;
const capital = (s) => s.charAt(0).toUpperCase() + s.slice(1);

// eventTitle is a sentence without its subject, which is the lane.
const TITLES = {
  "boot": (m, i, f) => m.life[i] > 1 ? "starts again" : "starts",
  "crash": (m, i, f) => ({ power: "loses power", stop: "is stopped", kill: "is killed" })[f.mode] || "crashes",
  "wipe": () => "has its disk wiped", "rollback": () => "has its disk rolled back", "damage": () => "has bytes on its disk changed",
  "role": (m, i, f) => ({ LOOKING: "looks for a leader", LEADING: "is to lead", FOLLOWING: "turns to " + serverText(m, m.peer[i]),
    OBSERVING: "turns to " + serverText(m, m.peer[i]) })[f.state] || "changes its role",
  "fle.send": (m, i) => "votes, to " + serverText(m, m.peer[i]), "fle.recv": (m, i) => "hears a vote of " + serverText(m, m.peer[i]),
  "fle.decide": (m, i, f) => "has elected " + (f.vote ? serverText(m, f.vote.leader - 1) : "a leader"),
  "epoch.propose": (m, i, f) => "settles epoch " + f.epoch, "epoch.ack": (m, i, f) => "promises epoch " + f.epoch,
  "epochs": (m, i, f) => "has its epochs on disk: " + (f.accepted || 0) + "/" + (f.current || 0),
  "sync.plan": (m, i, f) => "plans " + (f.mode || "the synchronization") + " for " + serverText(m, m.peer[i]),
  "log.append": (m, i, f) => "writes " + (f.log ? shortZxid(m, f.log.last) : ""), "log.durable": (m, i) => "has " + shortZxid(m, m.zxid[i]) + " on disk",
  "log.trunc": (m, i) => "cuts its log behind " + shortZxid(m, m.zxid[i]), "snap.install": (m, i) => "installs a snapshot at " + shortZxid(m, m.zxid[i]),
  "snap.save": (m, i) => "has saved a snapshot at " + shortZxid(m, m.zxid[i]),
  "newleader.ack": (m, i, f) => "accepts the leader of epoch " + f.epoch,
  "established": (m, i, f) => f.state === "LEADING" ? "leads epoch " + f.epoch : "serves in epoch " + f.epoch,
  "propose": (m, i, f) => "proposes " + (f.log ? shortZxid(m, f.log.last) : ""), "ack.send": (m, i) => "acknowledges " + shortZxid(m, m.zxid[i]),
  "ack": (m, i) => "counts " + serverText(m, m.peer[i]) + " for " + shortZxid(m, m.zxid[i]),
  "commit": (m, i) => "commits " + shortZxid(m, m.zxid[i]), "deliver": (m, i) => "applies " + shortZxid(m, m.zxid[i]),
  "halt": () => "stops for good", "disk.err": () => "has a disk error",
  "sess": (m, i, f) => "session " + (f.session || "") + ": " + (f.mode || ""),
  "msg.send": () => "sends", "msg.recv": () => "receives",
  "link.up": (m, i) => "has a link to " + serverText(m, m.peer[i]), "link.down": (m, i) => "loses the link to " + serverText(m, m.peer[i]),
  "fault": (m, i, f) => f.text || "a fault", "healed": () => "all faults are over",
};

function eventTitle(m, i) {
  const title = TITLES[kindOf(m, i)];
  return title ? title(m, i, factOf(m, i)) : kindOf(m, i);
}

function voteText(m, vote) {
  return serverText(m, vote.leader - 1) + ", epoch " + vote.epoch + ", " + zxidText(m, vote.zxid);
}

function describeEvent(m, i) {
  const f = factOf(m, i), rows = [["at", exactText(m.t[i])]];
  const add = (name, value) => { if (value !== undefined && value !== "" && value !== null) rows.push([name, value]); };
  if (m.peer[i] >= 0) add("peer", serverText(m, m.peer[i]));
  if (m.zxid[i] > 0) add("zxid", zxidText(m, m.zxid[i]));
  if (f.to) add("to", zxidText(m, f.to));
  if (f.log) {
    add("log", f.log.n === 1 ? zxidText(m, f.log.last)
      : zxidText(m, f.log.first) + " \u2013 " + zxidText(m, f.log.last) + ", " + f.log.n + " transactions");
  }
  add("epoch", f.epoch);
  if (f.accepted || f.current) add("epochs", "accepted " + (f.accepted || 0) + ", current " + (f.current || 0));
  add("state", f.state);
  if (f.vote) add("vote", voteText(m, f.vote));
  add("round", f.round);
  if (f.voters) add("quorum", f.voters.map((v) => v > 0 ? m.servers[v - 1].name : "?").join(", "));
  if (f.unsure) add("unsure", "yes");
  if (f.snap) add("snapshot", zxidText(m, f.snap));
  add("mode", f.mode);
  add("text", f.text);
  add("session", f.session);
  if (f.timeout) add("timeout", spanText(f.timeout));
  add("chain", f.chain || (f.log && f.log.chain));
  add("digest", f.digest);
  add("shadow", f.digest2);
  add("event", kindOf(m, i) + (m.seq[i] ? ", seq " + m.seq[i] : "") + (m.life[i] ? ", life " + m.life[i] : ""));
  const who = m.node[i] >= 0 ? capital(serverText(m, m.node[i])) + " " : "";
  const title = eventTitle(m, i);
  return { title: who + (who ? title : capital(title)), rows };
}

const FATES = ["arrived", "lost", "under way when the run ended", "its sending is not in the trace", "nobody knows"];

function describeMessage(m, i) {
  const x = m.doc.messages, rows = [];
  const from = serverText(m, x.from[i] - 1), to = serverText(m, x.to[i] - 1);
  const sent = x.sent[i] ? m.t[x.sent[i] - 1] : null, got = x.got[i] ? m.t[x.got[i] - 1] : null;
  rows.push(["kind", m.classes[x.class[i]].title.toLowerCase()], ["from", from], ["to", to]);
  if (sent !== null) rows.push(["sent", exactText(sent)]);
  if (got !== null) rows.push(["received", exactText(got)]);
  rows.push(sent !== null && got !== null ? ["took", spanText(got - sent)] : ["fate", FATES[x.fate[i]]]);
  const seqs = [x.sent[i], x.got[i]].filter((e) => e > 0 && m.seq[e - 1] > 0).map((e) => m.seq[e - 1]);
  if (seqs.length > 0) rows.push(["events", "seq " + seqs.join(", ")]);
  return { title: capital(textAt(m, x.text[i])), rows };
}

function describeOp(m, i) {
  const o = m.doc.ops, end = o.back[i] || null;
  const rows = [["client", clientText(m, o.client[i] - 1)], ["server", serverText(m, o.server[i] - 1) + ", connection " + o.conn[i]],
    ["sent", exactText(o.sent[i])]];
  if (end !== null) rows.push(["answered", exactText(end)], ["took", spanText(end - o.sent[i])]);
  rows.push(["outcome", textAt(m, o.reply[i])]);
  if (o.zxid[i]) rows.push([o.write[i] ? "zxid" : "read at", zxidText(m, o.zxid[i])]);
  if (o.outcome[i] === 2) {
    rows.push(["so", o.zxid[i] ? "it was committed, and the client does not know" : "nobody knows whether it was done"]);
  }
  if (o.reach[i] < 0) rows.push(["arrows", "the servers' side is not in the trace: a guess"]);
  return { title: textAt(m, o.text[i]), rows };
}

function describeNotice(m, i) {
  const n = m.doc.notices, rows = [["client", clientText(m, n.client[i] - 1)], ["server", serverText(m, n.server[i] - 1)],
    ["received", exactText(n.at[i])]];
  if (n.zxid[i]) rows.push(["zxid", zxidText(m, n.zxid[i])]);
  return { title: "Watch event " + textAt(m, n.text[i]), rows };
}

const ROLE_WORDS = { down: "is down", halted: "has stopped for good", absent: "has not started", unknown: "is not in the trace yet" };

// bandLabel is the text on a band, in the lengths that may fit.
function bandLabel(m, b) {
  const epoch = b.epoch ? "epoch " + b.epoch : "";
  switch (b.role) {
    case "LEADING":
      return b.serving ? ["LEADING \u00b7 " + epoch, "LEADING", epoch.replace("epoch ", "e")]
        : ["LEADING \u00b7 settling " + (epoch || "its epoch"), "LEADING \u2026", "\u2026"];
    case "FOLLOWING": case "OBSERVING": {
      const whom = b.leader ? " " + m.servers[b.leader - 1].name : "";
      return b.serving ? [b.role + whom + " \u00b7 " + epoch, b.role + whom, epoch.replace("epoch ", "e")]
        : [b.role + whom + " \u00b7 joining", b.role + " \u2026", "\u2026"];
    }
    case "LOOKING": return ["LOOKING"];
    case "down": return ["down" + ({ power: ": power lost", kill: ": killed", stop: ": stopped" }[b.why] || ""), "down"];
    case "halted": return ["stopped for good", "halted"];
  }
  return [];
}
