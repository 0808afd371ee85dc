package graph

import (
	"testing"

	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/graph/model"
)

// TestUrgentIsInTheSchema: what is refused last are mutations that there are, and that are not for everybody anyway.
func TestUrgentIsInTheSchema(t *testing.T) {
	t.Parallel()
	s := newServer(&testRoot{}, nil, nil, loader.Sources{}, Config{}, nil, Hooks{})
	for name := range urgent {
		f := s.schema.Mutation.Fields.ForName(name)
		if f == nil || s.access[f].rule == model.AccessRulePublic {
			t.Errorf("%s: %v", name, f)
		}
	}
}

// TestLoad: places are given up to the number that somebody may find taken, and come back.
func TestLoad(t *testing.T) {
	t.Parallel()
	l := &load{most: 4}
	for i := range 5 {
		if got := l.enter(l.most); got != (i < 4) {
			t.Errorf("number %d: %v", i, got)
		}
	}
	l.busy.Add(-1)
	if l.enter(3) || !l.enter(4) {
		t.Error("the less urgent gets the last place, or nobody does")
	}
}
