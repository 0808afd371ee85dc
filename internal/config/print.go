package config

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Print writes the resolved settings as a file that could be read again, each with where its value comes from. Secrets
// are masked.
func (l *Loaded) Print(w io.Writer) error {
	var b strings.Builder
	group := ""
	for _, s := range l.Settings {
		prefix, name, nested := strings.Cut(s.Key, ".")
		if !nested {
			prefix, name = "", s.Key
		}
		if prefix != group {
			fmt.Fprintf(&b, "%s:\n", prefix)
			group = prefix
		}
		if nested {
			b.WriteString("  ")
		}
		fmt.Fprintf(&b, "%s: %s # %s\n", name, strconv.Quote(s.Text()), s.Origin)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteDocs writes docs/config.md: the reference of every setting.
func WriteDocs(w io.Writer) error {
	var b strings.Builder
	b.WriteString(docsHead)
	group := ""
	for _, s := range settingsOf(&Config{}) {
		if s.Group != group {
			group = s.Group
			fmt.Fprintf(&b, "\n## %s\n\n| in the file | in the environment | default | what it does |\n| --- | --- | --- | --- |\n", group)
		}
		help := s.Help
		if s.OneOf != nil {
			help += " One of `" + strings.Join(s.OneOf, "`, `") + "`."
		}
		if s.least != "" {
			help += fmt.Sprintf(" %s to %s.", s.least, s.most)
		}
		env := "`" + s.Env + "`"
		if s.Secret {
			help += " A secret: never printed."
			env += ", `" + s.Env + "_FILE`"
		}
		def := ""
		if s.Default != "" {
			def = "`" + s.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Key, env, def, help)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

const docsHead = `# Configuration

Written by ` + "`backendbook docs config`" + `; do not edit.

A setting has one name everywhere: ` + "`mongodb.database`" + ` in the file is ` + "`--mongodb-database`" + ` on the command line.
A flag beats the environment, the environment beats the file (` + "`--config FILE` or `BACKENDBOOK_CONFIG`" + `, YAML), the file beats the
default. Unknown keys are refused, and all problems are told at once. Lists are written as YAML lists or with commas between
the items. An empty variable counts as one that is not set.

A secret can also be given as a file: the variable with ` + "`_FILE`" + ` at its end names it. ` + "`backendbook config print`" + ` shows every
setting with the place its value comes from and masks secrets; ` + "`backendbook config check`" + ` only tells whether all is well.

In production (` + "`environment: production`" + `) the server refuses to start with a public URL that is not https, with a managed
MongoDB that was not asked for by name, with a connection string without a user or with a password from an example, without
keys of its own (` + "`backendbook config new-key`" + ` makes one), without a mail server, with password hashes cheaper than OWASP's least,
and with the demo.
`
