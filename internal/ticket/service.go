package ticket

import (
	"context"
	"errors"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/token"
)

// errSubject is a mistake of the programmer: the tickets of nobody are those of everybody without a name.
var errSubject = errors.New("ticket: the tickets of nobody were asked for")

// maxOf is how many tickets [Service.Of] gives at most.
const maxOf = 100

// Service is the business of tickets. It asks for no permission: whose ticket may be asked for is for the flow to decide.
// It is safe for concurrent use.
type Service struct {
	store *mongoStore
	now   clock.Clock
}

// New makes the service. It starts nothing.
func New(db *store.DB, now clock.Clock) *Service { return &Service{store: newStore(db), now: now} }

// Issue makes a ticket and gives its secrets. It joins the transaction of ctx; one that runs again makes other secrets,
// so hand out the last. Cost: 1 write.
func (s *Service) Issue(ctx context.Context, r Request) (Issued, error) {
	if err := r.check(); err != nil {
		return Issued{}, err
	}
	data, err := encode(r.Data)
	if err != nil {
		return Issued{}, err
	}
	now := s.now()
	flow, d := token.New(flowPrefix)
	made := Issued{Flow: flow, Ticket: Ticket{
		ID: ref.NewID(), Kind: r.Kind, Subject: r.Subject, Data: data,
		CreatedAt: now, ExpiresAt: now.Add(r.TTL).Truncate(time.Millisecond),
	}}
	row := record{Ticket: made.Ticket, Hashes: digests{Flow: d[:]}}
	if r.Mailed {
		made.Link, made.Code = row.Hashes.mailSecrets(flow)
		row.Tries = Tries
	}
	if err := s.store.insert(ctx, row); err != nil {
		return Issued{}, err
	}
	return made, nil
}

// Peek gives the ticket of a flow and changes nothing. It proves no more than that somebody began the flow: a mailed
// ticket still wants its code or link. It reads in the transaction of ctx. Cost: 1 read by unique index.
//
// Errors: TICKET_INVALID.
func (s *Service) Peek(ctx context.Context, kind Kind, flow string) (Ticket, error) {
	d, ok := token.Parse(flowPrefix, flow)
	if !ok {
		return Ticket{}, ErrInvalid
	}
	return s.store.find(ctx, kind, s.now(), digests{Flow: d[:]})
}

// Verify gives the ticket that p proves. It does not use it up: that is [Service.Spend], in the transaction of what the
// ticket allows. A wrong code costs one of the ticket's [Tries], written down before the answer and outside of any
// transaction of ctx, so that neither parallel guesses nor a rollback give tries back; a right one costs none. A ticket
// without tries refuses each code, also the right one; its link stays good. Call it before the transaction: one that runs
// again would count again. Cost: 1 read by unique index; for a code 1 update instead, which writes if it is wrong.
//
// Errors: TICKET_INVALID.
func (s *Service) Verify(ctx context.Context, kind Kind, p Proof) (Ticket, error) {
	how, d, ok := p.decode()
	if !ok {
		return Ticket{}, ErrInvalid
	}
	ctx = store.Outside(ctx)
	switch how {
	case byCode:
		return s.store.try(ctx, kind, s.now(), d)
	case byFlow:
		return s.store.find(ctx, kind, s.now(), d, notMailed())
	case byLink, byBoth:
		return s.store.find(ctx, kind, s.now(), d)
	default:
		return Ticket{}, ErrInvalid
	}
}

// Spend uses a ticket up, in the transaction of ctx: of those who race for it one commits. Cost: 1 write.
//
// Errors: TICKET_INVALID when it was spent, renewed or amended since t was read, or has expired.
func (s *Service) Spend(ctx context.Context, t Ticket) error { return s.store.spend(ctx, t, s.now()) }

// Renew gives a mailed ticket a new link and a new code with all tries; the old ones are dead, and what was proved with
// them but not spent yet is too. Flow, data and expiry stay. It joins the transaction of ctx. Cost: 1 write.
//
// Errors: TICKET_INVALID, also for a ticket that was not mailed.
func (s *Service) Renew(ctx context.Context, kind Kind, flow string) (Issued, error) {
	f, ok := token.Parse(flowPrefix, flow)
	if !ok {
		return Issued{}, ErrInvalid
	}
	d := digests{Flow: f[:]}
	link, code := d.mailSecrets(flow)
	t, err := s.store.renew(ctx, kind, s.now(), d)
	if err != nil {
		return Issued{}, err
	}
	return Issued{Ticket: t, Flow: flow, Link: link, Code: code}, nil
}

// Amend replaces the data of a ticket. t is out of date afterwards: it can be neither spent nor amended again. It joins
// the transaction of ctx. Cost: 1 write.
//
// Errors: TICKET_INVALID as for [Service.Spend], so that of two who amend what both have read one learns of it.
func (s *Service) Amend(ctx context.Context, t Ticket, data any) error {
	raw, err := encode(data)
	if err != nil {
		return err
	}
	return s.store.amend(ctx, t, raw, s.now())
}

// Void deletes the tickets of a subject, of these kinds or of all when none is given, and tells how many there were;
// those that expired a moment ago count. It joins the transaction of ctx. Cost: 1 write, by index.
func (s *Service) Void(ctx context.Context, subject string, kinds ...Kind) (int, error) {
	if subject == "" {
		return 0, errSubject
	}
	return s.store.deleteOf(ctx, subject, kinds)
}

// Of gives the live tickets of a subject, of these kinds or of all when none is given: the newest 100, newest first.
// Cost: 1 find, by index.
func (s *Service) Of(ctx context.Context, subject string, kinds ...Kind) ([]Ticket, error) {
	if subject == "" {
		return nil, errSubject
	}
	return s.store.of(ctx, subject, kinds, s.now())
}

// List gives the live tickets of a kind, newest first. Cost: 1 find, by index.
//
// Errors: PAGE_SIZE, BAD_CURSOR.
func (s *Service) List(ctx context.Context, kind Kind, args page.Args) (page.Page[Ticket], error) {
	w, err := args.Check(1)
	if err != nil {
		return page.Page[Ticket]{}, err
	}
	read, err := s.store.list(ctx, kind, w, s.now())
	if err != nil {
		return page.Page[Ticket]{}, err
	}
	return page.Fold(w, read, func(t Ticket) page.Cursor { return page.Cursor{t.ID} }), nil
}

// Get gives a live ticket by id, for whoever may see tickets without having a secret of them. It proves nothing. It reads
// in the transaction of ctx. Cost: 1 read.
//
// Errors: NOT_FOUND, also for a ticket of another kind and for one that has expired.
func (s *Service) Get(ctx context.Context, kind Kind, id string) (Ticket, error) {
	return s.store.get(ctx, kind, id, s.now())
}

// Delete deletes a live ticket by id: an operator takes an invitation back. It joins the transaction of ctx. Cost: 1
// write.
//
// Errors: NOT_FOUND, also for a ticket of another kind and for one that has expired.
func (s *Service) Delete(ctx context.Context, kind Kind, id string) error {
	return s.store.delete(ctx, kind, id, s.now())
}
