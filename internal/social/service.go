package social

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"log/slog"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/outbound"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/ticket"
	"github.com/backendbook/backendbook/internal/token"
)

// Config is what the package is told at start.
type Config struct {
	PublicURL    string     // of this server, for the addresses providers send browsers back to
	Providers    []Provider // in the order they are shown in
	AllowPrivate bool       // development: providers on loopback and private networks, also over http
}

// bindingPrefix begins the secret of a browser's cookie.
const bindingPrefix = "bbo_"

// maxCode bounds the code of a callback: longer ones are not sent on.
const maxCode = 4096

// errTransaction is a mistake of the programmer: a transaction must not wait for somebody else's server.
var errTransaction = errors.New("social: a provider was to be asked inside a transaction")

// Service is the business of providers and identities. It is safe for concurrent use.
type Service struct {
	db      *store.DB
	store   *mongoStore
	events  *event.Log
	now     clock.Clock
	tickets *ticket.Service
	log     *slog.Logger
	infos   []Info
	sources map[string]source
}

// source is a provider that can be opened: asked for what is needed to speak to it.
type source interface {
	open(ctx context.Context) (peer, error)
}

// New makes the service. It asks no provider: one that is down does not keep the server from starting.
// The error names everything that is wrong with cfg.
func New(db *store.DB, events *event.Log, now clock.Clock, tickets *ticket.Service, log *slog.Logger, cfg Config) (*Service, error) {
	s := &Service{db: db, store: newStore(db), events: events, now: now, tickets: tickets, log: log, sources: map[string]source{}}
	all := make([]Provider, len(cfg.Providers))
	for i, p := range cfg.Providers {
		all[i] = p.withDefaults()
	}
	if err := checkAll(all, cfg.AllowPrivate); err != nil {
		return nil, err
	}
	if len(all) > 0 && checkURL(cfg.PublicURL, true) != nil {
		return nil, errors.New("providers need the public address of this server")
	}
	client := outbound.NewClient(outbound.Config{AllowPrivate: cfg.AllowPrivate})
	for _, p := range all {
		back := strings.TrimRight(cfg.PublicURL, "/") + CallbackPath + p.Key
		if p.oidc() {
			s.sources[p.Key] = newDiscovery(p, back, client, now, cfg.AllowPrivate)
		} else {
			s.sources[p.Key] = newPlain(p, back, client)
		}
		s.infos = append(s.infos, Info{p.Key, p.Name})
	}
	return s, nil
}

// Providers lists what people may sign in with, in the order of the configuration.
func (s *Service) Providers() []Info { return append([]Info{}, s.infos...) }

// attempt is a sign-in on its way: the data of its ticket.
type attempt struct {
	Provider string `bson:"provider"`
	ReturnTo string `bson:"returnTo"`
	Verifier string `bson:"verifier"` // useless without the code, which only the browser gets
	Nonce    string `bson:"nonce"`
	Browser  []byte `bson:"browser"` // digest of the binding
}

// Begin begins a sign-in at a provider. Anybody may; the caller limits how often. Cost: 1 write, and a request to the
// provider when nothing was heard of it for an hour.
//
// Errors: PROVIDER_UNKNOWN, PROVIDER_UNAVAILABLE, RETURN_TO_INVALID.
func (s *Service) Begin(ctx context.Context, c BeginCmd) (Start, error) {
	src, known := s.sources[c.Provider]
	if !known {
		return Start{}, ErrProvider.On("input.provider")
	}
	to, err := CheckReturnTo(c.ReturnTo)
	if err != nil {
		return Start{}, ErrReturnTo.On("input.returnTo")
	}
	if store.InTransaction(ctx) {
		return Start{}, errTransaction
	}
	at, err := src.open(ctx)
	if err != nil {
		return Start{}, err
	}
	binding := c.Binding
	browser, ok := token.Parse(bindingPrefix, binding)
	if !ok {
		binding, browser = token.New(bindingPrefix)
	}
	a := attempt{Provider: c.Provider, ReturnTo: to, Verifier: oauth2.GenerateVerifier(), Nonce: rand.Text(), Browser: browser[:]}
	issued, err := s.tickets.Issue(ctx, ticket.Request{Kind: TicketKind, Subject: c.LinkUser, Data: a, TTL: AttemptTTL})
	if err != nil {
		return Start{}, err
	}
	return Start{
		URL:     at.config().AuthCodeURL(issued.Flow, oauth2.S256ChallengeOption(a.Verifier), oidc.Nonce(a.Nonce)),
		Binding: binding,
	}, nil
}

