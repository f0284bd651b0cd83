package main

import (
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/server"
)

// take gives an entry to the rule of its key: a key that we know sets a field;
// one of ZooKeeper's that we do not have yet is refused where it would change
// what the server does and warned about where it would not; any other is a fault.
func (p *configParser) take(e configEntry) {
	if rule, ok := configRules[e.Key]; ok {
		rule(p, e)
		return
	}
	if kind, _ := memberKind(e.Key); kind != "" {
		if _, err := p.lines.Add(e.Key, e.Value); err != nil {
			p.fault(e, "%v", err)
		}
		return
	}
	if rule, ok := familyRule(e.Key); ok {
		rule(p, e)
		return
	}
	if r, ok := foreignRule(e.Key); ok {
		switch {
		case r.Harmless != "" && strings.EqualFold(e.Value, r.Harmless):
		case r.Refuse:
			hint := ""
			if near := nearestKey(e.Key); r.Typo && near != "" {
				hint = "; did you mean " + near + "?"
			}
			p.fault(e, "%s is not supported yet: %s%s", e.Key, r.Why, hint)
		default:
			p.warn(e, "%s has no effect: %s", e.Key, r.Why)
		}
		return
	}
	if near := nearestKey(e.Key); near != "" {
		p.fault(e, "unknown key %q; did you mean %s?", clip(e.Key), near)
		return
	}
	p.fault(e, "unknown key %q; it is neither ZooKeeper's nor ours", clip(e.Key))
}

// memberKind splits server.N, group.N and weight.N; any text may stand for N.
func memberKind(key string) (kind, number string) {
	kind, number, ok := strings.Cut(key, ".")
	if ok && (kind == "server" || kind == "group" || kind == "weight") {
		return kind, number
	}
	return "", ""
}

type configRule func(p *configParser, e configEntry)

// configRules are the keys that we act on. Those of one subject may stand in a
// table of their own.
var configRules = merged(commonRules, throttleRules, secureRules, authRules, adminRules)

func merged(tables ...map[string]configRule) map[string]configRule {
	all := map[string]configRule{}
	for _, t := range tables {
		maps.Copy(all, t)
	}
	return all
}

