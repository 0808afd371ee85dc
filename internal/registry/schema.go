package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/backendbook/backendbook/internal/fault"
)

const (
	maxViolations = 20  // told of one value
	maxMessage    = 200 // bytes of one message: it may quote the value
	maxLabel      = 200 // characters
)

// compiled is a content type ready for use. It is immutable and shared.
type compiled struct {
	ContentType
	schema  *jsonschema.Schema
	label   []string // path of the property that names a document; nil for the usual ones
	pointed bool     // whether a document may hold references at all
	steps   [][]Step // how data of version i+1 becomes that of i+2
	seals   []string // members of the data that only the code writes
	fields  []Field  // what filters know, those of every document first
	byPath  map[string]Field
}

// Where a schema and our keyword live while they are compiled. Neither is ever fetched. The first has a path, so that a
// relative reference leads beside it and not back to it.
const (
	schemaURL     = "https://schema.invalid/content-type"
	vocabularyURL = "urn:backendbook:reference"
	marksURL      = "urn:backendbook:index"
)

// referenceForm is what the keyword `reference` must look like.
const referenceForm = `{"properties": {"reference": {"type": "object", "required": ["to"], "additionalProperties": false,
	"properties": {
		"to": {"type": "array", "minItems": 1, "maxItems": 50, "uniqueItems": true,
			"items": {"type": "string", "pattern": "^([*]|[a-z0-9._-]{2,64})$"}},
		"onDelete": {"enum": ["RESTRICT", "CASCADE", "SET_NULL", "KEEP"]}}}}}`

// rule is a compiled `reference` keyword.
type rule struct {
	To       []string
	OnDelete OnDelete
}

// Validate does nothing: whether a value points at something that exists is no matter of the schema.
func (*rule) Validate(*jsonschema.ValidatorContext, any) {}

// compile reads the text of a schema: 2020-12 without remote references, formats asserted, expressions in RE2's linear
// time, and with a bound on the work one value can cost.
//
// Errors: SCHEMA_INVALID.
func compile(t ContentType, text []byte) (c *compiled, err error) {
	defer func() {
		if p := recover(); p != nil { // the library has been fuzzed, but meets hostile input here
			err = ErrSchema.Because(fmt.Errorf("panic in the compiler: %v", p))
		}
	}()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		return nil, ErrSchema.Because(err)
	}
	top, _ := doc.(map[string]any)
	if top["type"] != "object" {
		return nil, ErrSchema.Saying(`the schema must have "type": "object" at its top`)
	}
	s, err := compileSchema(doc)
	if err != nil {
		return nil, schemaError(err)
	}
	c = &compiled{ContentType: t, schema: s}
	c.Schema = top
	if c.label, err = labelPath(top); err != nil {
		return nil, err
	}
	if err := checkWork(s); err != nil {
		return nil, err
	}
	if c.pointed, err = checkPlaces(s); err != nil {
		return nil, err
	}
	return c, c.index()
}

func compileSchema(doc any) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(noLoader{})
	c.AssertFormat()
	c.AssertVocabs()
	for _, v := range []struct {
		url, form string
		compile   func(*jsonschema.CompilerContext, map[string]any) (jsonschema.SchemaExt, error)
	}{{vocabularyURL, referenceForm, compileRule}, {marksURL, marksForm, compileMarks}} {
		schema, err := keywords(v.url, v.form)
		if err != nil {
			return nil, err
		}
		c.RegisterVocabulary(&jsonschema.Vocabulary{URL: v.url, Schema: schema, Compile: v.compile})
	}
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, err
	}
	return c.Compile(schemaURL)
}

// keywords compiles the schema of keywords of ours.
func keywords(url, form string) (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(form))
	if err != nil {
		return nil, err
	}
	v := jsonschema.NewCompiler()
	if err := v.AddResource(url, doc); err != nil {
		return nil, err
	}
	return v.Compile(url)
}

