package cli

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/plan"
)

// PlanListCmd lists plans.
type PlanListCmd struct {
	All  bool `help:"Also list versions that are not current."`
	JSON bool `help:"Print JSON."`
}

// Run lists them.
func (c *PlanListCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	all, err := s.Plans.All(ctx)
	if err != nil {
		return err
	}
	var plans []plan.Plan
	for _, p := range all {
		if c.All || p.Current {
			plans = append(plans, p)
		}
	}
	if c.JSON {
		return printJSON(env.Out, plans)
	}
	cells := [][]string{{"KEY", "VERSION", "NAME", "PRICES", "FEATURES"}}
	for _, p := range plans {
		key := p.Key
		if p.Default {
			key += " (default)"
		}
		var prices, rules []string
		for _, x := range p.Prices {
			prices = append(prices, fmt.Sprintf("%s %d a %s", x.Currency, x.AmountMinor, x.Every))
		}
		for _, r := range p.Features {
			rules = append(rules, r.Feature+"="+inShort(r))
		}
		cells = append(cells, []string{key, strconv.Itoa(p.Version), p.Name, strings.Join(prices, ", "), strings.Join(rules, " ")})
	}
	return printTable(env.Out, cells)
}

// inShort is what a plan says of a feature.
func inShort(r plan.Rule) string {
	switch {
	case r.On:
		return "on"
	case r.Value != "":
		return strconv.Quote(r.Value)
	case r.Limit == nil:
		return "any"
	}
	return strconv.FormatInt(*r.Limit, 10)
}

// PlanExportCmd writes the catalogue down.
type PlanExportCmd struct{}

// Run prints it.
func (c *PlanExportCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	book, err := s.Plans.Export(ctx)
	if err != nil {
		return err
	}
	text, err := book.YAML()
	if err != nil {
		return err
	}
	_, err = env.Out.Write(text)
	return err
}

// PlanApplyCmd makes the catalogue as a file says.
type PlanApplyCmd struct {
	File   string `arg:"" type:"existingfile" help:"A YAML file as 'plan export' prints it, or the part of it that is to change."`
	Prune  bool   `help:"Also take away what the file does not name."`
	DryRun bool   `help:"Only print the difference."`
}

// Run prints the difference and carries it out.
func (c *PlanApplyCmd) Run(ctx context.Context, env *Env) error {
	text, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	book, err := plan.ParseBook(text)
	if err != nil {
		return usage("%s: %v", c.File, err)
	}
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	changes, err := s.Plans.Apply(ctx, plan.ApplyCmd{Book: book, Prune: c.Prune, DryRun: c.DryRun})
	if err != nil {
		return inWords(err)
	}
	for _, line := range changes {
		if _, err := fmt.Fprintln(env.Out, line); err != nil {
			return err
		}
	}
	switch {
	case len(changes) == 0:
		env.say("nothing differs")
	case c.DryRun:
		env.say("nothing was changed")
	default:
		env.say("%d changes", len(changes))
	}
	return nil
}

// PlanMigrateCmd moves members to the current version.
type PlanMigrateCmd struct {
	Plan   string `arg:"" help:"Key of the plan."`
	DryRun bool   `help:"Only tell who would be moved."`
}

// Run moves them and prints who, with what is above its limit for them then.
func (c *PlanMigrateCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	moved, err := s.Plans.Migrate(ctx, plan.MigrateCmd{Plan: c.Plan, DryRun: c.DryRun})
	if err != nil {
		return inWords(err)
	}
	cells := [][]string{{"MEMBER", "OVER"}}
	for _, m := range moved {
		var over []string
		for _, o := range m.Over {
			over = append(over, fmt.Sprintf("%s %d of %d", o.Feature, o.Used, o.Limit))
		}
		cells = append(cells, []string{m.Subject.String(), strings.Join(over, ", ")})
	}
	return printTable(env.Out, cells)
}

// PlanShowCmd tells where a user is.
type PlanShowCmd struct {
	Email string `arg:"" help:"Mail address of the user."`
	JSON  bool   `help:"Print JSON."`
}

// Run prints the membership and what may be used, and why.
func (c *PlanShowCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	user, err := memberOf(ctx, s, c.Email)
	if err != nil {
		return err
	}
	m, err := s.Plans.MembershipOf(ctx, user)
	if err != nil {
		return err
	}
	all, err := s.Plans.Entitlements(ctx, user)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(env.Out, map[string]any{"membership": m, "entitlements": all})
	}
	end := "for ever"
	if m.Until != nil {
		end = "until " + m.Until.Format(time.RFC3339)
	}
	_, err = fmt.Fprintf(env.Out, "%s, version %d: %s %s\n", m.Plan.Name, m.Plan.Version, m.Status, end)
	if err != nil {
		return err
	}
	cells := [][]string{{"FEATURE", "ALLOWED", "USED", "WHY"}}
	for _, e := range all {
		cells = append(cells, []string{e.Feature, inShort(e.Rule), strconv.FormatInt(e.Used, 10), strings.Join(e.Why, "; ")})
	}
	return printTable(env.Out, cells)
}

// PlanPutCmd puts a user on a plan.
type PlanPutCmd struct {
	Email string `arg:"" help:"Mail address of the user."`
	Plan  string `arg:"" help:"Key of the plan."`
}

// Run puts them there, at once and for nothing.
func (c *PlanPutCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	user, err := memberOf(ctx, s, c.Email)
	if err != nil {
		return err
	}
	m, err := s.Plans.Put(ctx, user, c.Plan)
	if err != nil {
		return inWords(err)
	}
	env.say("%s is on %s", user, m.Plan.Name)
	return nil
}
