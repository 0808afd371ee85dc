package registry

import (
	"context"
	"sync"

	"github.com/backendbook/backendbook/internal/store"
)

// catalogue keeps compiled content types in memory. A type is read when it is first asked for, and forgotten when an
// event tells that it changed. Absent ones are not remembered.
type catalogue struct {
	store *mongoStore
	mu    sync.RWMutex
	byKey map[string]*compiled
	byID  map[string]*compiled
	epoch int // counts forgettings: what was read before one must not be kept after it
}

func newCatalogue(s *mongoStore) *catalogue {
	c := &catalogue{store: s, byKey: map[string]*compiled{}, byID: map[string]*compiled{}}
	c.forget("")
	return c
}

// key finds a content type by its key, or one it had before. Cost: no read when warm, else one.
//
// Errors: CONTENT_TYPE_UNKNOWN.
func (c *catalogue) key(ctx context.Context, key string) (*compiled, error) {
	c.mu.RLock()
	t, ok := c.byKey[key]
	epoch := c.epoch
	c.mu.RUnlock()
	if ok {
		return t, nil
	}
	row, err := c.store.typeNamed(ctx, key)
	if err != nil {
		return nil, err
	}
	return c.keep(ctx, row, epoch)
}

// ids finds content types by id; absent ones are left out. Cost: no read when warm, else one.
func (c *catalogue) ids(ctx context.Context, ids []string) (map[string]*compiled, error) {
	found := make(map[string]*compiled, len(ids))
	var missing []string
	c.mu.RLock()
	epoch := c.epoch
	for _, id := range ids {
		if t, ok := c.byID[id]; ok {
			found[id] = t
		} else {
			missing = append(missing, id)
		}
	}
	c.mu.RUnlock()
	if len(missing) == 0 {
		return found, nil
	}
	rows, err := c.store.typesWhere(ctx, missing)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		t, err := c.keep(ctx, row, epoch)
		if err != nil {
			return nil, err
		}
		found[t.ID] = t
	}
	return found, nil
}

// id is ids for one that must be there.
//
// Errors: CONTENT_TYPE_UNKNOWN.
func (c *catalogue) id(ctx context.Context, id string) (*compiled, error) {
	c.mu.RLock()
	warm := c.byID[id]
	c.mu.RUnlock()
	if warm != nil {
		return warm, nil
	}
	found, err := c.ids(ctx, []string{id})
	if err != nil {
		return nil, err
	}
	if t, ok := found[id]; ok {
		return t, nil
	}
	return nil, ErrTypeUnknown
}

// keep compiles a stored type and remembers it, unless something was forgotten since epoch, or the type was read in a
// transaction, which may have made it itself and may still abort.
func (c *catalogue) keep(ctx context.Context, row typeRow, epoch int) (*compiled, error) {
	t, err := compileRow(row)
	if err != nil {
		return nil, err
	}
	if store.InTransaction(ctx) {
		return t, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.epoch == epoch {
		c.put(t)
	}
	return t, nil
}

// native reports whether a key is that of a type of the code.
func (c *catalogue) native(key string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t, known := c.byKey[key]
	return known && t.Native
}

func (c *catalogue) put(t *compiled) {
	c.byID[t.ID] = t
	for _, key := range append([]string{t.Key}, t.Aliases...) {
		c.byKey[key] = t
	}
}

func compileRow(row typeRow) (*compiled, error) {
	t, err := compile(row.ContentType, []byte(row.Schema))
	if err != nil {
		return nil, err
	}
	t.steps = row.Steps
	for _, steps := range t.steps {
		for i := range steps {
			steps[i].Value = plainStored(steps[i].Value)
		}
	}
	return t, nil
}

// load reads all types.
func (c *catalogue) load(ctx context.Context) error {
	c.mu.RLock()
	epoch := c.epoch
	c.mu.RUnlock()
	rows, err := c.store.allTypes(ctx)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if _, err := c.keep(ctx, row, epoch); err != nil {
			return err
		}
	}
	return nil
}

// forget drops one type, or all with an empty id; those of the code stay.
func (c *catalogue) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	if id == "" {
		clear(c.byKey)
		clear(c.byID)
		for _, t := range nativeTypes {
			c.put(t)
		}
		return
	}
	if t, ok := c.byID[id]; ok && !t.Native {
		delete(c.byID, id)
		for _, key := range append([]string{t.Key}, t.Aliases...) {
			delete(c.byKey, key)
		}
	}
}
