package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// Bounds of fields.
const (
	// MaxIndexed is how many fields of a content type may be indexed.
	MaxIndexed = 12

	maxFields = 500      // of a content type that filters know
	maxWords  = 16 << 10 // bytes of the text that is searched
	maxKey    = 200      // bytes of a text as an index keeps it; longer ones end with a hash
	maxValue  = 190      // bytes of a text in a filter: it then compares with a cut one as with the whole
)

// FieldKind is what the values of a field are.
type FieldKind string

// The kinds.
const (
	KindText      FieldKind = "TEXT"
	KindNumber    FieldKind = "NUMBER"
	KindBoolean   FieldKind = "BOOLEAN"
	KindDate      FieldKind = "DATE"      // a text of the format date or date-time, compared as text
	KindReference FieldKind = "REFERENCE" // a global id
)

// Field is a part of a document that filters and lists can name: a scalar of the data, an array of scalars, or what every
// document has besides its data.
type Field struct {
	Path     []string // below data; nil for what is no data
	Name     string   // as clients write it: the path with dots, after "data." where a field that is no data has this name
	Kind     FieldKind
	List     bool // an array of such values
	Time     bool // a date with a time of day
	Indexed  bool // an index serves filters, the sort and facets of it
	Searched bool // text search looks into it
	Column   string
}

// metaFields are those of every document.
var metaFields = []Field{
	{Name: "id", Kind: KindReference, Indexed: true, Column: "_id"},
	{Name: "owner", Kind: KindReference, Indexed: true, Column: "owner.id"},
	{Name: "label", Kind: KindText, Indexed: true, Column: "label"},
	{Name: "rev", Kind: KindNumber, Column: "rev"},
	{Name: "createdAt", Kind: KindDate, Indexed: true, Column: "createdAt"},
	{Name: "updatedAt", Kind: KindDate, Column: "updatedAt"},
}

// attribute is the path of a field among the attributes of a document: see [Document.attributes].
func (f Field) attribute() []string {
	if f.Path == nil {
		return []string{f.Name}
	}
	return append([]string{"data"}, f.Path...)
}

// marks is the compiled keywords `index` and `search`.
type marks struct{ Index, Search bool }

// Validate does nothing: the keywords say nothing of values.
func (*marks) Validate(*jsonschema.ValidatorContext, any) {}

// marksForm is what the keywords must look like.
const marksForm = `{"properties": {"index": {"type": "boolean"}, "search": {"type": "boolean"}}}`

func compileMarks(_ *jsonschema.CompilerContext, schema map[string]any) (jsonschema.SchemaExt, error) {
	index, _ := schema["index"].(bool)
	search, _ := schema["search"].(bool)
	if !index && !search {
		return nil, nil //nolint:nilnil // the library's word for "no such keyword here"
	}
	return &marks{index, search}, nil
}

// shape is what the schemas of one value say of it together.
type shape struct {
	types    map[string]bool
	format   string
	pointed  bool
	marks    marks
	members  map[string][]*jsonschema.Schema
	items    []*jsonschema.Schema
	together []*jsonschema.Schema
}

// gather adds what s, what it refers to and what it demands say.
func (h *shape) gather(s *jsonschema.Schema) {
	if s == nil || slices.Contains(h.together, s) {
		return
	}
	h.together = append(h.together, s)
	if s.Types != nil && h.types == nil {
		h.types = map[string]bool{}
		for _, t := range s.Types.ToStrings() {
			h.types[t] = true
		}
	}
	if s.Format != nil {
		h.format = s.Format.Name
	}
	for _, x := range s.Extensions {
		switch x := x.(type) {
		case *rule:
			h.pointed = true
		case *marks:
			h.marks = marks{h.marks.Index || x.Index, h.marks.Search || x.Search}
		}
	}
	for name, p := range s.Properties {
		h.members[name] = append(h.members[name], p)
	}
	if s.Items2020 != nil && len(s.PrefixItems) == 0 {
		h.items = append(h.items, s.Items2020)
	}
	h.gather(s.Ref)
	for _, sub := range s.AllOf {
		h.gather(sub)
	}
}

