package rbac

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/bits"
	"slices"
	"strings"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// catalogue is the permissions the code asks for, each with a small number. It never changes while the process runs.
type catalogue struct {
	keys   []string   // by number, sorted
	params [][]string // by number, sorted: the parameters of each
	about  []string   // by number: the descriptions
	ids    map[string]uint32
}

// newCatalogue reads the permissions, each with its description. A key may name parameters: "report.view(metric)".
func newCatalogue(about map[string]string) *catalogue {
	c := &catalogue{ids: make(map[string]uint32, len(about))}
	for i, declared := range slices.Sorted(maps.Keys(about)) {
		key, rest, _ := strings.Cut(declared, "(")
		var params []string
		if rest != "" {
			params = slices.Sorted(strings.SplitSeq(strings.TrimSuffix(rest, ")"), ","))
		}
		c.keys, c.params, c.about = append(c.keys, key), append(c.params, params), append(c.about, about[declared])
		c.ids[key] = uint32(i)
	}
	return c
}

// CheckCatalogue reports keys that are no keys, are declared twice, or have parameters that are none or too many.
func CheckCatalogue(about map[string]string) error {
	var errs []error
	seen := map[string]bool{}
	for _, declared := range slices.Sorted(maps.Keys(about)) {
		key, rest, found := strings.Cut(declared, "(")
		params := strings.Split(strings.TrimSuffix(rest, ")"), ",")
		switch {
		case !ref.IsKey(key) || seen[key]:
			errs = append(errs, fmt.Errorf("%s: not a key, or declared twice", declared))
		case found && (!strings.HasSuffix(rest, ")") || len(params) > MaxParams || slices.ContainsFunc(params, func(p string) bool { return !isParam(p) })):
			errs = append(errs, fmt.Errorf("%s: at most %d parameters, by name", declared, MaxParams))
		}
		seen[key] = true
	}
	return errors.Join(errs...)
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

// compile is what the permissions of a role give, as its parameters are. What the code no longer knows gives no right and is
// left out; [Every] is all there is.
func (c *catalogue) compile(permissions []Instance, params []string) *closure {
	own := &closure{set: make(set, c.words())}
	for _, instance := range permissions {
		if instance == Every {
			for p := range c.keys {
				own.add(c, template{perm: uint32(p), slots: anySlots()})
			}
			continue
		}
		key, b := instance.Split()
		p, ok := c.ids[key]
		switch {
		case ok && b == "": // no parameters, or none when it was written: a release that adds one takes nothing away
			own.add(c, template{perm: p, slots: anySlots()})
		case ok:
			own.add(c, template{perm: p, slots: slotsOf(b, c.params[p], params)})
		}
	}
	own.order()
	return own
}

// each is the members of the set, in order.
func (s set) each() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for i, w := range s {
			for ; w != 0; w &= w - 1 {
				if !yield(uint32(i*64 + bits.TrailingZeros64(w))) { //nolint:gosec // see newCatalogue
					return
				}
			}
		}
	}
}

// list is the keys of a set, sorted; never nil.
func (c *catalogue) list(s set) []string {
	keys := []string{}
	for p := range s.each() {
		keys = append(keys, c.keys[p])
	}
	return keys
}

// known refuses permissions that the catalogue does not have, or that do not bind their parameters as a role with those of
// params can.
func (c *catalogue) known(permissions []Instance, params []Param) error {
	for _, instance := range permissions {
		key, b := instance.Split()
		p, ok := c.ids[key]
		if !ok {
			return unknown(key).On("input.permissions")
		}
		declared := make([]Param, len(c.params[p]))
		for i, name := range c.params[p] {
			declared[i] = Param{Name: name, Type: ParamString}
		}
		if err := checkBindings(b, declared, params); err != nil {
			return fault.From(err).On("input.permissions")
		}
	}
	return nil
}

// all lists the catalogue, by key.
func (c *catalogue) all() []Permission {
	all := make([]Permission, len(c.keys))
	for i, k := range c.keys {
		all[i] = Permission{Key: k, Params: c.params[i], Description: c.about[i]}
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

// Keys is the keys of declared permissions, without their parameters, each with its description.
func Keys(about map[string]string) map[string]string {
	keys := make(map[string]string, len(about))
	for declared, text := range about {
		key, _, _ := strings.Cut(declared, "(")
		keys[key] = text
	}
	return keys
}
