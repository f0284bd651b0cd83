package admin

import (
	"fmt"
	"net/http"
	"regexp"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/quorate/quorate/server/metric"
)

// metrics answers Prometheus.
func (a *Admin) metrics() http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(collector{a})
	if a.cfg.ProcessMetrics {
		r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	}
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: metricsAtATime, Timeout: answerTimeout / 2})
}

// metricsAtATime is how many may read the metrics at the same time.
const metricsAtATime = 4

// collector shows the server's table of metrics under ZooKeeper's names, with its
// types and labels: spec client-protocol 7.6.
type collector struct{ a *Admin }

// Describe implements prometheus.Collector. What there is depends on the role and
// on what clients do, so it promises nothing.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	s := c.a.s
	for _, r := range s.Metrics().Gather(s.Now()) {
		m, err := translate(r)
		if err != nil {
			c.a.log.Debug("a metric is not shown", "name", r.Name, "err", err)
			continue
		}
		out <- m
	}
}

// nameFits is what Prometheus's first format wants of names.
var nameFits = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)

func translate(r metric.Reading) (prometheus.Metric, error) {
	if !nameFits.MatchString(r.Name) {
		return nil, fmt.Errorf("%q is no name", r.Name)
	}
	var labels, values []string
	if r.Key != "" {
		labels, values = []string{"key"}, []string{r.Key}
	}
	help := r.Help
	if help == "" {
		help = r.Name
	}
	desc := prometheus.NewDesc(r.Name, help, labels, nil)
	switch r.Kind {
	case metric.Basic, metric.Advanced:
		v := r.Summary
		quantiles := map[float64]float64{.5: v.Recent(.5)}
		if r.Kind == metric.Advanced {
			quantiles[.9], quantiles[.95], quantiles[.99] = v.Recent(.9), v.Recent(.95), v.Recent(.99)
		}
		return prometheus.NewConstSummary(desc, uint64(v.Count), v.Sum, quantiles, values...)
	case metric.Count:
		return prometheus.NewConstMetric(desc, prometheus.CounterValue, number(r.Value), values...)
	}
	return prometheus.NewConstMetric(desc, prometheus.GaugeValue, number(r.Value), values...)
}

func number(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	return 0
}