func shapeOf(schemas ...*jsonschema.Schema) *shape {
	h := &shape{members: map[string][]*jsonschema.Schema{}}
	for _, s := range schemas {
		h.gather(s)
	}
	return h
}

// scalar is the kind of values that are null or of one kind; false for others.
func (h *shape) scalar() (FieldKind, bool) {
	var one []string
	for t := range h.types {
		if t == "integer" {
			t = "number"
		}
		if t != "null" && !slices.Contains(one, t) {
			one = append(one, t)
		}
	}
	switch {
	case h.pointed && (len(one) == 0 || len(one) == 1 && one[0] == "string"):
		return KindReference, true
	case len(one) != 1:
		return "", false
	case one[0] == "string" && (h.format == "date" || h.format == "date-time"):
		return KindDate, true
	}
	kind, ok := map[string]FieldKind{"string": KindText, "number": KindNumber, "boolean": KindBoolean}[one[0]]
	return kind, ok
}

// lookup finds the fields of a schema.
type lookup struct {
	fields []Field
	open   map[*jsonschema.Schema]bool // on the way to here: a schema within itself has no end
	used   map[*jsonschema.Schema]bool // those whose keywords made a field
}

// fieldsOf derives the fields of a content type, by name, and refuses the keywords `index` and `search` where they would do
// nothing.
//
// Errors: SCHEMA_INVALID.
func fieldsOf(s *jsonschema.Schema) ([]Field, error) {
	l := lookup{open: map[*jsonschema.Schema]bool{}, used: map[*jsonschema.Schema]bool{}}
	l.members(shapeOf(s), nil)
	if err := l.unused(s, map[*jsonschema.Schema]bool{}); err != nil {
		return nil, err
	}
	slices.SortFunc(l.fields, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return l.fields, nil
}

func (l *lookup) members(h *shape, path []string) {
	for _, s := range h.together {
		if l.open[s] || len(path) > MaxDepth {
			return
		}
	}
	for _, s := range h.together {
		l.open[s] = true
		defer delete(l.open, s)
	}
	for _, name := range slices.Sorted(maps.Keys(h.members)) {
		if name != "" && name[0] != '$' && !strings.ContainsAny(name, ".\x00") { // no data has such a key
			l.member(shapeOf(h.members[name]...), append(slices.Clone(path), name))
		}
	}
}

func (l *lookup) member(h *shape, path []string) {
	f := Field{Path: path, Name: strings.Join(path, "."), Indexed: h.marks.Index, Searched: h.marks.Search, Time: h.format == "date-time"}
	if slices.ContainsFunc(metaFields, func(m Field) bool { return m.Name == f.Name }) || path[0] == "data" {
		f.Name = "data." + f.Name
	}
	used := h.together
	var ok bool
	if f.Kind, ok = h.scalar(); !ok {
		items := shapeOf(h.items...)
		if len(h.items) == 0 {
			l.members(h, path)
			return
		}
		if f.Kind, ok = items.scalar(); !ok || items.types["null"] {
			return
		}
		f.List = true
		f.Indexed, f.Searched = f.Indexed || items.marks.Index, f.Searched || items.marks.Search
		used = append(used, items.together...)
	}
	if len(l.fields) == maxFields || f.Searched && f.Kind != KindText {
		return
	}
	for _, s := range used {
		l.used[s] = true
	}
	l.fields = append(l.fields, f)
}

// unused refuses keywords at schemas that made no field.
func (l *lookup) unused(s *jsonschema.Schema, seen map[*jsonschema.Schema]bool) error {
	if s == nil || seen[s] {
		return nil
	}
	seen[s] = true
	for _, x := range s.Extensions {
		if _, marked := x.(*marks); marked && !l.used[s] {
			return ErrSchema.Saying("index and search may stand at properties that hold a text, number, boolean or reference, or an array " +
				"of one kind of them, and search at texts alone")
		}
	}
	b := branchesOf(s)
	for _, list := range [][]*jsonschema.Schema{b.here, b.each, b.all} {
		for _, sub := range list {
			if err := l.unused(sub, seen); err != nil {
				return err
			}
		}
	}
	return nil
}

// assignSlots gives each indexed field a slot: the one it had, else the lowest that is free.
//
// Errors: SCHEMA_INVALID when there are too many.
func assignSlots(previous map[string]int, fields []Field) (map[string]int, error) {
	slots, taken := map[string]int{}, map[int]bool{}
	for _, f := range fields {
		if n, had := previous[f.Name]; had && f.Indexed {
			slots[f.Name], taken[n] = n, true
		}
	}
	next := 0
	for _, f := range fields {
		if _, has := slots[f.Name]; has || !f.Indexed {
			continue
		}
		for taken[next] {
			next++
		}
		slots[f.Name], taken[next] = next, true
	}
	if len(slots) > MaxIndexed {
		return nil, ErrSchema.Saying("%d fields are indexed; %d are allowed", len(slots), MaxIndexed)
	}
	if len(slots) == 0 {
		return nil, nil //nolint:nilnil // no slot is no map
	}
	return slots, nil
}

// slotColumn is where the value of a slot is kept.
func slotColumn(n int) string { return fmt.Sprintf("x.k%d", n) }

// index gives a compiled type its fields, with their columns by the slots of the type.
func (c *compiled) index() error {
	fields, err := fieldsOf(c.schema)
	if err != nil {
		return err
	}
	if c.Slots, err = assignSlots(c.Slots, fields); err != nil {
		return err
	}
	for i, f := range fields {
		if n, has := c.Slots[f.Name]; has && f.Indexed {
			fields[i].Column = slotColumn(n)
		} else {
			fields[i].Column, fields[i].Indexed = "data."+strings.Join(f.Path, "."), false
		}
	}
	c.fields = slices.Concat(metaFields, fields)
	c.byPath = map[string]Field{}
	for _, f := range c.fields {
		c.byPath[strings.Join(f.attribute(), ".")] = f
	}
	return nil
}

// field finds a field by the name clients write; "data." may always stand before a field of the data.
func (c *compiled) field(name string) (Field, bool) {
	for _, f := range c.fields {
		if f.Name == name {
			return f, true
		}
	}
	f, ok := c.byPath[name]
	return f, ok
}

// derive fills what a document keeps of its own data for its indexes. Whatever writes a document calls it before.
func derive(c *compiled, d *Document) {
	d.Index, d.Words = nil, ""
	var words strings.Builder
	for _, f := range c.fields {
		if f.Path == nil || !f.Indexed && !f.Searched {
			continue
		}
		v, _ := at(d.Data, f.Path)
		if f.Indexed && strings.HasPrefix(f.Column, "x.") {
			if d.Index == nil {
				d.Index = map[string]any{}
			}
			d.Index[strings.TrimPrefix(f.Column, "x.")] = f.key(v)
		}
		if f.Searched && words.Len() < maxWords {
			addWords(&words, v)
		}
	}
	if d.Words = words.String(); len(d.Words) > maxWords {
		d.Words = strings.ToValidUTF8(d.Words[:maxWords], "")
	}
	d.Prefix = fold(d.Label)
}

func addWords(b *strings.Builder, v any) {
	switch v := v.(type) {
	case string:
		b.WriteString(fold(cut(v, maxWords)))
		b.WriteByte('\n')
	case []any:
		for _, e := range v {
			if b.Len() < maxWords {
				addWords(b, e)
			}
		}
	}
}

// key is a value as an index keeps it and lists sort by it: numbers as doubles, as filters compare them, long texts cut.
func (f Field) key(v any) any {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case string:
		if len(v) <= maxKey {
			return v
		}
		sum := sha256.Sum256([]byte(v))
		return cut(v, maxKey) + hex.EncodeToString(sum[:16])
	case []any:
		all := make([]any, len(v))
		for i, e := range v {
			all[i] = f.key(e)
		}
		return all
	default:
		return v
	}
}

// fold is a text for comparisons that know neither case nor accents; spaces are single.
func fold(s string) string {
	plain, _, err := transform.String(transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn)), norm.NFC), s)
	if err != nil {
		plain = s
	}
	return strings.Join(strings.Fields(strings.ToLower(plain)), " ")
}

// bare is a document without what its indexes keep: as it is told and shown.
func (d Document) bare() Document {
	d.Index, d.Words, d.Prefix = nil, "", ""
	return d
}
