package rbac

// Outranks reports whether one user may do everything another may, and something besides. It looks into memory only; a
// node that has lost sight of the policy says no.
func (s *Service) Outranks(who, whom string) bool {
	now := s.now().UnixMilli()
	p := s.current(now)
	if p == nil || who == "" || whom == "" {
		return false
	}
	a, b := p.people.of(who), p.people.of(whom)
	mine, theirs := p.rights(&a, now), p.rights(&b, now)
	return len(p.missing(mine, theirs, nil, nil)) == 0 && len(p.missing(theirs, mine, nil, nil)) > 0
}

// Obliges reports whether a user holds the role now, by whatever way, for limits that come with it. It looks into memory
// only. Unlike [Service.HoldsAny], a node that has lost sight of the policy says no: it refuses every check by then, and to
// sign everybody out besides would help nobody.
func (s *Service) Obliges(user, role string) bool {
	return s.current(s.now().UnixMilli()) != nil && s.HoldsAny(user, []string{role})
}
