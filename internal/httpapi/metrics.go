package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/backendbook/backendbook/internal/health"
)

// Metrics are the numbers of the process. Every label has few values: routes, methods, statuses, codes and commands are
// the code's own words, never a client's.
type Metrics struct {
	registry     *prometheus.Registry
	httpCount    *prometheus.CounterVec
	httpSeconds  *prometheus.HistogramVec
	graphSeconds *prometheus.HistogramVec
	graphCount   *prometheus.CounterVec

	trustedSeconds *prometheus.HistogramVec
	deprecated     *prometheus.CounterVec
	mongoSeconds   *prometheus.HistogramVec
}

// NewMetrics makes the numbers every server has. version is shown as a label of build_info.
func NewMetrics(version string) *Metrics {
	fast := []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		httpCount: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "backendbook_http_requests_total", Help: "Answered requests.",
		}, []string{"method", "route", "status"}),
		httpSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "backendbook_http_request_seconds", Help: "From the first byte to the answer.", Buckets: fast,
		}, []string{"route"}),
		graphCount: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "backendbook_graphql_operations_total", Help: "Operations by their first error code; OK without one.",
		}, []string{"kind", "field", "code"}),
		graphSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "backendbook_graphql_operation_seconds", Help: "Duration of queries and mutations.", Buckets: fast,
		}, []string{"kind", "field"}),
		deprecated: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "backendbook_graphql_deprecated_total", Help: "Operations that use a deprecated field or argument, by it.",
		}, []string{"used"}),
		trustedSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "backendbook_graphql_trusted_seconds", Help: "Duration of operations of trusted documents by their names.", Buckets: fast,
		}, []string{"operation", "code"}),
		mongoSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "backendbook_mongodb_command_seconds", Help: "Commands as the driver sees them, network included.", Buckets: fast,
		}, []string{"command", "outcome"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "backendbook_build_info", Help: "Always 1.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.httpCount, m.httpSeconds, m.graphCount, m.graphSeconds, m.trustedSeconds, m.deprecated, m.mongoSeconds, build)
	return m
}

// Gauge adds a number that is asked for when it is read. Only before serving.
func (m *Metrics) Gauge(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "backendbook_" + name, Help: help}, value))
}

// Counter adds a number that only grows. Only before serving.
func (m *Metrics) Counter(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "backendbook_" + name, Help: help}, value))
}

// Checks adds what the health checks say: 0 while one is well, 1 for a warning, 2 for a failure. Only before serving.
func (m *Metrics) Checks(of *health.Registry) { m.registry.MustRegister(checkCollector{of}) }

// checkCollector reads the results that are there: a scrape runs nothing.
type checkCollector struct{ of *health.Registry }

var checkStatus = prometheus.NewDesc("backendbook_check_status", "Health checks: 0 well, 1 warning, 2 failed.", []string{"check"}, nil)

// Describe implements [prometheus.Collector].
func (c checkCollector) Describe(to chan<- *prometheus.Desc) { to <- checkStatus }

// Collect implements [prometheus.Collector].
func (c checkCollector) Collect(to chan<- prometheus.Metric) {
	levels := map[health.Status]float64{health.OK: 0, health.Warning: 1, health.Failed: 2}
	for _, r := range c.of.Last() {
		to <- prometheus.MustNewConstMetric(checkStatus, prometheus.GaugeValue, levels[r.Status], r.Name)
	}
}

// ObserveMongo counts one command of the driver.
func (m *Metrics) ObserveMongo(command string, took time.Duration, failed bool) {
	outcome := "ok"
	if failed {
		outcome = "failed"
	}
	m.mongoSeconds.WithLabelValues(command, outcome).Observe(took.Seconds())
}

// ObserveGraphQL counts one operation: by its root field, by query, mutation or subscription, and by its first error
// code or "OK"; and by its name if its document is a trusted one, else trusted is empty. All come from small fixed sets.
func (m *Metrics) ObserveGraphQL(field, kind, code, trusted string, took time.Duration) {
	m.graphCount.WithLabelValues(kind, field, code).Inc()
	m.graphSeconds.WithLabelValues(kind, field).Observe(took.Seconds())
	if trusted != "" {
		m.trustedSeconds.WithLabelValues(trusted, code).Observe(took.Seconds())
	}
}

// CountDeprecated counts one operation under each deprecated name it uses: names of the schema.
func (m *Metrics) CountDeprecated(used []string) {
	for _, name := range used {
		m.deprecated.WithLabelValues(name).Inc()
	}
}

func (m *Metrics) observeHTTP(verb, route string, status int, took time.Duration) {
	m.httpCount.WithLabelValues(method(verb), route, strconv.Itoa(status)).Inc()
	if status != http.StatusSwitchingProtocols { // a socket lives for hours
		m.httpSeconds.WithLabelValues(route).Observe(took.Seconds())
	}
}

func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}
