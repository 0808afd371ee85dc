package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/predicate"
)

// Bounds of lists.
const (
	MaxCount    = 10_000 // a list is counted so far
	MaxSort     = 3      // fields a list is sorted by
	MaxFacets   = 10     // fields whose values are counted at once
	facetValues = 50     // told of each
	maxSearch   = 20     // words
)

// Sort is a field a list is sorted by.
type Sort struct {
	Field string
	Desc  bool
}

// ListCmd asks for documents of a content type.
type ListCmd struct {
	Type      string         // key of the content type
	Filter    map[string]any // see docs/filters.md
	Search    string         // words that must all be in the searched fields
	Prefix    string         // what the label begins with, whatever its case and accents
	Sort      []Sort         // at most [MaxSort]; none: the newest first. Absent values come first, or last when descending
	AllowScan bool           // without an index too: needs the permission registry.document.scan
	Bare      bool           // the data is not asked for: it may be left out
	Page      page.Args
}

// sortKey is a field of a sort as the store and the live list take it.
type sortKey struct {
	field    string // as stored
	of       func(Document) any
	desc     bool
	date     bool
	nullable bool
	index    bool
}

// byID is the last key of each sort.
func byID(desc bool) sortKey {
	return sortKey{field: "_id", of: func(d Document) any { return d.ID }, desc: desc, index: true}
}

// sortKeys reads a sort. The ids at the end run as the first field does, so that its index serves both.
//
// Errors: FILTER_INVALID, FIELD_FORBIDDEN, NOT_INDEXED.
func sortKeys(t *compiled, m mask, sorts []Sort, scan bool) ([]sortKey, error) {
	if len(sorts) == 0 {
		return []sortKey{byID(true)}, nil
	}
	bad := func(i int, msg string, args ...any) error {
		return ErrFilter.Saying(msg, args...).With("pointer", "/sort/"+strconv.Itoa(i))
	}
	if len(sorts) > MaxSort {
		return nil, bad(MaxSort, "a list is sorted by at most %d fields", MaxSort)
	}
	var keys []sortKey
	for i, by := range sorts {
		f, ok := t.field(by.Field)
		switch {
		case !ok || f.List || f.Name == "owner" && f.Path == nil:
			return nil, bad(i, "a list cannot be sorted by %q", cut(by.Field, maxMessage))
		case slices.ContainsFunc(sorts[:i], func(o Sort) bool { return o.Field == by.Field }):
			return nil, bad(i, "%s is in the sort twice", f.Name)
		}
		if err := m.knows(t, f); err != nil {
			return nil, err
		}
		if i == 0 && !f.Indexed && !scan {
			return nil, notIndexed(f.Name)
		}
		if f.Path == nil && f.Name == "id" {
			return append(keys, byID(by.Desc)), nil // nothing after it matters
		}
		keys = append(keys, keyOf(f, by.Desc))
	}
	return append(keys, byID(sorts[0].Desc)), nil
}

func keyOf(f Field, desc bool) sortKey {
	k := sortKey{field: f.Column, desc: desc, index: f.Indexed}
	switch {
	case f.Path != nil:
		k.nullable = true
		k.of = func(d Document) any { v, _ := at(d.Data, f.Path); return f.key(v) }
	case f.Name == "label":
		k.field, k.of = "prefix", func(d Document) any { return fold(d.Label) }
	case f.Name == "rev":
		k.of = func(d Document) any { return float64(d.Rev) }
	case f.Name == "createdAt":
		k.date, k.of = true, func(d Document) any { return predicate.Moment(d.CreatedAt) }
	default:
		k.date, k.of = true, func(d Document) any { return predicate.Moment(d.UpdatedAt) }
	}
	return k
}

// compareBy orders two documents as the store does: null first, then by value.
func compareBy(keys []sortKey, a, b Document) int {
	for _, k := range keys {
		sign := compareValues(k.of(a), k.of(b))
		if k.desc {
			sign = -sign
		}
		if sign != 0 {
			return sign
		}
	}
	return 0
}