var commonRules = map[string]configRule{
	"tickTime": func(p *configParser, e configEntry) {
		p.milliseconds(e, 1, &p.cfg.TickTime)
	},
	"initLimit": func(p *configParser, e configEntry) { p.number(e, 1, 1<<20, &p.cfg.InitLimitTicks) },
	"syncLimit": func(p *configParser, e configEntry) { p.number(e, 1, 1<<20, &p.cfg.SyncLimitTicks) },
	"dataDir": func(p *configParser, e configEntry) {
		p.text(e, "a directory", &p.cfg.DataDir)
	},
	"dataLogDir": func(p *configParser, e configEntry) {
		p.text(e, "a directory", &p.cfg.DataLogDir)
	},
	"clientPort":           func(p *configParser, e configEntry) { p.number(e, 0, 65535, &p.clientPort) },
	"clientPortAddress":    func(p *configParser, e configEntry) { p.hostAlone(e, &p.clientHost) },
	"minSessionTimeout":    func(p *configParser, e configEntry) { p.sessionTimeout(e, &p.cfg.MinSessionTimeout) },
	"maxSessionTimeout":    func(p *configParser, e configEntry) { p.sessionTimeout(e, &p.cfg.MaxSessionTimeout) },
	"maxClientCnxns":       func(p *configParser, e configEntry) { p.number(e, 0, 1<<30, &p.cfg.MaxClientCnxns) },
	"quorumListenOnAllIPs": func(p *configParser, e configEntry) { p.flag(e, &p.cfg.ListenOnAllIPs) },
	"leaderServes":         func(p *configParser, e configEntry) { p.flag(e, &p.cfg.LeaderServes) },
	"skipACL":              func(p *configParser, e configEntry) { p.flag(e, &p.cfg.Service.Policy.SkipACL) },
	"standaloneEnabled":    func(p *configParser, e configEntry) { p.flag(e, &p.standaloneEnabled) },
	"snapCount":            func(p *configParser, e configEntry) { p.number(e, 2, 1<<30, &p.cfg.SnapCount) },
	"globalOutstandingLimit": func(p *configParser, e configEntry) {
		p.number(e, 1, 1<<30, &p.cfg.OutstandingMax)
	},
	"jute.maxbuffer":         takeJuteMaxBuffer,
	"enableEagerACLCheck":    func(p *configParser, e configEntry) { p.flag(e, &p.cfg.Service.EagerACLCheck) },
	"peerType":               takePeerType,
	"electionAlg":            takeElectionAlg,
	"forceSync":              takeForceSync,
	"preAllocSize":           takePreAllocSize,
	"4lw.commands.whitelist": takeFourLetterWords,
	"autopurge.snapRetainCount": func(p *configParser, e configEntry) {
		if n := 0; p.number(e, 0, 1<<20, &n) {
			if n < 3 {
				p.warn(e, "autopurge.snapRetainCount=%d is less than 3; 3 snapshots are kept", n)
			}
			p.cfg.SnapRetainCount = max(n, 3)
		}
	},
	"autopurge.purgeInterval": func(p *configParser, e configEntry) {
		if n := 0; p.number(e, 0, 1<<20, &n) && n == 0 {
			p.warn(e, "autopurge.purgeInterval=0 does not turn purging off: old logs and snapshots are always purged")
		}
	},
	"DigestAuthenticationProvider.superDigest": func(p *configParser, e configEntry) {
		user, hash, _ := strings.Cut(e.Value, ":")
		if user == "" || hash == "" {
			p.fault(e, "DigestAuthenticationProvider.superDigest: want user:digest, for example super:gG7s8t3oDEtIqF6DM9LlI/R+9Ss=")
			return
		}
		p.cfg.Service.Policy.SuperDigest = e.Value
	},
	"DigestAuthenticationProvider.enabled": func(p *configParser, e configEntry) {
		on := true
		if p.flag(e, &on) {
			p.cfg.Service.Policy.NoDigest = !on
		}
	},
	"DigestAuthenticationProvider.digestAlg": func(p *configParser, e configEntry) {
		if err := (&server.Policy{DigestAlgorithm: e.Value}).Validate(); err != nil {
			p.fault(e, "DigestAuthenticationProvider.digestAlg=%s: no such hash; want SHA1, which ZooKeeper's tools take, or SHA-256, SHA-512, SHA3-256 or another that Java has", clip(e.Value))
			return
		}
		p.cfg.Service.Policy.DigestAlgorithm = e.Value
	},
	"localSessionsEnabled": func(p *configParser, e configEntry) { p.flag(e, &p.cfg.Service.LocalSessions) },
	"localSessionsUpgradingEnabled": func(p *configParser, e configEntry) {
		p.flag(e, &p.cfg.Service.LocalSessionsUpgrading)
	},
	"readonlymode.enabled": func(p *configParser, e configEntry) { p.flag(e, &p.cfg.Service.ReadOnly) },
	"maxCnxns":             func(p *configParser, e configEntry) { p.number(e, 0, 1<<30, &p.cfg.Service.MaxCnxns) },
	"nio.sessionlessCnxnTimeout": func(p *configParser, e configEntry) {
		p.milliseconds(e, 1, &p.cfg.Service.HandshakeTimeout)
	},
	"largeRequestThreshold": func(p *configParser, e configEntry) {
		if e.Value == "-1" {
			return
		}
		if n := &p.cfg.Service.LargeRequestThreshold; p.number(e, 0, 1<<30, n) {
			*n = max(*n, 1) // every request is longer
		}
	},
	"largeRequestMaxBytes": func(p *configParser, e configEntry) {
		p.number(e, 1, 1<<30, &p.cfg.Service.LargeRequestMaxBytes)
	},
	"session.secret": func(p *configParser, e configEntry) {
		if p.passPhrase(e) {
			p.cfg.Service.Secret = []byte(e.Value)
		}
	},
	"events.zxid": func(p *configParser, e configEntry) {
		if on := true; p.flag(e, &on) {
			p.cfg.Service.OldEvents = !on
		}
	},
	"extendedTypesEnabled": func(p *configParser, e configEntry) { p.flag(e, &p.cfg.Service.ExtendedTypes) },
	"emulate353TTLNodes":   func(p *configParser, e configEntry) { p.flag(e, &p.cfg.Service.Emulate353TTLNodes) },
	"enforceQuota":         func(p *configParser, e configEntry) { p.flag(e, &p.cfg.Service.EnforceQuota) },
	"znode.container.checkIntervalMs": func(p *configParser, e configEntry) {
		p.milliseconds(e, 1, &p.cfg.Service.ContainerCheckInterval)
	},
	"znode.container.maxPerMinute": func(p *configParser, e configEntry) {
		p.number(e, 1, 1<<30, &p.cfg.Service.ContainersPerMinuteMax)
	},
	"znode.container.maxNeverUsedIntervalMs": func(p *configParser, e configEntry) {
		p.milliseconds(e, 0, &p.cfg.Service.ContainerNeverUsedMax)
	},
	"ensemble.name": func(p *configParser, e configEntry) {
		if p.text(e, "a name", &p.cfg.EnsembleName) && len(e.Value) > 255 {
			p.fault(e, "ensemble.name is %d bytes long; want at most 255", len(e.Value))
		}
	},
	"gossip.bind": takeGossipBind,
	"gossip.join": takeGossipJoin,
	"gossip.key":  takeGossipKey,
}

