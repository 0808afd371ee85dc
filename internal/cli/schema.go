package cli

import (
	"context"
	"encoding/json"
	"os"

	"github.com/backendbook/backendbook/internal/diagram"
	"github.com/backendbook/backendbook/schema"
)

// Output is where a file goes that is made for other programs.
type Output struct {
	Output string `short:"o" type:"path" help:"File to write, instead of standard output."`
}

func (o Output) write(env *Env, text []byte) error {
	if o.Output != "" {
		return os.WriteFile(o.Output, text, 0o644) //nolint:gosec // made to be handed around
	}
	_, err := env.Out.Write(text)
	return err
}

// json writes with the keys in order: equal contents are equal files.
func (o Output) json(env *Env, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return o.write(env, append(text, '\n'))
}

// SchemaPrintCmd prints the schema.
type SchemaPrintCmd struct{ Output }

// Run prints it.
func (c *SchemaPrintCmd) Run(env *Env) error {
	text, err := schema.Print()
	if err != nil {
		return err
	}
	return c.write(env, []byte(text))
}

// SchemaPossibleTypesCmd lists what the interfaces and unions may be.
type SchemaPossibleTypesCmd struct{ Output }

// Run prints the list.
func (c *SchemaPossibleTypesCmd) Run(env *Env) error {
	types, err := schema.PossibleTypes()
	if err != nil {
		return err
	}
	return c.json(env, types)
}

// SchemaDocumentsCmd makes the manifest of trusted documents.
type SchemaDocumentsCmd struct {
	Output
	Folder string `arg:"" type:"existingdir" help:"Folder of *.graphql files; each is one document with all of its fragments."`
}

// Run prints the manifest.
func (c *SchemaDocumentsCmd) Run(env *Env) error {
	manifest, err := schema.Manifest(os.DirFS(c.Folder))
	if err != nil {
		return err
	}
	return c.json(env, manifest)
}

// SchemaDiagramCmd draws the content types.
type SchemaDiagramCmd struct {
	Output
	Format string `enum:"svg,mermaid" default:"svg" help:"svg for a picture, mermaid for text that Mermaid draws."`
}

// Run prints the diagram or writes it to the file.
func (c *SchemaDiagramCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	g, err := s.Documents.Diagram(ctx)
	if err != nil {
		return err
	}
	text := diagram.SVG(g)
	if c.Format == "mermaid" {
		text = []byte(diagram.Mermaid(g))
	}
	return c.write(env, text)
}
