package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/keyring"
)

// ServeCmd serves.
type ServeCmd struct{}

// Run serves until ctx ends.
func (c *ServeCmd) Run(ctx context.Context, env *Env) error { return env.Host.Serve(ctx) }

// MigrateCmd migrates.
type MigrateCmd struct {
	DryRun bool `help:"Only say what would be done."`
}

// Run migrates and prints what was done.
func (c *MigrateCmd) Run(ctx context.Context, env *Env) error {
	r, err := env.Host.Migrate(ctx, c.DryRun)
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, name := range r.Created {
		b.WriteString("create " + name + "\n")
	}
	for _, id := range r.Applied {
		b.WriteString("apply " + id + "\n")
	}
	if _, err := io.WriteString(env.Out, b.String()); err != nil {
		return err
	}
	for _, w := range r.Warnings {
		env.say("warning: %s", w)
	}
	switch {
	case len(r.Created)+len(r.Applied) == 0:
		env.say("nothing to do")
	case c.DryRun:
		env.say("this was a dry run: nothing was changed")
	}
	return nil
}

// SeedCmd seeds. The global flag --demo adds the demo.
type SeedCmd struct{}

// Run seeds and prints the sign-ins it made.
func (c *SeedCmd) Run(ctx context.Context, env *Env) error {
	made, err := env.Host.Seed(ctx)
	if len(made) == 0 && err == nil {
		env.say("nobody was added")
	}
	return errors.Join(PrintSignIns(env.Out, made), err)
}

// PrintSignIns shows sign-ins that were just made, this once.
func PrintSignIns(w io.Writer, made []SignIn) error {
	if len(made) == 0 {
		return nil
	}
	rows := [][]string{{"MAIL ADDRESS", "PASSWORD", "ROLE"}}
	for _, m := range made {
		rows = append(rows, []string{m.Email, m.Password, m.Role})
	}
	_, err := fmt.Fprintln(w, "New sign-ins. Their passwords are shown this once:")
	return errors.Join(err, printTable(w, rows))
}

// ConfigPrintCmd prints the settings.
type ConfigPrintCmd struct{}

// Run prints them.
func (c *ConfigPrintCmd) Run(env *Env) error { return env.Host.PrintConfig(env.Out) }

// ConfigCheckCmd checks the settings: bad ones have ended the program with 2 before a command runs.
type ConfigCheckCmd struct{}

// Run says so.
func (c *ConfigCheckCmd) Run(env *Env) error {
	_, err := fmt.Fprintln(env.Out, "the settings are good")
	return err
}

// ConfigNewKeyCmd makes a key.
type ConfigNewKeyCmd struct {
	ID string `help:"Name of the key: 1 to 16 of a-z, 0-9 and dash, another than those of the keys before." default:"k1"`
}

// Run prints it, and keeps it nowhere.
func (c *ConfigNewKeyCmd) Run(env *Env) error {
	_, err := fmt.Fprintln(env.Out, keyring.NewKey(c.ID))
	return err
}

// DocsCmd writes a page.
type DocsCmd struct {
	Page string `arg:"" enum:"config,errors" help:"config or errors."`
}

// Run writes it to standard output.
func (c *DocsCmd) Run(env *Env) error {
	if c.Page == "config" {
		return env.Host.WriteConfigDocs(env.Out)
	}
	return WriteErrorDocs(env.Out)
}

// WriteErrorDocs writes docs/errors.md: the catalogue of all codes of this program.
func WriteErrorDocs(w io.Writer) error {
	var b strings.Builder
	b.WriteString(errorDocsHead)
	for _, e := range fault.Catalogue() {
		fmt.Fprintf(&b, "| `%s` | %s | %d | %s |\n", e.Code, e.Kind, e.Kind.HTTP(), e.Msg)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

const errorDocsHead = `# Errors

Written by ` + "`backendbook docs errors`" + `; do not edit.

A GraphQL error carries its code as ` + "`extensions.code`" + `, the request's id as ` + "`extensions.requestId`" + `, the blamed input as
` + "`extensions.field`" + ` and what else a client may branch on beside them: a path in the variables for a value of the wrong type, and one in the arguments
for what is found later. What is wrong with the document itself has ` + "`locations`" + ` instead. What is refused at ` + "`/graphql`" + ` before
GraphQL has seen it has the same form, with the status below. Any other HTTP endpoint answers with that status and
` + "`{\"error\": {\"code\", \"message\", \"requestId\"}}`" + `. Codes are stable and never reused; messages are for people and may change.
What nobody foresaw is ` + "`INTERNAL`" + `: its cause is in the log under the request id, and nowhere else.

| code | kind | HTTP | meaning |
| --- | --- | --- | --- |
`

// Severity is how bad a finding is.
type Severity string

// The severities.
const (
	Good    Severity = "ok"
	Warning Severity = "warn"
	Bad     Severity = "FAIL"
)

// Finding is one thing doctor looked at.
type Finding struct {
	Severity Severity
	About    string
	Says     string // what is so, and for a bad finding what to do
}

// DoctorCmd diagnoses.
type DoctorCmd struct {
	Ready bool `help:"Only ask the running server whether it is ready: for the health check of a container."`
}

var errSick = errors.New("not everything is well")

// Run prints the findings and fails if one of them is bad.
func (c *DoctorCmd) Run(ctx context.Context, env *Env) error {
	var rows [][]string
	var err error
	for _, f := range env.Host.Diagnose(ctx, c.Ready) {
		rows = append(rows, []string{string(f.Severity), f.About, f.Says})
		if f.Severity == Bad {
			err = errSick
		}
	}
	return errors.Join(printTable(env.Out, rows), err)
}

// VersionCmd prints the version.
type VersionCmd struct{}

// Run prints it.
func (c *VersionCmd) Run(env *Env) error {
	_, err := fmt.Fprintln(env.Out, env.Version)
	return err
}
