package attachment

import (
	"context"
	"errors"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
)

const (
	sweepEvery = time.Hour
	orphanAge  = 24 * time.Hour // longer than any upload takes
	sweepBatch = 500
	leaseTTL   = 10 * time.Minute
	leaseName  = "attachment.sweep"
)

// Run removes the content of deleted documents, and sweeps every hour, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case id := <-s.gone:
			if err := s.dropped(ctx, id); err != nil && ctx.Err() == nil {
				s.Log.WarnContext(ctx, "attachment_left_for_the_sweep", "document", id, "error", err.Error())
			}
		case <-tick.C:
			if _, err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
				s.Log.WarnContext(ctx, "attachments_not_swept", "error", err.Error())
			}
		}
	}
}

// dropped removes what belongs to a document if that is gone for good.
func (s *Service) dropped(ctx context.Context, id string) error {
	k, err := s.store.byID(ctx, id)
	if errors.Is(err, fault.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = s.drop(ctx, []kept{k})
	return err
}

// drop removes those whose documents are gone, and tells how many. First nothing names the content, then it goes: a crash between
// the two leaves it for the sweep.
func (s *Service) drop(ctx context.Context, all []kept) (int, error) {
	ids := make([]string, len(all))
	for i, k := range all {
		ids[i] = k.ID
	}
	there, err := s.Named(ctx, ids)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, k := range all {
		if there[k.ID] {
			continue
		}
		mine := false
		err := s.DB.InTx(ctx, func(ctx context.Context) (err error) {
			if mine, err = s.store.delete(ctx, k.ID); err != nil || !mine { // another node was faster
				return err
			}
			return s.release(ctx, k)
		})
		if err != nil {
			return n, err
		}
		if mine {
			s.remove(ctx, k.keys())
			n++
		}
	}
	return n, nil
}

// Sweep removes what belongs to documents that are gone, content older than a day that no document names, and what broken
// uploads have left; one node does it at a time. It tells how many it removed. Cost: reads all attachments and lists all content.
func (s *Service) Sweep(ctx context.Context) (int, error) {
	lease, err := s.DB.TryLease(ctx, leaseName, leaseTTL)
	if errors.Is(err, store.ErrLeaseHeld) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	dropped, err := s.sweepDocuments(ctx, lease)
	if err != nil {
		return dropped, err
	}
	orphans, err := s.sweepContent(ctx, lease)
	if err == nil {
		err = s.Blobs.Clean(ctx, s.Now().Add(-orphanAge))
	}
	return dropped + orphans, errors.Join(err, lease.Release(ctx))
}

func (s *Service) sweepDocuments(ctx context.Context, lease *store.Lease) (n int, err error) {
	for after := ""; ; {
		part, err := s.store.after(ctx, after, sweepBatch)
		if err != nil || len(part) == 0 {
			return n, err
		}
		after = part[len(part)-1].ID
		gone, err := s.drop(ctx, part)
		if n += gone; err != nil {
			return n, err
		}
		if err := lease.Renew(ctx); err != nil {
			return n, err
		}
	}
}

func (s *Service) sweepContent(ctx context.Context, lease *store.Lease) (n int, err error) {
	before := s.Now().Add(-orphanAge)
	for after := ""; ; {
		part, err := s.Blobs.List(ctx, keyPrefix, after, sweepBatch)
		if err != nil || len(part) == 0 {
			return n, err
		}
		after = part[len(part)-1].Key
		var old []string
		for _, i := range part {
			if i.ModifiedAt.Before(before) {
				old = append(old, i.Key)
			}
		}
		orphans, err := s.orphans(ctx, old)
		if err != nil {
			return n, err
		}
		s.remove(ctx, orphans)
		n += len(orphans)
		if err := lease.Renew(ctx); err != nil {
			return n, err
		}
	}
}

// orphans are the keys that nothing is kept under.
func (s *Service) orphans(ctx context.Context, keys []string) (all []string, err error) {
	if len(keys) == 0 {
		return nil, nil
	}
	holders, err := s.store.byKeys(ctx, keys)
	if err != nil {
		return nil, err
	}
	named := map[string]bool{}
	for _, h := range holders {
		for _, key := range h.keys() {
			named[key] = true
		}
	}
	for _, key := range keys {
		if !named[key] {
			all = append(all, key)
		}
	}
	return all, nil
}
