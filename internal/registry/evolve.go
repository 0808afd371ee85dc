package registry

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// StepOp is what a step of a migration does.
type StepOp string

// The steps.
const (
	StepRename  StepOp = "RENAME"  // Field becomes To; what was To goes
	StepRemove  StepOp = "REMOVE"  // Field goes
	StepDefault StepOp = "DEFAULT" // Field gets Value where it is absent
	StepConvert StepOp = "CONVERT" // Field becomes a To: TEXT, NUMBER, INTEGER, BOOLEAN or LIST; what cannot become one goes
)

// Step is one step of the way from the data of one version of a schema to that of the next. Fields are members of the data
// at the top.
type Step struct {
	Op    StepOp `bson:"op"`
	Field string `bson:"field"`
	To    string `bson:"to,omitempty"`
	Value any    `bson:"value,omitempty"`
}

const maxSteps = 100

func (st Step) check() error {
	bad := func(what string) error {
		return fault.ErrInput.Saying("step %s of %s: %s", st.Op, strconv.Quote(cut(st.Field, maxMessage)), what).On("input.steps")
	}
	named := func(name string) bool { return name != "" && name[0] != '$' && !strings.ContainsAny(name, ".\x00") }
	switch {
	case !named(st.Field):
		return bad("this is no name of a member")
	case st.Op == StepRename && !named(st.To):
		return bad("it becomes what?")
	case st.Op == StepConvert && !slices.Contains([]string{"TEXT", "NUMBER", "INTEGER", "BOOLEAN", "LIST"}, st.To):
		return bad("it becomes TEXT, NUMBER, INTEGER, BOOLEAN or LIST")
	case st.Op == StepDefault && st.Value == nil:
		return bad("there is no value")
	case !slices.Contains([]StepOp{StepRename, StepRemove, StepDefault, StepConvert}, st.Op):
		return bad("there is no such step")
	}
	return nil
}

// loss is a value that a step drops and that nobody asked it to.
type loss struct{ field, why string }

// apply takes the step. It may change data. It gives what is lost by it, or nil.
func (st Step) apply(data map[string]any) *loss {
	v, has := data[st.Field]
	switch st.Op {
	case StepRename:
		if !has || st.To == st.Field {
			return nil
		}
		old := data[st.To]
		delete(data, st.Field)
		if data[st.To] = v; old != nil {
			return &loss{st.To, "another field becomes this one: its value goes"}
		}
	case StepRemove:
		delete(data, st.Field)
	case StepDefault:
		if !has {
			data[st.Field] = st.Value
		}
	case StepConvert:
		if !has {
			return nil
		}
		c, ok := converted(v, st.To)
		if ok {
			data[st.Field] = c
			return nil
		}
		if delete(data, st.Field); v != nil { // null says no more than nothing does
			return &loss{st.Field, "it cannot become " + st.To + ": the value goes"}
		}
	}
	return nil
}

// converted is a value as another kind of value.
func converted(v any, to string) (any, bool) {
	if to == "LIST" {
		if l, ok := v.([]any); ok {
			return l, true
		}
		return []any{v}, v != nil
	}
	text, isText := v.(string)
	switch n := v.(type) {
	case int64:
		text = strconv.FormatInt(n, 10)
	case float64:
		text = strconv.FormatFloat(n, 'g', -1, 64)
	case bool:
		text = strconv.FormatBool(n)
	default:
		if !isText {
			return nil, false
		}
	}
	switch to {
	case "TEXT":
		return text, true
	case "INTEGER":
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		return n, err == nil
	case "NUMBER":
		if n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64); err == nil {
			return n, true
		}
		f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		return f, err == nil
	default:
		b, err := strconv.ParseBool(strings.ToLower(strings.TrimSpace(text)))
		return b, err == nil
	}
}

// defaults are the steps that follow from a schema by itself: what has become required has a default there.
func defaults(top map[string]any) []Step {
	properties, _ := top["properties"].(map[string]any)
	required, _ := top["required"].([]any)
	var steps []Step
	for _, name := range required {
		field, _ := name.(string)
		p, _ := properties[field].(map[string]any)
		if v, has := p["default"]; has {
			steps = append(steps, Step{Op: StepDefault, Field: field, Value: v})
		}
	}
	return steps
}

// lift is a document with its data by the newest version of the schema: in memory, as all who read it see it. In MongoDB a
// job writes it so, or the next change does.
func (c *compiled) lift(d Document) Document {
	d, _ = c.lifted(d)
	return d
}

