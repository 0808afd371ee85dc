package exec

import (
	"bufio"
	"context"
	"io"
	"sync"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
)

// FieldSet is [graphql.FieldSet]: the fields of one object and their values. It belongs to one goroutine until it is
// dispatched.
type FieldSet struct {
	fields   []graphql.CollectedField
	Values   []graphql.Marshaler
	Invalids uint32 // values that must not be null and are
	tasks    []task
}

// task computes the value of a field.
type task struct {
	field   int
	waits   bool
	invalid graphql.Marshaler // the value by which the object is invalid
	run     func(context.Context) graphql.Marshaler
}

// NewFieldSet makes the set of an object.
func NewFieldSet(fields []graphql.CollectedField) *FieldSet {
	return &FieldSet{fields: fields, Values: make([]graphql.Marshaler, len(fields))}
}

// ResolveConcurrently leaves a field to Dispatch.
func (s *FieldSet) ResolveConcurrently(
	oc *graphql.OperationContext, _ *graphql.DeferredGroup, i int, recovers, nonNull bool, resolve func(ctx context.Context) graphql.Marshaler,
) {
	s.add(i, nonNull, func(ctx context.Context) graphql.Marshaler { return recovered(ctx, recovers, oc, resolve) })
}

// ResolveRootConcurrently leaves a field of the root to Dispatch, with the context of its own that it came with.
func (s *FieldSet) ResolveRootConcurrently(
	ctx context.Context, oc *graphql.OperationContext, i int, recovers, nonNull bool, resolve func(ctx context.Context) graphql.Marshaler,
) {
	s.add(i, nonNull, func(context.Context) graphql.Marshaler {
		return oc.RootResolverMiddleware(ctx, func(ctx context.Context) graphql.Marshaler { return recovered(ctx, recovers, oc, resolve) })
	})
}

func (s *FieldSet) add(i int, nonNull bool, run func(context.Context) graphql.Marshaler) {
	invalid := graphql.RequiredNull
	if nonNull {
		invalid = graphql.Null
	}
	s.tasks = append(s.tasks, task{field: i, invalid: invalid, run: run})
}

// Dispatch computes what was left to it: fields that wait at the same time, the others meanwhile.
func (s *FieldSet) Dispatch(ctx context.Context) {
	if len(s.tasks) < 2 {
		for i := range s.tasks {
			s.run(ctx, &s.tasks[i])
		}
		return
	}
	plan := planOf(ctx)
	var begun sync.WaitGroup
	var here *task // the first that waits needs no goroutine
	for i := range s.tasks {
		t := &s.tasks[i]
		t.waits = plan.Waits(s.fields[t.field].Field)
		switch {
		case t.waits && here == nil:
			here = t
		case t.waits:
			begun.Go(func() { s.run(ctx, t) })
		}
	}
	for i := range s.tasks {
		if t := &s.tasks[i]; !t.waits {
			s.run(ctx, t)
		}
	}
	if here != nil {
		s.run(ctx, here)
	}
	begun.Wait()
}

func (s *FieldSet) run(ctx context.Context, t *task) {
	v := t.run(ctx)
	s.Values[t.field] = v
	if v == t.invalid {
		atomic.AddUint32(&s.Invalids, 1)
	}
}

// fewFields is up to how many fields the names that were written are looked through.
const fewFields = 24

// MarshalGQL implements [graphql.Marshaler]. Of fields with the same response name the first is written.
func (s *FieldSet) MarshalGQL(w io.Writer) {
	var written map[string]struct{}
	if len(s.fields) > fewFields {
		written = make(map[string]struct{}, len(s.fields))
	}
	b, buffered := w.(buffer)
	if !buffered {
		b = bufio.NewWriter(w)
	}
	sep := byte('{')
	for i := range s.fields {
		name := s.fields[i].Alias // a name of GraphQL: nothing in it is escaped
		if s.wrote(name, i, written) {
			continue
		}
		_ = b.WriteByte(sep)
		_ = b.WriteByte('"')
		_, _ = b.WriteString(name)
		_, _ = b.WriteString(`":`)
		s.Values[i].MarshalGQL(b)
		sep = ','
	}
	if sep == '{' {
		_ = b.WriteByte('{')
	}
	_ = b.WriteByte('}')
	if f, ok := b.(*bufio.Writer); ok && !buffered {
		_ = f.Flush()
	}
}

// buffer is a writer that takes small pieces, such as [bytes.Buffer].
type buffer interface {
	io.Writer
	io.ByteWriter
	io.StringWriter
}

// wrote reports whether a name was among the fields before i.
func (s *FieldSet) wrote(name string, i int, written map[string]struct{}) bool {
	if written != nil {
		_, was := written[name]
		written[name] = struct{}{}
		return was
	}
	for j := range i {
		if s.fields[j].Alias == name {
			return true
		}
	}
	return false
}
