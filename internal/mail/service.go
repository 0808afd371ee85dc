package mail

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/keyring"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// Service queues mails and sends them. It is safe for concurrent use. It asks nobody's permission: the mailbox and the dead
// letters are for the interfaces of operators and developers to guard.
type Service struct {
	store     *mongoStore
	now       clock.Clock
	log       *slog.Logger
	ring      *keyring.Ring
	templates *templates
	smtp      *smtpSender // nil: mails stay in the mailbox
	keep      int
	pace      pace
	wake      chan struct{} // something was queued on this node
}

// New makes the service: it reads every template and tries it with sample data, some 50 ms. It connects to nothing and
// starts nothing: see [Service.Run]. The error tells everything that is wrong with the configuration and the templates.
func New(db *store.DB, now clock.Clock, log *slog.Logger, ring *keyring.Ring, cfg Config) (*Service, error) {
	cfg, from, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	t, err := loadTemplates(cfg)
	if err != nil {
		return nil, err
	}
	s := &Service{
		store: newStore(db), now: now, log: log, ring: ring, templates: t,
		keep: cfg.Keep, pace: defaultPace(), wake: make(chan struct{}, 1),
	}
	if from != nil {
		s.smtp = newSender(cfg, from)
	}
	return s, nil
}

// place is what the body of a letter is sealed for.
func place(id string) string { return "outbox/" + id }

// Queue renders a mail and puts it into the outbox, in the transaction of ctx if there is one: it is sent once that has
// committed, and never otherwise. Cost: 1 write, and some 100 µs to render and seal.
//
// Errors: none a client should see. An unknown template, data that are not as the catalogue says, files that are too large and a
// recipient that is no address are mistakes of the caller; the error quotes neither the data nor the address.
func (s *Service) Queue(ctx context.Context, m Message) error {
	if err := checkTo(m.To); err != nil {
		return err
	}
	if err := checkData(m.Template, m.Data); err != nil {
		return err
	}
	if err := checkFiles(m.Files); err != nil {
		return err
	}
	says, err := s.templates.render(m)
	if err != nil {
		return err
	}
	says.Files = m.Files
	plain, err := json.Marshal(says)
	if err != nil {
		return fmt.Errorf("mail: %s: %w", m.Template, err)
	}
	now, id := s.now(), ref.NewID()
	l := letter{
		ID: id, To: m.To, Locale: s.templates.pick(m.Locale), Template: m.Template, State: stateWaiting,
		Body: s.ring.Seal(plain, place(id)), QueuedAt: now, DueAt: now,
	}
	if s.smtp == nil {
		expires := now.Add(keepDead)
		l.State, l.ExpiresAt = stateKept, &expires
	}
	if err := s.store.insert(ctx, l); err != nil {
		return err
	}
	s.poke()
	return nil
}

// poke tells Run that there may be something to do.
func (s *Service) poke() {
	select {
	case s.wake <- struct{}{}:
	default: // it knows already
	}
}

// open reads what a letter says.
func (s *Service) open(l letter) (content, error) {
	plain, err := s.ring.Open(l.Body, place(l.ID))
	if err != nil {
		return content{}, err
	}
	var says content
	if err := json.Unmarshal(plain, &says); err != nil {
		return content{}, fmt.Errorf("mail %s: %w", l.ID, err)
	}
	return says, nil
}

// unreadable stands for what a mail says when its key is gone.
const unreadable = "(sealed with a key this server no longer has)"

// HasMailbox reports whether mails stay in the development mailbox instead of being sent.
func (s *Service) HasMailbox() bool { return s.smtp == nil }

// Mailbox lists the mails of the development mailbox, newest first. One read.
//
// Errors: NO_MAILBOX when mail is sent instead; PAGE_SIZE, BAD_CURSOR.
func (s *Service) Mailbox(ctx context.Context, args page.Args) (page.Page[Mail], error) {
	if !s.HasMailbox() {
		return page.Page[Mail]{}, ErrNoMailbox
	}
	found, err := s.store.page(ctx, stateKept, args)
	if err != nil {
		return page.Page[Mail]{}, err
	}
	return mapPage(found, func(l letter) Mail {
		says, err := s.open(l)
		if err != nil { // the ring of a development server may change with each start
			says = content{Subject: unreadable, Text: unreadable, HTML: unreadable}
		}
		return Mail{ID: l.ID, To: l.To, Template: l.Template, Subject: says.Subject, Text: says.Text, HTML: says.HTML, Files: says.Files, At: l.QueuedAt}
	}), nil
}

// Dead lists the mails that were given up, newest first. One read.
//
// Errors: PAGE_SIZE, BAD_CURSOR.
func (s *Service) Dead(ctx context.Context, args page.Args) (page.Page[Letter], error) {
	found, err := s.store.page(ctx, stateDead, args)
	if err != nil {
		return page.Page[Letter]{}, err
	}
	return mapPage(found, func(l letter) Letter {
		at := l.QueuedAt
		if l.EndedAt != nil {
			at = *l.EndedAt
		}
		return Letter{ID: l.ID, To: l.To, Locale: l.Locale, Template: l.Template, Tries: l.Tries, QueuedAt: l.QueuedAt, DeadAt: at, Error: l.Error}
	}), nil
}

// Retry orders another attempt to deliver a dead letter, and if that fails as many more as a new one gets. Its links and
// codes may have expired meanwhile. One write.
//
// Errors: NOT_FOUND when there is no such dead letter.
func (s *Service) Retry(ctx context.Context, id string) error {
	if err := s.store.revive(ctx, id, s.now()); err != nil {
		return err
	}
	s.poke()
	return nil
}

// Backlog is how many mails wait to be sent and since when the oldest (the zero time when none does), and how many are
// dead. One read.
func (s *Service) Backlog(ctx context.Context) (waiting int, oldest time.Time, dead int, err error) {
	by, err := s.store.tallies(ctx)
	if err != nil {
		return 0, time.Time{}, 0, err
	}
	return by[stateWaiting].N, by[stateWaiting].Oldest, by[stateDead].N, nil
}

// mapPage is a page of something made of each item.
func mapPage[A, B any](p page.Page[A], f func(A) B) page.Page[B] {
	out := page.Page[B]{Items: make([]B, len(p.Items)), Cursors: p.Cursors, HasNext: p.HasNext, HasPrevious: p.HasPrevious}
	for i, v := range p.Items {
		out.Items[i] = f(v)
	}
	return out
}
