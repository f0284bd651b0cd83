package main

import (
	"strconv"
	"time"

	"github.com/quorate/quorate/server"
)

// throttleRules fill a server.ConnectionThrottle. What zero means there, the
// default, zoo.cfg may not say.
var throttleRules = map[string]configRule{
	"connection_throttle_tokens": func(p *configParser, e configEntry) { p.number(e, 0, 1<<30, &p.throttle().Tokens) },
	"connection_throttle_fill_time": func(p *configParser, e configEntry) {
		p.milliseconds(e, 1, &p.throttle().FillTime)
	},
	"connection_throttle_fill_count": func(p *configParser, e configEntry) { p.number(e, 1, 1<<30, &p.throttle().FillCount) },
	"connection_throttle_freeze_time": func(p *configParser, e configEntry) {
		if e.Value == "-1" {
			return
		}
		if t := p.throttle(); p.milliseconds(e, 0, &t.FreezeTime) && t.FreezeTime == 0 {
			t.FreezeTime = time.Nanosecond // at each request
		}
	},
	"connection_throttle_drop_increase":  func(p *configParser, e configEntry) { p.share(e, leastStep, &p.throttle().DropIncrease) },
	"connection_throttle_drop_decrease":  func(p *configParser, e configEntry) { p.share(e, leastStep, &p.throttle().DropDecrease) },
	"connection_throttle_decrease_ratio": func(p *configParser, e configEntry) { p.share(e, 0, &p.throttle().DecreaseRatio) },
	"connection_throttle_weight_enabled": func(p *configParser, e configEntry) { p.flag(e, &p.throttle().Weighted) },
	"connection_throttle_global_session_weight": func(p *configParser, e configEntry) {
		p.number(e, 1, 1<<20, &p.throttle().GlobalWeight)
	},
	"connection_throttle_renew_session_weight": func(p *configParser, e configEntry) {
		p.number(e, 1, 1<<20, &p.throttle().RenewWeight)
	},
	"connection_throttle_local_session_weight": func(p *configParser, e configEntry) {
		p.number(e, 1, 1<<20, &p.throttle().LocalWeight)
	},
}

const leastStep = 1e-9

func (p *configParser) throttle() *server.ConnectionThrottle {
	return &p.cfg.Service.ConnectionThrottle
}

// share is a number up to 1.
func (p *configParser) share(e configEntry, least float64, share *float64) {
	v, err := strconv.ParseFloat(e.Value, 64)
	if err != nil || !(v >= least && v <= 1) {
		p.fault(e, "%s=%s: want a number from %v to 1", e.Key, clip(e.Value), least)
		return
	}
	*share = v
}
