package server

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
)

// limited makes a server on which /q has a quota, and returns what it logs.
func limited(t *testing.T, limits string) (*handWire, *strings.Builder) {
	log := &strings.Builder{}
	h := newHand(Config{EnforceQuota: true})
	h.s.complaints.log = slog.New(slog.NewTextHandler(log, nil))
	w := h.join(t)
	w.do(proto.OpCreate, createOf("/zookeeper/quota/q", "", 0))
	w.do(proto.OpCreate, createOf("/zookeeper/quota/q/zookeeper_limits", limits, 0))
	w.do(proto.OpCreate, createOf("/zookeeper/quota/q/zookeeper_stats", "", 0))
	w.do(proto.OpCreate, createOf("/q", "", 0))
	for range 4 {
		require.Equal(t, proto.OK, w.reply(t, nil).Err)
	}
	return w, log
}

func TestQuota_RefusalsAreLoggedSeldom(t *testing.T) {
	w, log := limited(t, "countHardLimit=1")
	for range 30 {
		w.do(proto.OpCreate, createOf("/q/x", "", 0))
		require.Equal(t, proto.ErrQuotaExceeded, w.reply(t, nil).Err)
	}
	assert.Equal(t, complaintsMax, strings.Count(log.String(), `msg="refused a request that goes beyond a quota" quota=/q of=count amount=2 limit=1`))
	assert.EqualValues(t, 30, w.h.s.metrics.QuotaExceeded.Get("q").Value())
}

// Each part of a multi may be beyond a soft limit.
func TestQuota_WhatAMultiExceedsIsBounded(t *testing.T) {
	w, log := limited(t, "count=1")
	m := &proto.MultiRequest{}
	for i := range 1000 {
		m.Ops = append(m.Ops, proto.MultiOp{Op: proto.OpCreate, Request: createOf(fmt.Sprintf("/q/%d", i), "", 0)})
	}
	w.do(proto.OpMulti, m)
	require.Equal(t, proto.OK, w.reply(t, nil).Err)
	assert.Equal(t, complaintsMax, strings.Count(log.String(), `msg="a request goes beyond a quota" quota=/q of=count`))
	assert.LessOrEqual(t, cap(w.h.s.excesses), 2*complaintsMax)
}