func takePeerType(p *configParser, e configEntry) {
	p.peerType = strings.ToLower(e.Value)
	if p.peerType != "participant" && p.peerType != "observer" {
		p.fault(e, "peerType=%s: want participant or observer", clip(e.Value))
	}
}

func takeElectionAlg(p *configParser, e configEntry) {
	if e.Value != "3" {
		p.fault(e, "electionAlg=%s: only 3, fast leader election, exists; remove the line", clip(e.Value))
	}
}

// takeForceSync refuses what would let a server acknowledge a transaction that
// is not on its disk: nothing that the protocol promises holds without it.
func takeForceSync(p *configParser, e configEntry) {
	on := true
	if p.flag(e, &on) && !on {
		p.fault(e, "forceSync=%s is refused: an acknowledged write must be on disk; remove the line", e.Value)
	}
}

// takeJuteMaxBuffer takes a value that is too high for the highest one: nobody
// needs all of it, and there is no limit on replies.
func takeJuteMaxBuffer(p *configParser, e configEntry) {
	if !p.number(e, 1024, 1<<30, &p.cfg.FrameBytesMax) {
		return
	}
	if p.cfg.FrameBytesMax > server.JuteMaxBufferMax {
		p.warn(e, "jute.maxbuffer=%s: requests of more than %d bytes are refused all the same; replies have no limit", e.Value, server.JuteMaxBufferMax)
		p.cfg.FrameBytesMax = server.JuteMaxBufferMax
	}
}

func takePreAllocSize(p *configParser, e configEntry) {
	kib := 0
	if p.number(e, 0, 1<<22, &kib) {
		p.cfg.PreAllocBytes = int64(kib) << 10
	}
}

// fourLetterWords are the commands of ZooKeeper's client port, and ours: memb and dgst.
var fourLetterWords = []string{"conf", "cons", "crst", "dirs", "dump", "envi", "gtmk", "hash", "isro",
	"memb", "dgst", "mntr", "ruok", "srst", "srvr", "stat", "stmk", "wchc", "wchp", "wchs"}

func takeFourLetterWords(p *configParser, e configEntry) {
	words := []string{}
	for word := range strings.SplitSeq(e.Value, ",") {
		word = strings.TrimSpace(word)
		switch {
		case word == "":
		case word == "*" || slices.Contains(fourLetterWords, word):
			words = append(words, word)
		default:
			p.fault(e, "4lw.commands.whitelist: unknown command %q; want * or some of %s", clip(word), strings.Join(fourLetterWords, ", "))
		}
	}
	if slices.Contains(words, "*") {
		words = []string{"*"}
	}
	p.cfg.FourLetterWords = words
}

func takeGossipBind(p *configParser, e configEntry) {
	if addr, ok := p.hostPort(e, e.Value, 0); ok {
		p.cfg.Gossip.Bind = addr
	}
}

func takeGossipJoin(p *configParser, e configEntry) {
	for part := range strings.SplitSeq(e.Value, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if addr, ok := p.hostPort(e, part, 1); ok {
			p.cfg.Gossip.Join = append(p.cfg.Gossip.Join, addr)
		}
	}
	if strings.Trim(e.Value, ", \t") == "" {
		p.fault(e, "gossip.join is empty: want host:port of one server or more, separated by commas")
	}
}

