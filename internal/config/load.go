package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

const (
	envPrefix = "BACKENDBOOK_"
	// envFile names the configuration file; so does the flag --config.
	envFile = envPrefix + "CONFIG"
	// originDefault is the origin of what nobody has given.
	originDefault = "default"
	// envTest begins variables that only tests read.
	envTest = envPrefix + "TEST_"
)

// Input is what a process is started with.
type Input struct {
	Args    []string // without the program's name
	Environ []string // as os.Environ gives it
	Out     io.Writer
	// Commands are pointers to the structs kong reads the commands from.
	Commands []any
	// Version is printed by --version.
	Version string
}

// Loaded is a resolved configuration and the command to run with it.
type Loaded struct {
	Config
	Settings []*Setting
	// Run calls the Run method of the chosen command with ctx and the given values, each by its type.
	Run func(ctx context.Context, binds ...any) error
}

// IsDefault reports whether nobody has given the setting of that key.
func (l *Loaded) IsDefault(key string) bool {
	return slices.ContainsFunc(l.Settings, func(s *Setting) bool { return s.Key == key && s.Origin == originDefault })
}

// ErrHelp tells that help or the version was asked for and printed: nothing is left to do.
var ErrHelp = errors.New("config: help was printed")

// UsageError is a command line, an environment or a file that makes no sense. Its text lists every problem, one a line.
type UsageError struct{ Problems []string }

// Error lists the problems.
func (e *UsageError) Error() string { return strings.Join(e.Problems, "\n") }

type grammar struct {
	ConfigFile string           `name:"config" placeholder:"FILE" help:"Read settings from this YAML file (also BACKENDBOOK_CONFIG)."`
	Version    kong.VersionFlag `help:"Print the version."`
	Config     `embed:""`
	kong.Plugins
}

// Load puts the layers together: flags, then environment, then file, then defaults.
//
// Errors: ErrHelp; *UsageError with all problems of all layers. Only a broken command line is told alone: what it
// means is then unknown.
func Load(in Input) (*Loaded, error) {
	var g grammar
	g.Plugins = in.Commands
	flags := layer{}
	run, err := parse(&g, in, flags)
	if err != nil {
		return nil, err
	}
	l := &Loaded{Run: run}
	l.Settings = settingsOf(&l.Config)
	var problems []string
	env, file := environment(in.Environ, l.Settings, &problems)
	if g.ConfigFile != "" {
		file = g.ConfigFile
	}
	layers := []layer{flags, env}
	if file != "" {
		layers = append(layers, fromFile(file, l.Settings, &problems))
	}
	for _, s := range l.Settings {
		v := value{text: s.Default, origin: originDefault}
		for _, ly := range layers {
			if given, ok := ly[s.Flag]; ok {
				v = given
				break
			}
		}
		s.Origin = v.origin
		if err := s.set(v.text); err != nil && (v.text != "" || v.origin != originDefault) {
			problems = append(problems, fmt.Sprintf("%s: %s %s", v.origin, s.Key, err))
		}
	}
	problems = append(problems, l.check(len(problems) > 0)...)
	if len(problems) > 0 {
		return nil, &UsageError{problems}
	}
	return l, nil
}

// value is a text and where it was found.
type value struct{ text, origin string }

// layer is the settings one place gives, by flag name.
type layer map[string]value

// parse reads the command line with kong. It only notes the text of the settings: they are read later with the others.
func parse(g *grammar, in Input, flags layer) (run func(context.Context, ...any) error, err error) {
	printed := false
	k, err := kong.New(g,
		kong.Name("backendbook"),
		kong.Description("The server of Backend Book and its administration. Without a command it serves."),
		kong.Writers(in.Out, io.Discard),
		kong.Exit(func(int) { printed = true }),
		kong.NamedMapper("setting", noted{flags}), kong.NamedMapper("switch", switched{noted{flags}}),
		kong.Vars{"version": in.Version},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, NoExpandSubcommands: true}),
		kong.ValueFormatter(helpOf),
		kong.UsageOnError(),
	)
	if err != nil {
		return nil, fmt.Errorf("command grammar: %w", err)
	}
	kctx, err := k.Parse(in.Args)
	switch {
	case printed:
		return nil, ErrHelp
	case err != nil:
		return nil, &UsageError{[]string{err.Error(), "run `backendbook --help` for what there is"}}
	}
	return func(ctx context.Context, binds ...any) error {
		kctx.BindTo(ctx, (*context.Context)(nil))
		return kctx.Run(binds...)
	}, nil
}

// noted is the kong mapper of a setting: it takes the text as it is.
type noted struct{ to layer }

// Decode implements [kong.Mapper].
func (n noted) Decode(ctx *kong.DecodeContext, _ reflect.Value) error {
	text, ok := ctx.Scan.Pop().Value.(string)
	if !ok {
		return fmt.Errorf("--%s wants a value", ctx.Value.Name)
	}
	n.to[ctx.Value.Name] = value{text, "flag --" + ctx.Value.Name}
	return nil
}

// switched is noted for a flag that may stand without a value.
type switched struct{ noted }

// IsBool implements [kong.BoolMapper].
func (switched) IsBool() bool { return true }

// Decode implements [kong.Mapper].
func (n switched) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	if ctx.Scan.Peek().Type == kong.FlagValueToken {
		return n.noted.Decode(ctx, target)
	}
	n.to[ctx.Value.Name] = value{"true", "flag --" + ctx.Value.Name}
	return nil
}

// helpOf is the help of a flag with its default.
func helpOf(v *kong.Value) string {
	if v.Tag == nil || v.Tag.Get("def") == "" {
		return kong.DefaultHelpValueFormatter(v)
	}
	return fmt.Sprintf("%s Default: %s.", v.Help, v.Tag.Get("def"))
}

// environment reads the variables. It also gives the file named there.
func environment(environ []string, settings []*Setting, problems *[]string) (env layer, file string) {
	env = layer{}
	for _, pair := range environ {
		name, text, _ := strings.Cut(pair, "=")
		plain, fromFile := strings.CutSuffix(name, "_FILE")
		i := slices.IndexFunc(settings, func(s *Setting) bool { return s.Env == name || fromFile && s.Secret && s.Env == plain })
		switch {
		case name == envFile:
			file = text
		case i >= 0 && text == "": // an empty variable is one that is not set: compose files make them
		case i >= 0:
			env.note(settings[i], name, text, problems)
		case strings.HasPrefix(name, envPrefix) && !strings.HasPrefix(name, envTest):
			*problems = append(*problems, "environment "+name+": there is no such setting")
		}
	}
	return env, file
}

// note enters a variable, or what the file it names holds.
func (l layer) note(s *Setting, name, text string, problems *[]string) {
	if other, twice := l[s.Flag]; twice {
		*problems = append(*problems, fmt.Sprintf("environment %s: %s is given by %s as well", name, s.Key, other.origin))
		return
	}
	if name != s.Env {
		b, err := os.ReadFile(text) //nolint:gosec // the operator names it
		if err != nil {
			*problems = append(*problems, fmt.Sprintf("environment %s: %v", name, err))
			return
		}
		text = strings.TrimRight(string(b), "\r\n")
	}
	l[s.Flag] = value{text, "environment " + name}
}