// lifted is lift, and tells what is lost on the way.
func (c *compiled) lifted(d Document) (Document, []loss) {
	if d.Version >= c.Version || d.Version < 1 {
		return d, nil
	}
	var lost []loss
	data := maps.Clone(d.Data)
	if data == nil {
		data = map[string]any{}
	}
	for _, steps := range c.steps[min(d.Version-1, len(c.steps)):] {
		for _, st := range steps {
			if l := st.apply(data); l != nil {
				lost = append(lost, *l)
			}
		}
	}
	d.Data, d.Version = data, c.Version
	d.Label = c.labelOf(d.ID, data)
	return d, lost
}

// EvolveCmd asks for a new version of a schema.
type EvolveCmd struct {
	Type    string // key of the content type
	Version int    // the version the caller saw
	Schema  map[string]any
	Steps   []Step // how the data there is becomes that of the new version; defaults of what is required come by themselves
	DryRun  bool   // only check the documents
	Force   bool   // also when documents would not be valid: they stay as they are until somebody changes them
}

// SchemaCheck tells what a schema would mean to the documents there are.
type SchemaCheck struct {
	Total    int64
	Invalid  int64
	Problems []SchemaProblem // the first 100
	Dropped  int64           // values that the steps lose: what CONVERT cannot convert, and what is in the way of a RENAME
	Losses   []SchemaProblem // the first 100 of them
	Partial  bool            // there was no time for all: only Total were looked at
}

// SchemaProblem is a document that would not be valid, or lose a value.
type SchemaProblem struct {
	Document ref.Ref
	Pointer  string // into its data
	Message  string
}

const (
	maxProblems = 100
	checkAtOnce = 1000
	checkMargin = 2 * time.Second // of the deadline, to answer in
)

// Evolve gives a content type a new version of its schema. All documents are checked first. Those there are read by the new version at once;
// a job rewrites them in the background. Their revisions stay as they are and are read by the new version too. The event
// registry.type.migrated commits with it. Cost: one find for each 1,000 documents, then 2 reads, 2 writes, 1 commit.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, CONTENT_TYPE_UNKNOWN, CONTENT_TYPE_STALE with version, SCHEMA_INVALID, BAD_USER_INPUT,
// SCHEMA_INCOMPATIBLE with total, invalid and problems.
func (s *Service) Evolve(ctx context.Context, cmd EvolveCmd) (ContentType, SchemaCheck, error) {
	fail := func(err error) (ContentType, SchemaCheck, error) { return ContentType{}, SchemaCheck{}, err }
	if err := s.authz.Require(ctx, PermTypeWrite, ref.Ref{}); err != nil {
		return fail(err)
	}
	old, err := s.types.key(ctx, cmd.Type)
	if err != nil {
		return fail(err)
	}
	if old.Native {
		return fail(fault.ErrInput.Saying("%s is declared in the code", old.Key).On("input.type"))
	}
	next, stored, err := s.evolved(old, cmd)
	if err != nil {
		return fail(err)
	}
	check, err := s.checkDocuments(ctx, old, next)
	if err != nil || cmd.DryRun {
		return old.ContentType, check, err
	}
	if check.Invalid > 0 && !cmd.Force {
		return fail(ErrIncompatible.With("total", check.Total).With("invalid", check.Invalid).With("problems", check.details()))
	}
	row := typeRow{ContentType: next.ContentType, Names: append([]string{next.Key}, next.Aliases...), Schema: string(stored), Steps: next.steps}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.replaceType(ctx, row, old.Version); err != nil {
			return err
		}
		if s.cfg.Jobs != nil {
			if _, err := s.cfg.Jobs(ctx, JobMigrate, next.Ref(), nil); err != nil {
				return err
			}
		}
		return s.events.Append(ctx, kindType+"migrated", next.Ref(), row)
	})
	if err != nil {
		return fail(err)
	}
	s.types.forget(next.ID)
	return next.ContentType, check, s.validators(ctx)
}

// evolved is the content type as it would be.
func (s *Service) evolved(old *compiled, cmd EvolveCmd) (next *compiled, stored []byte, err error) {
	if cmd.Version != old.Version {
		return nil, nil, ErrTypeStale.With("version", old.Version)
	}
	if len(cmd.Steps) > maxSteps {
		return nil, nil, fault.ErrInput.Saying("at most %d steps", maxSteps).On("input.steps")
	}
	for _, st := range cmd.Steps {
		if err := st.check(); err != nil {
			return nil, nil, err
		}
	}
	plain, err := plainSchema(cmd.Schema)
	if err != nil {
		return nil, nil, err
	}
	if stored, err = text(plain); err != nil {
		return nil, nil, err
	}
	t := old.ContentType
	t.Version++
	if next, err = compile(t, stored); err != nil {
		return nil, nil, err
	}
	steps := slices.Concat(cmd.Steps, defaults(plain))
	for i, st := range steps {
		value, err := plainData(map[string]any{"value": st.Value})
		if err != nil {
			return nil, nil, err
		}
		steps[i].Value = value["value"]
	}
	next.steps = append(slices.Clone(old.steps), steps)
	return next, stored, nil
}