func compileRule(_ *jsonschema.CompilerContext, schema map[string]any) (jsonschema.SchemaExt, error) {
	r, ok := schema["reference"].(map[string]any)
	if !ok {
		return nil, nil //nolint:nilnil // the library's word for "no such keyword here"
	}
	out := &rule{OnDelete: Restrict}
	to, _ := r["to"].([]any)
	for _, name := range to {
		s, _ := name.(string) // the vocabulary's own schema has been checked before
		out.To = append(out.To, s)
	}
	if d, ok := r["onDelete"].(string); ok {
		out.OnDelete = OnDelete(d)
	}
	return out, nil
}

var errRemote = errors.New("remote references are not followed")

type noLoader struct{}

func (noLoader) Load(string) (any, error) { return nil, errRemote }

// schemaError puts what the compiler says into our words.
func schemaError(err error) error {
	var invalid *jsonschema.SchemaValidationError
	var v *jsonschema.ValidationError
	switch {
	case errors.Is(err, errRemote):
		return ErrSchema.Saying("the schema refers to another one; remote references are not followed").Because(err)
	case errors.As(err, &invalid) && errors.As(invalid.Err, &v):
		return blame(ErrSchema, v).Because(err)
	default:
		return ErrSchema.Saying("this is not a usable JSON Schema: %s", cut(err.Error(), maxMessage)).Because(err)
	}
}

// blame tells what is wrong where: the first violation in the message, and up to maxViolations as details.
func blame(e *fault.Error, v *jsonschema.ValidationError) *fault.Error {
	all := violations(v, message.NewPrinter(language.English), nil)
	if len(all) == 0 {
		return e.Because(v)
	}
	at, _ := all[0]["pointer"].(string)
	return e.Saying("%s: at %q: %v", e.Msg, at, all[0]["message"]).With("pointer", at).With("violations", all)
}

// violations are the leaves of the tree of causes.
func violations(v *jsonschema.ValidationError, p *message.Printer, all []map[string]any) []map[string]any {
	for _, c := range v.Causes {
		all = violations(c, p, all)
	}
	if len(v.Causes) == 0 && len(all) < maxViolations {
		if _, group := v.ErrorKind.(*kind.Group); !group {
			all = append(all, map[string]any{
				"pointer": pointer(v.InstanceLocation),
				"message": cut(v.ErrorKind.LocalizedString(p), maxMessage),
			})
		}
	}
	return all
}

// validate checks plain data against the schema. Cost: memory only.
//
// Errors: DOCUMENT_INVALID with pointers.
func (c *compiled) validate(data map[string]any) error {
	err := c.schema.Validate(data)
	var v *jsonschema.ValidationError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &v):
		return blame(ErrInvalid, v)
	default:
		return ErrInvalid.Because(err)
	}
}

// labelPath reads the keyword `label`: a JSON Pointer, or the name of a property.
func labelPath(schema map[string]any) ([]string, error) {
	v, ok := schema["label"]
	if !ok {
		return nil, nil
	}
	s, _ := v.(string)
	switch {
	case s == "":
		return nil, ErrSchema.Saying("label must be the name of a property or a JSON Pointer").With("pointer", "/label")
	case s[0] == '/':
		return tokens(s), nil
	default:
		return []string{s}, nil
	}
}

// labelOf is one line that names a document.
func (c *compiled) labelOf(id string, data map[string]any) string {
	paths := [][]string{{"name"}, {"title"}, {"label"}}
	if c.label != nil {
		paths = [][]string{c.label}
	}
	for _, p := range paths {
		v, _ := at(data, p)
		switch v := v.(type) {
		case string:
			if line := strings.Join(strings.Fields(v), " "); line != "" {
				runes := []rune(line)
				return string(runes[:min(len(runes), maxLabel)])
			}
		case int64, float64:
			return fmt.Sprint(v)
		}
	}
	return id
}

// text is the stored form of a checked schema.
func text(schema map[string]any) ([]byte, error) {
	b, err := json.Marshal(schema)
	switch {
	case err != nil:
		return nil, ErrSchema.Because(err)
	case len(b) > MaxSchema:
		return nil, ErrSchema.Saying("the schema has %d bytes; %d are allowed", len(b), MaxSchema)
	}
	return b, nil
}

// cut shortens s to at most n bytes of whole characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