func compareValues(a, b any) int {
	rank := func(v any) int { // MongoDB's order of kinds
		switch v.(type) {
		case nil:
			return 0
		case float64:
			return 1
		case string:
			return 2
		default:
			return 3
		}
	}
	if sign := cmp.Compare(rank(a), rank(b)); sign != 0 {
		return sign
	}
	switch a := a.(type) {
	case float64:
		return cmp.Compare(a, b.(float64)) //nolint:forcetypeassert // of one rank
	case string:
		return strings.Compare(a, b.(string)) //nolint:forcetypeassert // of one rank
	case bool:
		b, _ := b.(bool)
		switch {
		case a == b:
			return 0
		case a:
			return 1
		}
		return -1
	}
	return 0
}

// position is where a document lies in a list: texts, which hold the values as JSON when there is more than the id.
func position(keys []sortKey, d Document) page.Cursor {
	if len(keys) == 1 {
		return page.Cursor{d.ID}
	}
	c := make(page.Cursor, len(keys))
	for i, k := range keys {
		b, _ := json.Marshal(k.of(d)) // a text, a number, a boolean or null
		c[i] = string(b)
	}
	return c
}

// positionOf reads what position made.
//
// Errors: BAD_CURSOR.
func positionOf(keys []sortKey, c page.Cursor) (page.Cursor, error) {
	if len(keys) == 1 || c == nil {
		return c, nil
	}
	out := make(page.Cursor, len(c))
	for i, v := range c {
		s, _ := v.(string)
		if json.Unmarshal([]byte(s), &out[i]) != nil {
			return nil, page.ErrCursor
		}
		switch out[i].(type) {
		case nil, bool, float64, string:
		default:
			return nil, page.ErrCursor
		}
	}
	return out, nil
}

// selection reads what is asked for.
//
// Errors: as [Service.List].
func (s *Service) selection(ctx context.Context, cmd ListCmd) (selection, error) {
	t, sc, err := s.listable(ctx, cmd.Type)
	if err != nil {
		return selection{}, err
	}
	if err := s.mayScan(ctx, cmd.AllowScan); err != nil {
		return selection{}, err
	}
	m, err := s.mask(ctx, t.ID)
	if err != nil {
		return selection{}, err
	}
	q := selection{t: t, scope: sc}
	if q.search, err = searchOf(t, m, cmd.Search); err != nil {
		return q, err
	}
	if q.prefix, err = prefixOf(t, m, cmd.Prefix); err != nil {
		return q, err
	}
	if q.sort, err = sortKeys(t, m, cmd.Sort, cmd.AllowScan); err != nil {
		return q, err
	}
	r := &filterReader{s: s, t: t, m: m, scan: cmd.AllowScan, bounds: newBounds(), pointers: []string{"filter"}}
	q.filter, err = r.read(ctx, cmd.Filter, q.search != "" || q.prefix != "")
	q.bare = cmd.Bare && len(q.sort) == 1 && len(m.hidden) == 0 // a position, and the label of who may not see all, are made of the data
	return q, err
}

