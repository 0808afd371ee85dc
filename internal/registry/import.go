package registry

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/table"
)

// JobImport makes documents of a table that was handed in.
const JobImport = "registry.import"

// Files is where tables wait to be imported.
type Files interface {
	// Put keeps all of r under a key that the server has made, and gives its length in bytes.
	Put(ctx context.Context, key string, r io.Reader) (int64, error)
	// Open reads from offset to the end.
	Open(ctx context.Context, key string, offset int64) (io.ReadCloser, error)
	// Delete removes a key; one that is absent is no error.
	Delete(ctx context.Context, key string) error
}

// ErrMapping says that the mapping of an import names what is not there.
var ErrMapping = fault.Define(fault.Invalid, "IMPORT_MAPPING", "the mapping does not fit the content type")

// ImportCmd asks to make documents of the rows of a table.
type ImportCmd struct {
	Type   string // key of the content type
	Format table.Format
	// Map says which column becomes which field, by its name in the data; an empty field leaves the column out. A column that is not
	// named becomes the field of the same name, whatever its case and signs, and is left out where there is none.
	Map    map[string]string
	DryRun bool // only check all rows
	Skip   bool // leave bad rows out; else the first one ends the import, with the rows before it made
}

// importArgs are the arguments of the job.
type importArgs struct {
	ImportCmd

	File string // key
}

// RowProblem is a row that is no document.
type RowProblem struct {
	Row     int64  `json:"row"` // the line it begins on, or in JSON the item it is, from 1
	Code    string `json:"code"`
	Pointer string `json:"pointer,omitempty"` // into the data
	Message string `json:"message"`
}

const (
	importAtOnce   = 500
	maxRowProblems = 1000
	filesPrefix    = "imports/"
	endOfImport    = "end"
)

// StartImport keeps a table and starts the job that makes documents of it, owned by the actor. Cost: that of the file, one write.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, CONTENT_TYPE_UNKNOWN, CONTENT_TYPE_RETIRED, TABLE_FORMAT, IMPORT_MAPPING; those of r.
func (s *Service) StartImport(ctx context.Context, cmd ImportCmd, r io.Reader) (job string, err error) {
	if err := s.authz.Require(ctx, PermCreate, ref.Ref{}); err != nil {
		return "", err
	}
	t, err := s.types.key(ctx, cmd.Type)
	if err != nil {
		return "", err
	}
	if t.State == Retired {
		return "", ErrTypeRetired
	}
	if !slices.Contains([]table.Format{table.CSV, table.JSON, table.NDJSON}, cmd.Format) {
		return "", table.ErrFormat
	}
	for column, field := range cmd.Map {
		if _, known := t.field(field); field != "" && !known {
			return "", ErrMapping.Saying("there is no field %s for the column %s", strconv.Quote(cut(field, maxMessage)), strconv.Quote(cut(column, maxMessage)))
		}
	}
	args := importArgs{ImportCmd: cmd, File: filesPrefix + ref.NewID()}
	size, err := s.cfg.Files.Put(ctx, args.File, r)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(args)
	if err != nil {
		return "", err
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		job, err = s.cfg.Jobs(ctx, JobImport, t.Ref(), map[string]string{"import": string(text), "size": strconv.FormatInt(size, 10)})
		return err
	})
	return job, err
}

// ImportStep makes documents of up to 500 rows; it is one step of the job [JobImport], in the transaction of ctx. Done and Total of
// the progress are bytes; the counts are rows: read, made and bad.
func (s *Service) ImportStep(ctx context.Context, args map[string]string, p *Progress) (finished bool, err error) {
	var a importArgs
	if err := json.Unmarshal([]byte(args["import"]), &a); err != nil {
		return false, err
	}
	if p.Cursor == endOfImport {
		return true, s.cfg.Files.Delete(ctx, a.File)
	}
	p.Total, _ = strconv.ParseInt(args["size"], 10, 64)
	im, err := s.importing(ctx, a, p)
	if err != nil {
		return false, err
	}
	end, err := im.read(ctx, s.cfg.Files)
	if err != nil {
		return false, err
	}
	if err := im.check(ctx); err != nil {
		return false, err
	}
	if err := im.make(ctx); err != nil {
		return false, err
	}
	if end || p.Refused != "" {
		p.Cursor = endOfImport
	}
	return false, nil
}

