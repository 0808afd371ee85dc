package webauth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/session"
)

// policyFile is the file of policies: see docs/sessions.md.
type policyFile struct {
	Roles map[string]policyEntry `yaml:"roles"`
	Plans map[string]policyEntry `yaml:"plans"`
}

type policyEntry struct {
	Idle     string `yaml:"idle"`
	Absolute string `yaml:"absolute"`
	Brief    string `yaml:"brief"`
	Max      int    `yaml:"max"`
	Beyond   string `yaml:"beyond"` // end-oldest or refuse
}

// ParsePolicies reads a file of policies, and tells all that is wrong with it at once.
func ParsePolicies(b []byte) (Policies, error) {
	var file policyFile
	in := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict())
	if err := in.Decode(&file); err != nil && !errors.Is(err, io.EOF) { // an empty file has no policies
		return Policies{}, errors.New(yaml.FormatError(err, false, false))
	}
	if in.Decode(new(any)) == nil {
		return Policies{}, errors.New("there are several documents")
	}
	roles, errRoles := policiesOf("roles", file.Roles)
	plans, errPlans := policiesOf("plans", file.Plans)
	return Policies{Roles: roles, Plans: plans}, errors.Join(errRoles, errPlans)
}

func policiesOf(group string, entries map[string]policyEntry) (map[string]session.Policy, error) {
	all := map[string]session.Policy{}
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		p, err := entries[key].policy()
		if !ref.IsKey(key) {
			err = errors.Join(err, errors.New("this can be no key"))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s.%s: %w", group, key, err))
		}
		all[key] = p
	}
	return all, errors.Join(errs...)
}

const minLifetime = time.Minute

func (e policyEntry) policy() (session.Policy, error) {
	p := session.Policy{Max: e.Max, Refuse: e.Beyond == "refuse"}
	var errs []error
	for _, f := range []struct {
		name, text string
		to         *time.Duration
	}{{"idle", e.Idle, &p.Idle}, {"absolute", e.Absolute, &p.Absolute}, {"brief", e.Brief, &p.Brief}} {
		if f.text == "" {
			continue
		}
		d, err := time.ParseDuration(f.text)
		if err != nil || d < minLifetime {
			errs = append(errs, fmt.Errorf("%s must be a duration of a minute at least, such as 15m or 12h", f.name))
		}
		*f.to = d
	}
	if e.Max < 0 {
		errs = append(errs, errors.New("max must be 1 at least, or left out"))
	}
	if e.Beyond != "" && e.Beyond != "refuse" && e.Beyond != "end-oldest" {
		errs = append(errs, errors.New("beyond must be refuse or end-oldest"))
	}
	if e.Beyond != "" && e.Max == 0 {
		errs = append(errs, errors.New("beyond means nothing without max"))
	}
	return p, errors.Join(errs...)
}
