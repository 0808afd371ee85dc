package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// What clients are built with, made of the schema alone: no server has to run.

// Parse gives the schema.
func Parse() (*ast.Schema, error) {
	sdl, err := SDL()
	if err != nil {
		return nil, err
	}
	s, err := gqlparser.LoadSchema(&ast.Source{Name: "schema", Input: sdl})
	if err != nil {
		return nil, fmt.Errorf("load the schema: %w", err)
	}
	return s, nil
}

// Print is the whole schema as one text with its descriptions: every type once and by name, without extensions.
func Print() (string, error) {
	s, err := Parse()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	formatter.NewFormatter(&b, formatter.WithIndent("  ")).FormatSchema(s)
	return b.String(), nil
}

// PossibleTypes lists the object types of each interface and union, by name, as caches need it to match fragments: the form
// of Apollo Client's option possibleTypes.
func PossibleTypes() (map[string][]string, error) {
	s, err := Parse()
	if err != nil {
		return nil, err
	}
	all := map[string][]string{}
	for name, def := range s.Types {
		if !def.IsAbstractType() {
			continue
		}
		all[name] = []string{}
		for _, of := range s.GetPossibleTypes(def) {
			all[name] = append(all[name], of.Name)
		}
		slices.Sort(all[name])
	}
	return all, nil
}

// Manifest reads every *.graphql below a folder and gives the text of each by its SHA-256 in hex, which is the id a client
// sends in its place. Each file is one document with all of its fragments, valid by the schema; all faults are told at once.
func Manifest(folder fs.FS) (map[string]string, error) {
	s, err := Parse()
	if err != nil {
		return nil, err
	}
	manifest := map[string]string{}
	var faults []error
	err = fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".graphql" {
			return err
		}
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return err
		}
		if err := checkDocument(s, string(text)); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
		sum := sha256.Sum256(text)
		manifest[hex.EncodeToString(sum[:])] = string(text)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(manifest) == 0 {
		faults = append(faults, errors.New("there is no *.graphql"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return manifest, nil
}

func checkDocument(s *ast.Schema, text string) error {
	doc, errs := gqlparser.LoadQueryWithRules(s, text, rules.NewDefaultRules())
	if len(errs) > 0 {
		return errs
	}
	if len(doc.Operations) == 0 {
		return errors.New("it holds no operation")
	}
	return nil
}
