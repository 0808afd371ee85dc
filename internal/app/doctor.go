package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/cli"
	"github.com/backendbook/backendbook/web"
)

// Diagnose implements [cli.Host]. It changes nothing but that it may start the managed MongoDB for a moment.
func (h *host) Diagnose(ctx context.Context, ready bool) []cli.Finding {
	if ready {
		return []cli.Finding{h.running(ctx, cli.Bad)}
	}
	found := []cli.Finding{
		{Severity: cli.Good, About: "settings", Says: h.cfg.Environment + ", version " + Version()},
		h.console(),
	}
	found = append(found, h.database(ctx)...)
	return append(found, h.running(ctx, cli.Good))
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
	plan, err := c.db.Migrate(ctx, schema(), true)
	switch n := len(plan.Created) + len(plan.Applied); {
	case err != nil:
		found = append(found, cli.Finding{Severity: cli.Bad, About: "migrations", Says: err.Error()})
	case n > 0:
		found = append(found, cli.Finding{Severity: cli.Warning, About: "migrations", Says: fmt.Sprintf("%d to do: serving does them, `migrate --dry-run` lists them", n)})
	default:
		found = append(found, cli.Finding{Severity: cli.Good, About: "migrations", Says: "nothing to do"})
	}
	for _, w := range plan.Warnings {
		found = append(found, cli.Finding{Severity: cli.Warning, About: "migrations", Says: w})
	}
	return append(found, h.outbox(ctx, c))
}

// outboxLate is how long a mail may wait before somebody should look: a sender that is down for longer is not a hiccup.
const outboxLate = 10 * time.Minute

// outbox looks at the mails on their way.
func (h *host) outbox(ctx context.Context, c *core) cli.Finding {
	found := cli.Finding{Severity: cli.Warning, About: "mail"}
	if err := c.assemble(Options{}); err != nil {
		return cli.Finding{Severity: cli.Bad, About: "mail", Says: err.Error()}
	}
	if c.mail.HasMailbox() {
		return cli.Finding{Severity: cli.Good, About: "mail", Says: "stays in the development mailbox: no mail.host is set"}
	}
	waiting, oldest, dead, err := c.mail.Backlog(ctx)
	switch {
	case err != nil:
		found.Says = err.Error()
	case dead > 0:
		found.Says = fmt.Sprintf("%d could not be delivered: `mail dead` lists them", dead)
	case waiting > 0 && c.now().Sub(oldest) > outboxLate:
		found.Says = fmt.Sprintf("%d wait, the oldest since %s: does a server run, and does %s answer?", waiting, oldest.Format(time.DateTime), h.cfg.Mail.Host)
	default:
		return cli.Finding{Severity: cli.Good, About: "mail", Says: fmt.Sprintf("%d on their way through %s", waiting, h.cfg.Mail.Host)}
	}
	return found
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
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	host, port, err := net.SplitHostPort(h.cfg.Listen)
	if err != nil {
		return cli.Finding{Severity: cli.Bad, About: "server", Says: err.Error()}
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	at := "http://" + net.JoinHostPort(host, port)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at+"/readyz", nil)
	if err != nil {
		return cli.Finding{Severity: cli.Bad, About: "server", Says: err.Error()}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return cli.Finding{Severity: absent, About: "server", Says: "none answers at " + at}
	}
	defer func() { _ = res.Body.Close() }()
	var state struct{ Status string }
	if err := json.NewDecoder(res.Body).Decode(&state); err != nil || state.Status == "" {
		return cli.Finding{Severity: cli.Bad, About: "server", Says: "something else answers at " + at}
	}
	if res.StatusCode != http.StatusOK {
		return cli.Finding{Severity: cli.Bad, About: "server", Says: at + " is " + state.Status}
	}
	return cli.Finding{Severity: cli.Good, About: "server", Says: at + " is ready"}
}