// searchOf is words as $text takes them: each in quotes, so that all must be there.
//
// Errors: FILTER_INVALID, FIELD_FORBIDDEN.
func searchOf(t *compiled, m mask, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	searched := false
	for _, f := range t.fields {
		if f.Searched {
			searched = true
			if err := m.knows(t, f); err != nil {
				return "", err
			}
		}
	}
	words := strings.FieldsFunc(fold(cut(text, maxMessage)), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
	bad := ErrFilter.With("pointer", "/search")
	switch {
	case !searched:
		return "", bad.Saying("no field of this content type is searched")
	case len(words) == 0 || len(words) > maxSearch:
		return "", bad.Saying("a search has 1 to %d words", maxSearch)
	}
	return `"` + strings.Join(words, `" "`) + `"`, nil
}

func prefixOf(t *compiled, m mask, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	label, _ := t.field("label")
	if err := m.knows(t, label); err != nil {
		return "", err
	}
	p := fold(text)
	if p == "" || len(text) > maxValue || strings.Contains(p, "\x00") {
		return "", ErrFilter.Saying("a prefix has 1 to %d bytes", maxValue).With("pointer", "/prefix")
	}
	return p, nil
}

// List reads one page of the documents of a content type: those a filter, a search and a prefix select, in the order of the
// sort. Cost: one read by an index, and those of the filter's targets.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, CONTENT_TYPE_UNKNOWN, PAGE_SIZE, BAD_CURSOR, FILTER_INVALID (with a JSON Pointer),
// FIELD_FORBIDDEN (with the field: it is hidden), NOT_INDEXED (with the field), FILTER_TOO_BROAD.
func (s *Service) List(ctx context.Context, cmd ListCmd) (page.Page[Document], error) {
	q, err := s.selection(ctx, cmd)
	if err != nil {
		return page.Page[Document]{}, err
	}
	w, err := cmd.Page.Check(len(q.sort))
	if err != nil {
		return page.Page[Document]{}, err
	}
	if w.After, err = positionOf(q.sort, w.After); err != nil {
		return page.Page[Document]{}, err
	}
	if w.Before, err = positionOf(q.sort, w.Before); err != nil {
		return page.Page[Document]{}, err
	}
	read, err := s.store.window(ctx, q, w)
	if q.bare && err == nil && slices.ContainsFunc(read, func(d Document) bool { return d.Version != q.t.Version }) {
		q.bare = false // and so is the label of what was written by an older schema
		read, err = s.store.window(ctx, q, w)
	}
	if err != nil {
		return page.Page[Document]{}, err
	}
	if err := s.masked(ctx, read); err != nil {
		return page.Page[Document]{}, err
	}
	return page.Fold(w, read, func(d Document) page.Cursor { return position(q.sort, d) }), nil
}

// Count counts what [Service.List] lists, up to limit (1 to [MaxCount]). Cost: one read by an index.
//
// Errors: as List.
func (s *Service) Count(ctx context.Context, cmd ListCmd, limit int) (int, error) {
	q, err := s.selection(ctx, cmd)
	switch {
	case err != nil:
		return 0, err
	case limit < 1 || limit > MaxCount:
		return 0, ErrFilter.Saying("a list is counted up to 1 to %d", MaxCount).With("pointer", "/limit")
	}
	q.sort = nil
	return s.store.count(ctx, q, limit)
}

// FacetsCmd asks how often the values of fields are among documents.
type FacetsCmd struct {
	Type      string
	Filter    map[string]any
	Search    string
	Fields    []string // 1 to [MaxFacets]
	AllowScan bool
}

// Facet is the values of a field with how often they are, at most 50, the most frequent first.
type Facet struct {
	Field  string
	Values []FacetValue
}

// FacetValue is one of them. Of a list each element counts. Nil stands for documents without one, but not for empty lists.
type FacetValue struct {
	Value any
	Count int
}

// Facets counts the values of some fields among the documents that a filter and a search select. Cost: one read for each
// field, of as many entries as are selected.
//
// Errors: as [Service.List].
func (s *Service) Facets(ctx context.Context, cmd FacetsCmd) ([]Facet, error) {
	q, err := s.selection(ctx, ListCmd{Type: cmd.Type, Filter: cmd.Filter, Search: cmd.Search, AllowScan: cmd.AllowScan})
	if err != nil {
		return nil, err
	}
	m, err := s.mask(ctx, q.t.ID)
	if err != nil {
		return nil, err
	}
	fields, err := facetFields(q.t, m, cmd)
	if err != nil {
		return nil, err
	}
	all := make([]Facet, len(fields))
	for i, f := range fields {
		values, err := s.store.facet(ctx, q, f, facetValues)
		if err != nil {
			return nil, err
		}
		all[i] = Facet{Field: f.Name, Values: values}
	}
	return all, nil
}

func facetFields(t *compiled, m mask, cmd FacetsCmd) ([]Field, error) {
	if n := len(cmd.Fields); n < 1 || n > MaxFacets {
		return nil, ErrFilter.Saying("facets are asked of 1 to %d fields", MaxFacets).With("pointer", "/fields")
	}
	var fields []Field
	for i, name := range cmd.Fields {
		f, ok := t.field(name)
		if !ok || f.Path == nil {
			return nil, ErrFilter.Saying("there are no facets of %q", cut(name, maxMessage)).With("pointer", "/fields/"+strconv.Itoa(i))
		}
		if err := m.knows(t, f); err != nil {
			return nil, err
		}
		if !f.Indexed && !cmd.AllowScan {
			return nil, notIndexed(f.Name)
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// Fields are what filters, sorts and facets of a content type can name, by its id. Cost: no read when warm, else one.
//
// Errors: CONTENT_TYPE_UNKNOWN.
func (s *Service) Fields(ctx context.Context, typeID string) ([]Field, error) {
	t, err := s.types.id(ctx, typeID)
	if err != nil {
		return nil, err
	}
	return slices.Clone(t.fields), nil
}
