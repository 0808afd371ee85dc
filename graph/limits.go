package graph

import (
	"strings"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
)

// Config bounds what a request may ask for. Zero values mean the defaults written beside them.
type Config struct {
	MaxBodyBytes     int64         // of a POST, default 1 MiB
	MaxDocumentBytes int           // of the GraphQL text alone, default 64 KiB
	MaxTokens        int           // of a document, default 5,000; the introspection of GraphiQL has 400
	MaxDepth         int           // levels of fields, default 15, which is what introspection needs
	MaxAliases       int           // each counted as often as its fragment is spread, default 30
	MaxRootFields    int           // of an operation, default 20
	MaxDirectives    int           // in a document, default 50
	MaxCost          int           // fields that the answer of an operation may have, default 100,000: see costOf
	MaxRepeats       int           // of one response name in one selection set, default 20
	DocCacheBytes    int           // of documents that passed, kept parsed; default 16 MiB, negative for none
	Timeout          time.Duration // of a query or mutation that sets no deadline, default 10 s
	MaxTimeout       time.Duration // the longest deadline a client may set, default 30 s
	Slow             time.Duration // from here on a query or mutation is told to [Hooks.Slow]; zero for never
	Concurrent       int           // queries and mutations at work at once, default 512: see load
	Down             func() error  // an error while the database has been out of reach for some time; nil for never
	Introspection    bool          // whether the schema may be asked for
	Clock            clock.Clock   // nil for the machine's; for the pace of operations
	Development      bool          // introspection, and errors that suggest what was meant, for everybody: see PermExplore
	TrustedOnly      bool          // documents that are not registered by Trust are refused, but for holders of PermExplore
}

// Bounds that nothing legitimate comes near. maxFields bounds what executing one operation may visit for each object;
// maxWalk bounds what the validator visits, which walks each fragment anew from each definition that reaches it.
const (
	maxFields = 10_000
	maxWalk   = 20_000
)

func (c Config) withDefaults() Config {
	c.MaxBodyBytes = or(c.MaxBodyBytes, 1<<20)
	c.MaxDocumentBytes = or(c.MaxDocumentBytes, 64<<10)
	c.MaxTokens = or(c.MaxTokens, 5000)
	c.MaxDepth = or(c.MaxDepth, 15)
	c.MaxAliases = or(c.MaxAliases, 30)
	c.MaxRootFields = or(c.MaxRootFields, 20)
	c.MaxDirectives = or(c.MaxDirectives, 50)
	c.MaxCost = or(c.MaxCost, 100_000)
	c.MaxRepeats = or(c.MaxRepeats, 20)
	c.DocCacheBytes = or(c.DocCacheBytes, 16<<20)
	c.Concurrent = or(c.Concurrent, 512)
	c.Timeout = or(c.Timeout, 10*time.Second)
	c.MaxTimeout = or(c.MaxTimeout, 30*time.Second)
	return c
}

// or is v, or def when v is zero.
func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// extent is how much a selection set asks for, its fragments written out. Numbers stop growing at far.
type extent struct {
	fields  int // fields and fragments
	roots   int // fields of the set itself
	aliases int
	depth   int // levels of fields
}

const far = 1 << 30

func (e *extent) add(o extent, below bool) {
	e.fields = min(e.fields+o.fields, far)
	e.aliases = min(e.aliases+o.aliases, far)
	if below {
		e.depth = max(e.depth, o.depth+1)
		return
	}
	e.depth = max(e.depth, o.depth)
	e.roots = min(e.roots+o.roots, far)
}

// meter measures a parsed document before anything else looks at it. It visits each node once: the extent of a fragment
// is kept, so that fragments which double one another cost no more than they are long.
type meter struct {
	fragments  map[string]*ast.FragmentDefinition
	extents    map[string]*extent // nil while it is being measured: a cycle, which validation refuses
	nodes      int                // selections, arguments, values: what the document takes in memory
	directives int
	repeats    int
	introspect bool // __schema or __type is selected somewhere
	most       extent
}