// passPhraseBytesMin keeps pass phrases from being guessed at once.
const passPhraseBytesMin = 12

// passPhrase never repeats the phrase: faults end up in logs.
func (p *configParser) passPhrase(e configEntry) bool {
	if len(e.Value) < passPhraseBytesMin {
		p.fault(e, "%s: want a pass phrase of %d characters or more (make one with: head -c 32 /dev/urandom | base64)", e.Key, passPhraseBytesMin)
		return false
	}
	return true
}

func takeGossipKey(p *configParser, e configEntry) {
	if p.passPhrase(e) {
		p.cfg.Gossip.Key = e.Value
	}
}

// hostPort checks host:port, or a bare port, which stands for all addresses
// where it is one to listen on (portMin 0).
func (p *configParser) hostPort(e configEntry, value string, portMin int) (string, bool) {
	host, port, err := net.SplitHostPort(value)
	if err != nil && portMin == 0 && !strings.Contains(value, ":") {
		host, port, err = "0.0.0.0", value, nil
	}
	if n, convErr := strconv.Atoi(port); err != nil || convErr != nil || n < portMin || n > 65535 || host == "" && portMin > 0 {
		p.fault(e, "%s: %q is not host:port (IPv6 literals in brackets)", e.Key, clip(value))
		return "", false
	}
	return net.JoinHostPort(host, port), true
}

// number stores a decimal number between least and most into n.
func (p *configParser) number(e configEntry, least, most int, n *int) bool {
	v, err := strconv.Atoi(e.Value)
	if err != nil || v < least || v > most {
		p.fault(e, "%s=%s: want a number from %d to %d", e.Key, clip(e.Value), least, most)
		return false
	}
	*n = v
	return true
}

func (p *configParser) milliseconds(e configEntry, least int, d *time.Duration) bool {
	ms := 0
	if !p.number(e, least, 1<<30, &ms) {
		return false
	}
	*d = time.Duration(ms) * time.Millisecond
	return true
}

// sessionTimeout is milliseconds, or -1 for the default as in ZooKeeper's own files.
func (p *configParser) sessionTimeout(e configEntry, d *time.Duration) {
	if e.Value != "-1" {
		p.milliseconds(e, 1, d)
	}
}

func (p *configParser) text(e configEntry, what string, s *string) bool {
	if e.Value == "" {
		p.fault(e, "%s is empty: want %s", e.Key, what)
		return false
	}
	*s = e.Value
	return true
}

func (p *configParser) flag(e configEntry, b *bool) bool {
	switch strings.ToLower(e.Value) {
	case "true", "yes":
		*b = true
	case "false", "no":
		*b = false
	default:
		p.fault(e, "%s=%s: want true or false (yes and no mean the same)", e.Key, clip(e.Value))
		return false
	}
	return true
}

// nearestKey returns the known key that a typing error most likely meant, or "".
// A number at the end is kept: sever.1 is nearest to server.1.
func nearestKey(key string) string {
	stem, number := key, ""
	if i := strings.LastIndexByte(key, '.'); i >= 0 {
		if _, err := strconv.ParseUint(key[i+1:], 10, 63); err == nil {
			stem, number = key[:i], key[i:]
		}
	}
	candidates := slices.Sorted(maps.Keys(configRules))
	if number != "" {
		candidates = []string{"group", "server", "weight"}
	}
	for key := range foreignKeys {
		candidates = append(candidates, key)
	}
	slices.Sort(candidates)
	best, bestCost := "", max(2, len(stem)/4)+1
	for _, c := range candidates {
		if strings.HasSuffix(c, ".") || number != "" && strings.Contains(c, ".") {
			continue
		}
		if cost := editDistance(strings.ToLower(stem), strings.ToLower(c), bestCost); cost < bestCost {
			best, bestCost = c, cost
		}
	}
	if best == "" || len(stem) <= bestCost {
		return ""
	}
	return best + number
}

// editDistance counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b, or returns limit if they are more.
func editDistance(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, now := rows[(i+1)%3], rows[(i+2)%3], rows[i%3]
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
	}
	return min(rows[len(a)%3][len(b)], limit)
}
