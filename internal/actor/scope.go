package actor

import (
	"maps"
	"slices"
)

// Scope names the permissions an access key is limited to. It gives nothing: its user must hold them as well. It is
// immutable; a nil Scope limits nothing.
type Scope struct{ permissions map[string]struct{} }

// NewScope limits to these permissions.
func NewScope(permissions ...string) *Scope {
	s := &Scope{make(map[string]struct{}, len(permissions))}
	for _, p := range permissions {
		s.permissions[p] = struct{}{}
	}
	return s
}

// Has reports whether the permission is within the scope. It allocates nothing.
func (s *Scope) Has(permission string) bool {
	if s == nil {
		return true
	}
	_, ok := s.permissions[permission]
	return ok
}

// List is the permissions, sorted; nil for a nil Scope.
func (s *Scope) List() []string {
	if s == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(s.permissions))
}