// measure checks a document against the limits and reports what it found on the way.
//
// Errors: QUERY_TOO_DEEP, QUERY_TOO_COMPLEX.
func (c Config) measure(doc *ast.QueryDocument) (*meter, error) {
	m := &meter{
		fragments: make(map[string]*ast.FragmentDefinition, len(doc.Fragments)),
		extents:   make(map[string]*extent, len(doc.Fragments)),
	}
	for _, f := range doc.Fragments {
		if m.fragments[f.Name] == nil { // a second one of the name is refused later, and still has to be cheap
			m.fragments[f.Name] = f
		}
	}
	walk := 0
	for _, op := range doc.Operations {
		m.annotations(op.Directives)
		for _, v := range op.VariableDefinitions {
			m.nodes++
			m.value(v.DefaultValue)
			m.annotations(v.Directives)
		}
		e := m.set(op.SelectionSet)
		if err := c.check(e); err != nil {
			return nil, err
		}
		if e.roots > c.MaxRootFields {
			return nil, ErrTooComplex
		}
		walk += e.fields
		m.most.depth, m.most.fields = max(m.most.depth, e.depth), max(m.most.fields, e.fields)
	}
	for _, f := range doc.Fragments {
		e := m.fragment(f.Name)
		if m.fragments[f.Name] != f {
			e = m.set(f.SelectionSet)
		}
		if err := c.check(e); err != nil {
			return nil, err
		}
		walk += e.fields
	}
	if m.directives > c.MaxDirectives || m.repeats > c.MaxRepeats || walk > maxWalk {
		return nil, ErrTooComplex
	}
	return m, nil
}

func (c Config) check(e extent) *fault.Error {
	switch {
	case e.depth > c.MaxDepth:
		return ErrTooDeep
	case e.aliases > c.MaxAliases, e.fields > maxFields:
		return ErrTooComplex
	default:
		return nil
	}
}

func (m *meter) fragment(name string) extent {
	if e, known := m.extents[name]; known {
		if e == nil {
			return extent{}
		}
		return *e
	}
	f := m.fragments[name]
	if f == nil {
		return extent{} // validation says so
	}
	m.extents[name] = nil
	m.annotations(f.Directives)
	e := m.set(f.SelectionSet)
	m.extents[name] = &e
	return e
}

func (m *meter) set(set ast.SelectionSet) extent {
	return m.selections(set, make(map[string]int, len(set)))
}

// selections measures a set or an inline fragment of one; names counts the response names of the whole set.
func (m *meter) selections(set ast.SelectionSet, names map[string]int) extent {
	var e extent
	for _, sel := range set {
		m.nodes++
		e.fields = min(e.fields+1, far)
		switch sel := sel.(type) {
		case *ast.Field:
			m.annotations(sel.Directives)
			m.arguments(sel.Arguments)
			m.introspect = m.introspect || strings.HasPrefix(sel.Name, "__") && sel.Name != "__typename"
			names[sel.Alias]++
			m.repeats = max(m.repeats, names[sel.Alias])
			e.roots = min(e.roots+1, far)
			if sel.Alias != sel.Name {
				e.aliases = min(e.aliases+1, far)
			}
			e.add(m.set(sel.SelectionSet), true)
		case *ast.InlineFragment:
			m.annotations(sel.Directives)
			e.add(m.selections(sel.SelectionSet, names), false)
		case *ast.FragmentSpread:
			m.annotations(sel.Directives)
			e.add(m.fragment(sel.Name), false)
		}
	}
	return e
}

func (m *meter) annotations(list ast.DirectiveList) {
	m.directives += len(list)
	for _, d := range list {
		m.nodes++
		m.arguments(d.Arguments)
	}
}

func (m *meter) arguments(list ast.ArgumentList) {
	for _, a := range list {
		m.nodes++
		m.value(a.Value)
	}
}

func (m *meter) value(v *ast.Value) {
	if v == nil {
		return
	}
	m.nodes++
	for _, c := range v.Children {
		m.value(c.Value)
	}
}
