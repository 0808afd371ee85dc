package httpapi

import (
	"context"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/attachment"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/export"
	"github.com/backendbook/backendbook/internal/health"
	"github.com/backendbook/backendbook/internal/social"
	"github.com/backendbook/backendbook/internal/trace"
)

// Config says how the server is reached. The zero value is a plain-http server for development without proxies.
type Config struct {
	PublicURL      string   // scheme://host[:port] browsers use; https makes the cookie Secure and sends HSTS
	AllowedOrigins []string // more origins that may use the API with a cookie
	TrustedProxies int      // how many proxies append to X-Forwarded-For
	Rate           float64  // requests a second of one network address, as an average; 0 for no limit
	Burst          int      // requests of one network address at once, where there is a limit
	MaxImport      int64    // bytes of a table
}

// The limits of a connection. Writing has no limit of its own here: GraphQL bounds its operations and its sockets.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
)

// Authenticate turns the secret of a request into who is asking. until is when the secret ends by itself.
//
// Errors: SESSION_ENDED, RATE_LIMITED.
type Authenticate func(ctx context.Context, token string) (a actor.Actor, until time.Time, err error)

// Deps are what the server stands on.
type Deps struct {
	GraphQL      http.Handler
	Authenticate Authenticate
	Providers    Providers
	Invoices     Invoices
	Payments     Payments
	Attachments  Attachments
	Tables       Tables
	Events       Events
	Snippet      string // the script with which pages send events
	Exports      Exports
	Health       *health.Registry
	Metrics      *Metrics
	Tracer       *trace.Tracer // nil for no spans
	Down         func() error  // an error while nobody needs to wait for the database; nil for never
	Console      fs.FS         // the built console, with index.html at its root; without one a page says how it is built
	Clock        clock.Clock
	Log          *slog.Logger
}

// Server is the HTTP interface. It is safe for concurrent use.
type Server struct {
	cfg     Config
	deps    Deps
	cookies cookies
	csrf    *csrf
	limiter *limiter // nil for no limit
	streams streams
}

// New makes the server. It panics on an origin that is none: config has checked them.
func New(cfg Config, deps Deps) *Server {
	return &Server{
		cfg: cfg, deps: deps, cookies: newCookies(cfg.PublicURL), csrf: newCSRF(cfg), limiter: newLimiter(cfg.Rate, cfg.Burst, deps.Clock),
		streams: newStreams(),
	}
}

// middleware wraps a handler.
type middleware func(http.Handler) http.Handler

// chain is what every request of the public listener passes, in this order; each has a file of its own. docs/middleware.md
// says why the order is this one.
func (s *Server) chain() []middleware {
	return []middleware{
		s.requestID,       // names the request
		s.trustedProxy,    // says from where it comes
		s.trace,           // begins its span, where there are any
		s.accessLog,       // one line and one metric for each
		s.recoverPanic,    // a panic becomes INTERNAL
		s.securityHeaders, // on every answer, errors too
		s.deadline,        // nothing lasts for ever
		s.throttle,        // refuses an address that sends too much
		s.crossOrigin,     // CORS for the allowed origins, refusal of what a foreign page makes a browser send
	}
}

// personal is what requests pass besides on the routes that act for somebody.
func (s *Server) personal() []middleware {
	return []middleware{
		s.resolveSession, // who is asking
	}
}

// Handler is the public listener.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(graphPath, wrap(s.deps.GraphQL, s.personal()...))
	mux.Handle("GET "+social.CallbackPath+"{provider}", wrap(http.HandlerFunc(s.serveProvider), s.personal()...))
	mux.Handle("GET /invoices/{file}", wrap(http.HandlerFunc(s.serveInvoice), s.personal()...))
	mux.HandleFunc("POST "+noticePath, s.serveNotice)
	mux.Handle("POST "+uploadPath, wrap(http.HandlerFunc(s.serveUpload), s.personal()...))
	mux.Handle("POST "+importPath, wrap(http.HandlerFunc(s.serveImport), s.personal()...))
	mux.Handle("GET "+exportPath, wrap(http.HandlerFunc(s.serveExport), s.personal()...))
	mux.Handle("POST "+eventsPath, s.serveEvents())
	mux.HandleFunc("OPTIONS "+eventsPath, s.servePreflight)
	mux.HandleFunc("GET "+snippetPath, s.serveSnippet)
	mux.Handle("GET "+exportEventsPath, wrap(http.HandlerFunc(s.serveExportEvents), s.personal()...))
	mux.Handle("GET "+exportReportPath, wrap(http.HandlerFunc(s.serveExportReport), s.personal()...))
	mux.Handle("GET "+export.FilesPath+"{job}", wrap(http.HandlerFunc(s.serveExportFile), s.personal()...))
	mux.HandleFunc("GET "+attachment.Path+"{id}", s.serveAttachment)
	mux.HandleFunc("GET /healthz", s.serveAlive)
	mux.HandleFunc("GET /readyz", s.serveReady)
	mux.Handle("/", newConsole(s.deps.Console))
	return wrap(noteRoute(mux), s.chain()...)
}

// wrap puts h behind the middleware; the first is the outermost.
func wrap(h http.Handler, chain ...middleware) http.Handler {
	for i := len(chain) - 1; i >= 0; i-- {
		h = chain[i](h)
	}
	return h
}

// NewHTTPServer makes a server with every limit set. Its contexts end with base.
func NewHTTPServer(base context.Context, h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return base },
		// What net/http complains of is about peers: half-open connections, broken TLS. It quotes no header or body.
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