// checkDocuments validates all documents of a type by the version that is to come after old.
func (s *Service) checkDocuments(ctx context.Context, old, t *compiled) (SchemaCheck, error) {
	var check SchemaCheck
	after := ""
	for {
		docs, err := s.store.documentsAfter(ctx, t.ID, after, checkAtOnce)
		if err != nil {
			return check, err
		}
		for _, d := range docs {
			check.add(t, old.lift(d)) // what an earlier version lost is not lost by this one
		}
		if len(docs) < checkAtOnce {
			return check, nil
		}
		if end, has := ctx.Deadline(); has && time.Until(end) < checkMargin {
			check.Partial = true
			return check, nil
		}
		after = docs[len(docs)-1].ID
	}
}

func (c *SchemaCheck) add(t *compiled, d Document) {
	c.Total++
	next, lost := t.lifted(d)
	c.Dropped += int64(len(lost))
	for _, l := range lost[:min(len(lost), maxProblems-len(c.Losses))] {
		c.Losses = append(c.Losses, SchemaProblem{Document: d.Ref(), Pointer: pointer([]string{l.field}), Message: l.why})
	}
	err := t.fits(next.Data)
	if err == nil {
		return
	}
	c.Invalid++
	if len(c.Problems) < maxProblems {
		f := fault.From(err)
		at, _ := f.Details["pointer"].(string)
		c.Problems = append(c.Problems, SchemaProblem{Document: d.Ref(), Pointer: at, Message: f.Msg})
	}
}

func (c *SchemaCheck) details() []map[string]any {
	all := make([]map[string]any, len(c.Problems))
	for i, p := range c.Problems {
		all[i] = map[string]any{"document": p.Document.String(), "pointer": p.Pointer, "message": p.Message}
	}
	return all
}

// fits checks data and the references in it against the schema. Cost: memory only.
func (c *compiled) fits(data map[string]any) error {
	if err := c.validate(data); err != nil {
		return err
	}
	_, err := c.links(data)
	return err
}

// RenameCmd asks for another key or name of a content type.
type RenameCmd struct {
	Type string // key
	Key  string // the new one; empty for the one there is
	Name string // the new one; empty for the one there is
}

// Rename gives a content type another key. The old one goes on to lead to it, and references hold its id: no document is
// rewritten. The event registry.type.renamed commits with it. Cost: 1 read, 2 writes, 1 commit.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, CONTENT_TYPE_UNKNOWN, CONTENT_TYPE_TAKEN also by a key that a type had before, BAD_USER_INPUT.
func (s *Service) Rename(ctx context.Context, cmd RenameCmd) (ContentType, error) {
	return s.alterType(ctx, cmd.Type, "renamed", func(row *typeRow) error {
		if cmd.Name != "" {
			row.Name = cmd.Name
		}
		if cmd.Key != "" && cmd.Key != row.Key {
			row.Aliases = slices.DeleteFunc(append(slices.Clone(row.Aliases), row.Key), func(k string) bool { return k == cmd.Key })
			row.Key = cmd.Key
		}
		return s.checkNames(DefineCmd{Key: row.Key, Name: row.Name})
	})
}

// SetState takes a content type out of use, or back into it. Documents of a type out of use stay, but nobody sees them: what points at
// them leads to an object of an unknown type. The event registry.type.retired or .activated commits with it.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, CONTENT_TYPE_UNKNOWN, BAD_USER_INPUT.
func (s *Service) SetState(ctx context.Context, key string, state TypeState) (ContentType, error) {
	kind := map[TypeState]string{Active: "activated", Retired: "retired"}[state]
	if kind == "" {
		return ContentType{}, fault.ErrInput.Saying("there is no such state").On("input.state")
	}
	return s.alterType(ctx, key, kind, func(row *typeRow) error {
		row.State = state
		return nil
	})
}