// importing is one step of an import.
type importing struct {
	s    *Service
	args importArgs
	t    *compiled
	m    mask
	p    *Progress
	good []draft
	rows []int64 // of good
}

func (s *Service) importing(ctx context.Context, a importArgs, p *Progress) (*importing, error) {
	if err := s.authz.Require(ctx, PermCreate, ref.Ref{}); err != nil {
		return nil, err
	}
	t, err := s.types.key(ctx, a.Type)
	if err != nil {
		return nil, err
	}
	m, err := s.mask(ctx, t.ID)
	return &importing{s: s, args: a, t: t, m: m, p: p}, err
}

// read takes up to 500 rows, and reports whether they were the last.
func (im *importing) read(ctx context.Context, files Files) (end bool, err error) {
	var at table.Position
	if im.p.Cursor != "" {
		if err := json.Unmarshal([]byte(im.p.Cursor), &at); err != nil {
			return false, err
		}
	}
	src, err := files.Open(ctx, im.args.File, at.Offset)
	if err != nil {
		return false, err
	}
	defer func() { _ = src.Close() }()
	in, err := table.NewReader(im.args.Format, src, at)
	if err != nil {
		return true, im.bad(at.Number, err)
	}
	for bytes := 0; len(im.good) < importAtOnce && bytes < batchBytes && im.p.Refused == ""; {
		row, err := in.Next()
		if errors.Is(err, io.EOF) {
			end = true
			break
		}
		im.p.count("read", 1)
		if err != nil {
			if err := im.bad(row.Number, err); err != nil {
				return false, err
			}
			if !table.Continues(err) {
				end = true
				break
			}
			continue
		}
		d, err := im.draft(ctx, row.Value)
		if err != nil {
			if err := im.bad(row.Number, err); err != nil {
				return false, err
			}
			continue
		}
		bytes += d.bytes
		im.good, im.rows = append(im.good, d), append(im.rows, row.Number)
	}
	next := in.Position()
	text, err := json.Marshal(next)
	im.p.Done, im.p.Cursor = next.Offset, string(text)
	return end, err
}

// bad notes a row that is no document. An error that is not about the row is given back.
func (im *importing) bad(row int64, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind == fault.Internal || f.Kind == fault.Unavailable || f.Kind == fault.Timeout || f.Kind == fault.Canceled {
		return err
	}
	if n, has := f.Details["row"].(int64); has {
		row = n
	}
	at, _ := f.Details["pointer"].(string)
	im.p.count("bad", 1)
	if len(im.p.Problems) < maxRowProblems {
		im.p.Problems = append(im.p.Problems, RowProblem{Row: row, Code: f.Code, Pointer: at, Message: cut(f.Msg, maxMessage)})
	}
	if !im.args.Skip && !im.args.DryRun {
		im.p.Refused = f.Code
	}
	return nil
}

// draft is a document of a row.
func (im *importing) draft(ctx context.Context, row map[string]any) (draft, error) {
	data := map[string]any{}
	for column, v := range row {
		f, known := im.field(column)
		if !known {
			continue
		}
		if v, there := fitted(f, v); there {
			place(data, f.Path, v)
		}
	}
	if err := im.m.writes(data); err != nil {
		return draft{}, err
	}
	if err := im.t.sealed(nil, data); err != nil {
		return draft{}, err
	}
	d, err := im.s.draft(ctx, im.t, data, actor.From(ctx).Ref())
	if err != nil {
		return draft{}, err
	}
	return d, im.s.admits(ctx, PermCreate, im.t, d)
}

// field is what a column becomes.
func (im *importing) field(column string) (Field, bool) {
	if name, said := im.args.Map[column]; said {
		f, known := im.t.field(name)
		return f, known && f.Path != nil
	}
	if f, known := im.t.field(column); known && f.Path != nil {
		return f, true
	}
	want := letters(column)
	for _, f := range im.t.fields {
		if f.Path != nil && letters(f.Name) == want {
			return f, true
		}
	}
	return Field{}, false
}

