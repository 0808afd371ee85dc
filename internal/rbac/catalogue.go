package rbac

import (
	"maps"
	"math/bits"
	"slices"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// catalogue is the permissions the code asks for, each with a small number. It never changes while the process runs.
type catalogue struct {
	keys  []string          // by number, sorted
	about map[string]string // key -> description
	ids   map[string]uint32
}

func newCatalogue(about map[string]string) *catalogue {
	c := &catalogue{keys: slices.Sorted(maps.Keys(about)), about: about, ids: make(map[string]uint32, len(about))}
	for i, k := range c.keys {
		c.ids[k] = uint32(i)
	}
	return c
}

// set is a set of permissions by number. All sets of one catalogue have the same length.
type set []uint64

func (c *catalogue) words() int { return (len(c.keys) + 63) / 64 }

func (s set) has(p uint32) bool { return s[p>>6]&(1<<(p&63)) != 0 }
func (s set) add(p uint32)      { s[p>>6] |= 1 << (p & 63) }

func (s set) merge(t set) {
	for i, w := range t {
		s[i] |= w
	}
}

// of is the set of these keys. Keys the code no longer knows give no right and are left out; [Every] is all others.
func (c *catalogue) of(keys []string) set {
	s := make(set, c.words())
	for _, k := range keys {
		if k == Every {
			for p := range c.keys {
				s.add(uint32(p))
			}
		} else if p, ok := c.ids[k]; ok {
			s.add(p)
		}
	}
	return s
}

// list is the keys of a set, sorted; never nil.
func (c *catalogue) list(s set) []string {
	keys := []string{}
	for i, w := range s {
		for ; w != 0; w &= w - 1 {
			keys = append(keys, c.keys[i*64+bits.TrailingZeros64(w)])
		}
	}
	return keys
}

// within is those of s that the scope of an access key allows.
func (c *catalogue) within(s set, scope *actor.Scope) set {
	if scope == nil {
		return s
	}
	limit := make(set, len(s))
	for _, key := range scope.List() {
		if id, ok := c.ids[key]; ok && s.has(id) {
			limit[id/64] |= 1 << (id % 64)
		}
	}
	return limit
}

// without is s less t.
func (s set) without(t set) set {
	rest := slices.Clone(s)
	for i, w := range t {
		rest[i] &^= w
	}
	return rest
}

func (s set) empty() bool { return !slices.ContainsFunc(s, func(w uint64) bool { return w != 0 }) }

// known refuses a key that is not in the catalogue, with the key in the details.
func (c *catalogue) known(keys []string) error {
	for _, k := range keys {
		if _, ok := c.ids[k]; !ok {
			return unknown(k).On("input.permissions")
		}
	}
	return nil
}

// all lists the catalogue, by key.
func (c *catalogue) all() []Permission {
	all := make([]Permission, len(c.keys))
	for i, k := range c.keys {
		all[i] = Permission{Key: k, Description: c.about[k]}
	}
	return all
}

// unknown is the refusal of a key, which it names if it looks like one.
func unknown(key string) *fault.Error {
	if !ref.IsKey(key) {
		return ErrUnknownPermission
	}
	return ErrUnknownPermission.With("permission", key)
}