func (s *Service) alterType(ctx context.Context, key, kind string, change func(row *typeRow) error) (ContentType, error) {
	if err := s.authz.Require(ctx, PermTypeWrite, ref.Ref{}); err != nil {
		return ContentType{}, err
	}
	t, err := s.types.key(ctx, key)
	if err != nil {
		return ContentType{}, err
	}
	if t.Native {
		return ContentType{}, fault.ErrInput.Saying("%s is declared in the code", t.Key).On("input.type")
	}
	var row typeRow
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if row, err = s.store.typeWhere(ctx, "_id", t.ID); err != nil {
			return err
		}
		before := row
		if err := change(&row); err != nil {
			return err
		}
		if reflect.DeepEqual(before, row) {
			return nil
		}
		row.Names = append([]string{row.Key}, row.Aliases...)
		if err := s.store.replaceType(ctx, row, row.Version); err != nil {
			return err
		}
		return s.events.Append(ctx, kindType+kind, t.Ref(), row)
	})
	if err != nil {
		return ContentType{}, err
	}
	s.types.forget(t.ID)
	return row.contentType()
}

// The jobs of this package.
const (
	JobMigrate = "registry.migrate" // on a content type: writes its documents by the newest version of the schema
	JobDelete  = "registry.delete"  // on a document: deletes it with all that hangs on it
	JobVerify  = "registry.verify"  // checks that references and documents agree
)

// Progress is how far a job is, as its steps hand it on.
type Progress struct {
	Done, Total int64
	Cursor      string

	Tally
}

// Tally is what came of a job so far, as it is kept and shown.
type Tally struct {
	Counts   map[string]int64 `json:"counts,omitempty"`
	Refused  string           `json:"refused,omitempty"`  // code of what has ended it early
	Problems []RowProblem     `json:"problems,omitempty"` // of an import, at most 1,000
}

const migrateAtOnce = 500

// MigrateStep writes up to 500 documents of a content type by the newest version of its schema; it is one step of the job
// [JobMigrate], in the transaction of ctx. Documents that are not valid by it are counted as invalid, and stay; values that are lost
// ([SchemaCheck.Dropped], by all versions on the way) are counted as dropped.
func (s *Service) MigrateStep(ctx context.Context, typ ref.Ref, p *Progress) (finished bool, err error) {
	row, err := s.store.typeWhere(ctx, "_id", typ.ID)
	if err != nil {
		return errors.Is(err, ErrTypeUnknown), ignore(err, ErrTypeUnknown)
	}
	t, err := compileRow(row)
	if err != nil {
		return false, err
	}
	if p.Total == 0 {
		if p.Total, err = s.store.countOlder(ctx, t.ID, t.Version); err != nil {
			return false, err
		}
	}
	version, after := 1, ""
	if at, id, found := strings.Cut(p.Cursor, "."); found {
		version, _ = strconv.Atoi(at)
		after = id
	}
	if version >= t.Version {
		return true, nil
	}
	docs, err := s.store.documentsOfVersion(ctx, t.ID, version, after, migrateAtOnce)
	if err != nil {
		return false, err
	}
	if p.Cursor = itoa(version+1) + "."; len(docs) == migrateAtOnce {
		p.Cursor = itoa(version) + "." + docs[len(docs)-1].ID
	}
	held, err := s.store.referencesFrom(ctx, documentIDs(docs))
	if err != nil {
		return false, err
	}
	var lifted []Document
	var gone []string
	var added []Reference
	for _, d := range docs {
		p.Done++
		at, lost := t.lifted(d)
		next := draft{Document: at}
		if err := s.fill(t, &next, next.Data); err != nil {
			p.count("invalid", 1)
			continue
		}
		if len(lost) > 0 {
			p.count("dropped", int64(len(lost)))
		}
		lifted = append(lifted, next.Document)
		rowsGone, rowsAdded := difference(held[d.ID], rows(d, next.links))
		gone, added = append(gone, rowsGone...), append(added, rowsAdded...)
	}
	if len(lifted) > 0 {
		if err := s.store.liftDocuments(ctx, lifted); err != nil {
			return false, err
		}
	}
	if err := s.store.deleteReferences(ctx, gone); err != nil {
		return false, err
	}
	return false, s.store.insertReferences(ctx, added)
}

func (p *Progress) count(what string, n int64) {
	if p.Counts == nil {
		p.Counts = map[string]int64{}
	}
	p.Counts[what] += n
}

func ignore(err, what error) error {
	if errors.Is(err, what) {
		return nil
	}
	return err
}

func documentIDs(ds []Document) []string {
	ids := make([]string, len(ds))
	for i, d := range ds {
		ids[i] = d.ID
	}
	return ids
}

// Outdated is how many documents of a content type are not written by the newest version of its schema yet. Cost: one count.
func (s *Service) Outdated(ctx context.Context, typeID string) (int64, error) {
	if _, err := s.readable(ctx, ref.ContentType); err != nil {
		return 0, err
	}
	t, err := s.types.id(ctx, typeID)
	if err != nil {
		return 0, err
	}
	return s.store.countOlder(ctx, t.ID, t.Version)
}
