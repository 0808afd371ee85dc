package session

import (
	"context"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/label"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/store"
)

// MaxLabel is how long the name of a session may be, in characters.
const MaxLabel = 60

// ListOf lists the live sessions of a user, newest first: none that was ended, was idle for too long or is too old by the
// clock at this moment, and no keys. It asks for no permission: that the caller may see them is for the flow to decide. The
// last use is told as it is written down, to about Config.TouchEvery. One find.
//
// Errors: PAGE_SIZE, BAD_CURSOR.
func (s *Service) ListOf(ctx context.Context, user string, args page.Args) (page.Page[Session], error) {
	w, err := args.Check(1)
	if err != nil {
		return page.Page[Session]{}, err
	}
	now := s.now()
	read, err := s.store.listOf(ctx, user, now, w)
	if err != nil {
		return page.Page[Session]{}, err
	}
	return s.live(page.Fold(w, read, func(one Session) page.Cursor { return page.Cursor{one.ID} }), now), nil
}

// live leaves out of a page what the policy of this moment has ended, so it may be shorter than was asked for.
func (s *Service) live(p page.Page[Session], at time.Time) page.Page[Session] {
	out := page.Page[Session]{HasNext: p.HasNext, HasPrevious: p.HasPrevious}
	for i, one := range p.Items {
		if one = s.limited(one); one.Live(at) {
			out.Items, out.Cursors = append(out.Items, one), append(out.Cursors, p.Cursors[i])
		}
	}
	return out
}

// Rename gives a session a name to know it by in the list, at most [MaxLabel] characters; an empty one takes it away. It is
// for the sessions of the caller, or any for the system. It joins the transaction of ctx; the event session.session.renamed
// commits with it and tells the other nodes. To give the name it has is no change and no event. Cost: 1 read, 2 writes.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, BAD_USER_INPUT, NOT_FOUND, also for a session that is over or somebody else's.
func (s *Service) Rename(ctx context.Context, id, name string) (Session, error) {
	a, err := principal(ctx)
	if err != nil {
		return Session{}, err
	}
	if name = strings.TrimSpace(name); name != "" {
		if name, err = label.Check(name, MaxLabel); err != nil {
			return Session{}, err
		}
	}
	var named Session
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		found, ok, err := s.store.byID(ctx, id)
		switch {
		case err != nil:
			return err
		case !ok, found.Kind != Interactive, !a.System && found.User != a.User, !s.limited(found.Session).Live(s.now()):
			return fault.ErrNotFound
		}
		named = found.Session
		if named.Label == name {
			return nil
		}
		named.Label = name
		if err := s.store.rename(ctx, id, name); err != nil {
			return err
		}
		return s.events.Append(ctx, kindRenamed, named.Ref(), about{User: named.User})
	})
	if err != nil {
		return Session{}, err
	}
	if !store.InTransaction(ctx) { // else the change stream tells this node as well
		s.cache.refresh(id)
	}
	return named, nil
}
