package cli

import (
	"context"
	"os"

	"github.com/backendbook/backendbook/internal/diagram"
)

// SchemaDiagramCmd draws the content types.
type SchemaDiagramCmd struct {
	Format string `enum:"svg,mermaid" default:"svg" help:"svg for a picture, mermaid for text that Mermaid draws."`
	Output string `short:"o" type:"path" help:"File to write, instead of standard output."`
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
	if c.Output != "" {
		return os.WriteFile(c.Output, text, 0o644) //nolint:gosec // a picture to show around
	}
	_, err = env.Out.Write(text)
	return err
}
