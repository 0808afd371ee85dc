package plan

import (
	"context"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// Consume takes n of a feature from what the subject's plan allows, or nothing. It joins the caller's transaction, so the
// use counts if and only if the caller's change commits; of many at once exactly as many pass as the limit allows. It
// asks nobody's leave: the domain that spends calls it. A feature without a limit is counted all the same.
// Cost: 1 read and 1 write; 1 read more at the limit or at the first use, which is also 1 write more.
//
// Errors: QUOTA_EXCEEDED with feature, limit, used and plan in the details; PLAN_NO_DEFAULT; BAD_USER_INPUT for n below 1.
func (s *Service) Consume(ctx context.Context, subject ref.Ref, feature string, n int64) error {
	if n < 1 {
		return fault.ErrInput.Saying("only 1 or more of a feature can be used")
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		_, p, err := s.place(ctx, subject)
		if err != nil {
			return err
		}
		limit := p.limit(feature)
		ok, err := s.store.add(ctx, subject, feature, n, limit)
		if err != nil || ok {
			return err
		}
		// Not added: too many, or the first use, which has no document yet. The write comes after the read in one
		// transaction, so a first use elsewhere at the same time makes this one conflict and run again.
		used, found, err := s.store.used(ctx, subject, feature)
		switch {
		case err != nil:
			return err
		case found || limit != nil && n > *limit:
			return ErrQuota.With("feature", feature).With("limit", *limit).With("used", used).With("plan", p.Key)
		default:
			return s.store.begin(ctx, subject, feature, n)
		}
	})
}

// Release gives n of a feature back, down to 0 at the least. It joins the caller's transaction like [Service.Consume].
// Cost: 1 write.
//
// Errors: BAD_USER_INPUT for n below 1.
func (s *Service) Release(ctx context.Context, subject ref.Ref, feature string, n int64) error {
	if n < 1 {
		return fault.ErrInput.Saying("only 1 or more of a feature can be given back")
	}
	return s.store.subtract(ctx, subject, feature, n)
}
