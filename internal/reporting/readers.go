package reporting

import (
	"context"
	"slices"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// content is what somebody must be allowed to read to get a mail about it.
type content struct {
	documents []ref.Ref
	metrics   []string
}

// of is what a report or a dashboard holds, for the caller of ctx.
//
// Errors: NOT_FOUND, REPORT_QUERY, REPORT_KIND.
func (s *Service) of(ctx context.Context, on ref.Ref) (content, error) {
	c := content{documents: []ref.Ref{on}}
	reports := []ref.Ref{on}
	if on.Type == ref.Dashboard {
		board, err := s.dashboard(ctx, on)
		if err != nil {
			return c, err
		}
		reports = tilesOf(board)
		c.documents = append(c.documents, reports...)
	}
	for _, r := range reports {
		_, q, err := s.saved(ctx, r)
		if err != nil {
			return c, err
		}
		c.metrics = append(c.metrics, q.Metric)
	}
	return c, nil
}

// mayRead reports whether a user may read all of it. The rows that somebody sees of a metric may be others than those the owner
// sees, so only who sees the whole metric gets what another has set up.
func (s *Service) mayRead(ctx context.Context, user, owner string, c content) (bool, error) {
	ctx = as(ctx, user)
	found, err := s.Documents.ByRefs(ctx, c.documents)
	if err != nil && fault.From(err).Kind != fault.Forbidden {
		return false, err
	}
	for _, d := range c.documents {
		if _, there := found[d]; !there {
			return false, nil
		}
	}
	for _, metric := range c.metrics {
		err := s.Authz.Require(ctx, analytics.PermView, ref.New(ref.Metric, metric))
		switch {
		case err == nil || user == owner: // the owner has what Report gives them
		case fault.From(err).Kind == fault.Forbidden:
			return false, nil
		default:
			return false, err
		}
	}
	return true, nil
}

// live reports whether a user can get mail: the account is not closed, and has an address.
func live(u account.User) bool {
	return u.DisabledAt == nil && u.DeactivatedAt == nil && u.DeleteAfter == nil && u.Email() != ""
}

// recipients are the users with these addresses, each once. An address of nobody is refused like one of somebody who may not
// read, after the same work.
//
// Errors: RECIPIENT_REFUSED with the index, BAD_USER_INPUT.
func (s *Service) recipients(ctx context.Context, owner string, addresses []string, c content) ([]string, error) {
	if len(addresses) == 0 || len(addresses) > maxRecipients {
		return nil, fault.ErrInput.Saying("there are 1 to %d recipients", maxRecipients).On("input.recipients")
	}
	var users []string
	for i, address := range addresses {
		u, found, err := s.Users.Occupied(ctx, address)
		if err != nil {
			return nil, err
		}
		may, err := s.mayRead(ctx, u.ID, owner, c)
		if err != nil && found {
			return nil, err
		}
		if !found || !may || !live(u) {
			return nil, ErrRecipient.On("input.recipients").With("index", i)
		}
		if !slices.Contains(users, u.ID) {
			users = append(users, u.ID)
		}
	}
	return users, nil
}

// readers are those of some users who may read all of it now, and how many may not any more.
func (s *Service) readers(ctx context.Context, owner string, users []string, c content) (readers []account.User, left int, err error) {
	found, err := s.Users.ByIDs(ctx, users)
	if err != nil {
		return nil, 0, err
	}
	for _, id := range users {
		u, there := found[id]
		if there && live(u) {
			may, err := s.mayRead(ctx, id, owner, c)
			if err != nil {
				return nil, 0, err
			}
			if may {
				readers = append(readers, u)
				continue
			}
		}
		left++
	}
	return readers, left, nil
}
