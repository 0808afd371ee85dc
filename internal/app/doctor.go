package app

import (
	"context"
	"encoding/json"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/cli"
	"github.com/backendbook/backendbook/internal/health"
	"github.com/backendbook/backendbook/internal/httpapi"
	"github.com/backendbook/backendbook/web"
)

// Diagnose implements [cli.Host]. It changes nothing, but it may start the managed MongoDB for a moment.
func (h *host) Diagnose(ctx context.Context, ready bool) []cli.Finding {
	if ready {
		return []cli.Finding{h.running(ctx, cli.Bad)}
	}
	found := []cli.Finding{
		{Severity: cli.Good, About: "settings", Says: h.cfg.Environment + ", version " + Version()},
		h.console(),
	}
	found = append(found, h.database(ctx)...)
	own := len(found)
	found = append(found, h.running(ctx, cli.Good))
	return append(found, h.inside(ctx, found[:own])...)
}

// inside are the checks that only a running server can make. They are on its internal listener; without one, there are none.
func (h *host) inside(ctx context.Context, made []cli.Finding) (found []cli.Finding) {
	if !h.cfg.HasInternal() {
		return nil
	}
	at, err := addressOf(h.cfg.InternalListen)
	if err != nil {
		return nil
	}
	var list httpapi.CheckList
	if _, err := ask(ctx, at+"/checks", &list); err != nil {
		return nil // whether a server runs has been told
	}
	for _, c := range list.Checks {
		if !slices.ContainsFunc(made, func(f cli.Finding) bool { return f.About == c.Name }) {
			found = append(found, finding(c.Name, c.Status, c.Detail))
		}
	}
	return found
}

func (h *host) console() cli.Finding {
	if _, err := fs.Stat(web.Dist, "dist/index.html"); err != nil {
		return cli.Finding{Severity: cli.Warning, About: "console", Says: "not in this binary: build it with `make web`, then build the binary again"}
	}
	return cli.Finding{Severity: cli.Good, About: "console", Says: "in this binary"}
}

// database looks at the MongoDB of the settings.
func (h *host) database(ctx context.Context) []cli.Finding {
	c, err := connect(ctx, &h.cfg.Config, h.calm, Options{Attach: true})
	if err != nil {
		return []cli.Finding{{Severity: cli.Bad, About: "mongodb", Says: err.Error()}}
	}
	defer func() {
		if err := c.close(ctx); err != nil {
			h.calm.WarnContext(ctx, "close_failed", "error", err.Error())
		}
	}()
	version, err := c.db.Version(ctx)
	if err != nil {
		return []cli.Finding{{Severity: cli.Bad, About: "mongodb", Says: err.Error()}}
	}
	kind := "external"
	if c.mongod != nil {
		kind = "managed, in " + h.cfg.DataDir
	}
	found := []cli.Finding{{Severity: cli.Good, About: "mongodb", Says: version + ", " + kind}}
	if c.mongod == nil && leaks(version) && compresses(h.cfg.MongoDB.URI) {
		found = append(found, cli.Finding{Severity: cli.Warning, About: "mongodb", Says: "this version leaks memory to anybody who can " +
			"connect (CVE-2025-14847): upgrade it, or start it with --networkMessageCompressors snappy,zstd"})
	}
	if err := c.assemble(Options{}); err != nil {
		return append(found, cli.Finding{Severity: cli.Bad, About: "services", Says: err.Error()})
	}
	_, results := health.New(c.now, slog.New(slog.DiscardHandler), c.checks()...).Look(ctx)
	for _, r := range results {
		found = append(found, finding(r.Name, r.Status, r.Detail))
	}
	return found
}

// finding is a check in the words of doctor.
func finding(name string, status health.Status, detail string) cli.Finding {
	severity := map[health.Status]cli.Severity{health.OK: cli.Good, health.Warning: cli.Warning, health.Failed: cli.Bad}[status]
	return cli.Finding{Severity: severity, About: name, Says: detail}
}

// leaks reports whether a version has CVE-2025-14847. A version that cannot be read counts as sound: it is newer than us.
func leaks(version string) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 3 {
		return false
	}
	patch, err := strconv.Atoi(strings.FieldsFunc(parts[2], func(r rune) bool { return r < '0' || r > '9' })[0])
	if err != nil {
		return false
	}
	fixed, known := map[string]int{"6.0": 27, "7.0": 28, "8.0": 17, "8.2": 3}[parts[0]+"."+parts[1]]
	return known && patch < fixed
}

// compresses reports whether the driver asks for zlib. What the server offers to others cannot be seen from here; a
// connection string that names compressors without it shows that somebody has thought about it.
func compresses(uri string) bool {
	_, query, _ := strings.Cut(uri, "?")
	options, err := url.ParseQuery(query)
	if err != nil || !options.Has("compressors") {
		return true
	}
	return slices.Contains(strings.Split(options.Get("compressors"), ","), "zlib")
}

// running asks the server of the settings whether it is ready. absent is how bad it is that none answers.
func (h *host) running(ctx context.Context, absent cli.Severity) cli.Finding {
	at, err := addressOf(h.cfg.Listen)
	if err != nil {
		return cli.Finding{Severity: cli.Bad, About: "server", Says: err.Error()}
	}
	var state struct{ Status string }
	answered, err := ask(ctx, at+"/readyz", &state)
	switch {
	case !answered:
		return cli.Finding{Severity: absent, About: "server", Says: "none answers at " + at}
	case err != nil || state.Status == "":
		return cli.Finding{Severity: cli.Bad, About: "server", Says: "something else answers at " + at}
	case state.Status != string(health.Ready):
		return cli.Finding{Severity: cli.Bad, About: "server", Says: at + " is " + state.Status}
	}
	return cli.Finding{Severity: cli.Good, About: "server", Says: at + " is ready"}
}

// addressOf is where a listener is reached from this machine.
func addressOf(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port), nil
}

// askWait is how long a server has to answer doctor: longer than its slowest check.
const askWait = health.Timeout + time.Second

// ask reads JSON from a server. answered tells that there is one.
func ask(ctx context.Context, url string, into any) (answered bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, err
	}
	defer func() { _ = res.Body.Close() }()
	return true, json.NewDecoder(res.Body).Decode(into)
}
