package graph

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/internal/account"
)

// recipients gives those of some users that are there, in their order. They are asked for together, so that the loader reads them
// at once.
func recipients(ctx context.Context, ids []string) ([]account.User, error) {
	found := make([]*account.User, len(ids))
	errs := make([]error, len(ids))
	var all sync.WaitGroup
	for i, id := range ids {
		all.Go(func() { found[i], errs[i] = loader.User(ctx, id) })
	}
	all.Wait()
	found = slices.DeleteFunc(found, func(u *account.User) bool { return u == nil })
	there := make([]account.User, len(found))
	for i, u := range found {
		there[i] = *u
	}
	return there, errors.Join(errs...)
}