// Finish ends a sign-in: of parallel callers with one state one gets the claims. With the wrong browser or path nothing
// happens; else the sign-in is used up, whatever comes of it. ReturnTo and LinkUser are filled in with every error after
// OAUTH_STATE_INVALID is out of the question, so that the browser can be led back. It must not be called in a
// transaction. Cost: 1 read, 1 write, and one to three requests to the provider, each at most five seconds.
//
// Errors: PROVIDER_UNKNOWN, OAUTH_STATE_INVALID, OAUTH_DENIED, OAUTH_FAILED, PROVIDER_UNAVAILABLE, RETURN_TO_INVALID.
func (s *Service) Finish(ctx context.Context, c FinishCmd) (Finished, error) {
	src, known := s.sources[c.Provider]
	if !known {
		return Finished{}, ErrProvider
	}
	if store.InTransaction(ctx) {
		return Finished{}, errTransaction
	}
	t, a, err := s.attempt(ctx, c)
	if err != nil {
		return Finished{}, err
	}
	to, err := CheckReturnTo(a.ReturnTo) // again: it lay in the database
	if err != nil {
		return Finished{}, err
	}
	done := Finished{ReturnTo: to, LinkUser: t.Subject}
	if done.Claims, err = claim(ctx, src, c, a); errors.Is(err, ErrAnswer) {
		// For a client this is like a wrong password; for the operator it is an attack, or a provider set up wrongly.
		s.log.WarnContext(ctx, "oauth_answer_refused", "provider", c.Provider, "reason", errors.Unwrap(err))
	}
	return done, err
}

// attempt finds the sign-in of a callback and uses it up.
//
// Errors: OAUTH_STATE_INVALID.
func (s *Service) attempt(ctx context.Context, c FinishCmd) (ticket.Ticket, attempt, error) {
	t, err := s.tickets.Peek(ctx, TicketKind, c.State)
	if err != nil {
		return t, attempt{}, stateError(err)
	}
	var a attempt
	if err := t.Decode(&a); err != nil {
		return t, attempt{}, err
	}
	browser, ok := token.Parse(bindingPrefix, c.Binding)
	if !ok || subtle.ConstantTimeCompare(browser[:], a.Browser) != 1 || a.Provider != c.Provider {
		return t, attempt{}, ErrState
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error { return s.tickets.Spend(ctx, t) })
	return t, a, stateError(err)
}

// stateError puts the answer of the tickets into the words of a sign-in.
func stateError(err error) error {
	if errors.Is(err, ticket.ErrInvalid) {
		return ErrState
	}
	return err
}

// claim turns the answer of a provider into claims.
func claim(ctx context.Context, src source, c FinishCmd, a attempt) (Claims, error) {
	switch c.Error {
	case "":
	case "access_denied", "login_required", "consent_required", "interaction_required", "account_selection_required":
		return Claims{}, ErrDenied
	case "server_error", "temporarily_unavailable":
		return Claims{}, unavailable(c.Provider, errors.New("it says so to the browser"))
	default: // the text is the browser's: it is neither shown nor logged
		return Claims{}, refuse("the provider sent the browser back with an error")
	}
	if c.Code == "" || len(c.Code) > maxCode {
		return Claims{}, refuse("the code is missing or too long")
	}
	at, err := src.open(ctx)
	if err != nil {
		return Claims{}, err
	}
	if err := at.checkIssuer(c.Issuer); err != nil {
		return Claims{}, err
	}
	tokens, err := exchange(ctx, c.Provider, at, c.Code, a.Verifier)
	if err != nil {
		return Claims{}, err
	}
	claims, err := at.claims(ctx, tokens, a.Nonce)
	if err != nil {
		return Claims{}, err
	}
	return claims.tidy()
}