// letters is a name without its case and signs.
func letters(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsNumber(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// place sets a member of nested objects.
func place(data map[string]any, path []string, v any) {
	for _, name := range path[:len(path)-1] {
		inner, ok := data[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			data[name] = inner
		}
		data = inner
	}
	data[path[len(path)-1]] = v
}

// fitted is a value of a table as one of a field, as far as its meaning is beyond doubt. Null and empty texts are absent.
func fitted(f Field, v any) (any, bool) {
	if text, ok := v.(string); ok {
		if v = strings.TrimSpace(text); v == "" {
			return nil, false
		}
	}
	if v == nil {
		return nil, false
	}
	if f.List {
		return fittedList(f, v), true
	}
	return fittedOne(f, v), true
}

func fittedList(f Field, v any) []any {
	all, ok := v.([]any)
	if text, isText := v.(string); isText {
		for part := range strings.SplitSeq(text, ";") {
			all = append(all, strings.TrimSpace(part))
		}
	} else if !ok {
		all = []any{v}
	}
	out := make([]any, len(all))
	for i, e := range all {
		out[i] = fittedOne(f, e)
	}
	return out
}

// dateLayouts are how dates are read besides those of RFC 3339, the first that fits. A year of two figures lies from 1969 to 2068, as Go
// has it.
var dateLayouts = []string{
	time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02", "2006/01/02 15:04", "2006/01/02",
	"Jan 2 2006", "January 2, 2006", "2 Jan 2006", "2-Jan-06", "2-Jan-2006", "2.1.2006", "1/2/2006",
}

func fittedOne(f Field, v any) any {
	text, isText := v.(string)
	switch f.Kind {
	case KindNumber:
		if isText {
			if n, ok := plainNumber(json.Number(strings.ReplaceAll(text, ",", ""))); ok {
				return n
			}
		}
	case KindBoolean:
		if b, ok := map[string]bool{"true": true, "yes": true, "1": true, "false": false, "no": false, "0": false}[strings.ToLower(text)]; isText && ok {
			return b
		}
	case KindDate:
		if isText {
			for _, layout := range dateLayouts {
				if at, err := time.Parse(layout, text); err == nil {
					return f.date(at)
				}
			}
		}
	case KindText, KindReference:
		switch v := v.(type) {
		case json.Number:
			return v.String()
		case bool:
			return strconv.FormatBool(v)
		}
	}
	return v
}

// date is a time as the field writes it.
func (f Field) date(at time.Time) string {
	if f.Time {
		return at.UTC().Format(time.RFC3339)
	}
	return at.Format(time.DateOnly)
}

// check leaves out the documents whose references lead to what is not there or not allowed, each as a row that is bad.
func (im *importing) check(ctx context.Context) error {
	var refs []ref.Ref
	for _, d := range im.good {
		refs = append(refs, linked(d.links)...)
	}
	found := map[ref.Ref][]string{}
	for _, g := range byType(refs) {
		keys, err := im.s.existing(ctx, g)
		if err != nil {
			return err
		}
		for id, names := range keys {
			found[ref.New(g.typ, id)] = names
		}
	}
	var good []draft
	var rows []int64
	for i, d := range im.good {
		if im.p.Refused != "" {
			break
		}
		err := stray(d, found)
		if err == nil {
			good, rows = append(good, d), append(rows, im.rows[i])
			continue
		}
		if err := im.bad(im.rows[i], err); err != nil {
			return err
		}
	}
	im.good, im.rows = good, rows
	return nil
}

// stray is what is wrong with the references of a document.
func stray(d draft, found map[ref.Ref][]string) error {
	for _, l := range d.links {
		names, there := found[l.to]
		switch {
		case !there:
			return wanted{l, -1}.refuse(ErrRefMissing)
		case !l.rule.allows(l.to.Type, names):
			return wanted{l, -1}.refuse(ErrRefType.With("allowed", l.rule.To))
		}
	}
	return nil
}

// make stores the good documents with one event.
func (im *importing) make(ctx context.Context) error {
	if im.args.DryRun || len(im.good) == 0 {
		im.p.count("made", 0)
		return nil
	}
	err := im.s.insert(ctx, im.good, -1)
	var f *fault.Error
	if errors.As(err, &f) && f.Kind == fault.Exhausted { // the quota: nothing is written yet
		im.p.Refused = f.Code
		return nil
	}
	if err != nil {
		return err
	}
	im.p.count("made", int64(len(im.good)))
	return im.s.events.Append(ctx, kindImported, im.t.Ref(), imported(im.good))
}
