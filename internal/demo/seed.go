package demo

import (
	"context"
	"crypto/rand"
	_ "embed" // of the catalogue
	"errors"
	"fmt"
	"log/slog"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
	"github.com/backendbook/backendbook/internal/store"
)

// Deps are the services the demo is made with.
type Deps struct {
	DB        *store.DB
	Roles     *rbac.Service
	Plans     *plan.Service
	Documents *registry.Service
	Analytics *analytics.Service
	// CreateUser makes an account without signing anybody in.
	CreateUser func(ctx context.Context, c account.CreateCmd) (account.User, error)
	// Dashboards makes the dashboards that are not there yet.
	Dashboards func(ctx context.Context) error
	Now        clock.Clock
	Log        *slog.Logger
}

// Demo seeds and replays.
type Demo struct {
	Deps
	cfg Config
}

// Config says where the data are and how fast the flights go. Zero values mean the defaults written beside them.
type Config struct {
	DataDir string  // folder of the tables, default "web/node_modules/vega-datasets/data"
	Flights string  // file in it, default "flights-20k.json"
	Speed   float64 // how much faster than the original the flights go, default 900: about two a second
}

// New makes a demo.
func New(d Deps, cfg Config) *Demo {
	if cfg.DataDir == "" {
		cfg.DataDir = "web/node_modules/vega-datasets/data"
	}
	if cfg.Flights == "" {
		cfg.Flights = "flights-20k.json"
	}
	if cfg.Speed == 0 {
		cfg.Speed = 900
	}
	return &Demo{Deps: d, cfg: cfg}
}

// Credential is a sign-in that was just made. It is told once and kept nowhere.
type Credential struct {
	Email, Password, Role string
}

// The people of the demo, each with a role.
var people = []struct{ email, name, role string }{
	{"admin@example.com", "Ada Administrator", rbac.RoleAdmin},
	{"editor@example.com", "Emil Editor", "editor"},
	{"analyst@example.com", "Ana Analyst", "analyst"},
}

const routes = 400 // of 5,366: enough to follow references

// Seed makes what is missing: roles, plans, metrics, people, content types, documents and dashboards. It gives the sign-ins of the
// people it made.
func (d *Demo) Seed(ctx context.Context) ([]Credential, error) {
	ctx = actor.With(ctx, actor.System())
	if err := d.Roles.Ensure(ctx, roles()); err != nil {
		return nil, fmt.Errorf("demo roles: %w", err)
	}
	if err := d.seedPlans(ctx); err != nil {
		return nil, fmt.Errorf("demo plans: %w", err)
	}
	for _, m := range metrics() {
		if _, err := d.Analytics.DefineMetric(ctx, m); err != nil {
			return nil, fmt.Errorf("demo metric %s: %w", m.Key, err)
		}
	}
	made, err := d.seedPeople(ctx)
	if err != nil {
		return made, fmt.Errorf("demo people: %w", err)
	}
	if err := d.seedDocuments(ctx); err != nil {
		return made, fmt.Errorf("demo documents: %w", err)
	}
	if err := d.Dashboards(ctx); err != nil {
		return made, fmt.Errorf("demo: %w", err)
	}
	return made, nil
}

func roles() []rbac.RoleSpec {
	return []rbac.RoleSpec{
		{
			Key: "report-viewer", Name: "Report viewer", Description: "Sees reports of one metric.",
			Params: []rbac.Param{{Name: "metric", Type: rbac.ParamString}}, Permissions: []rbac.Instance{analytics.PermView + "(metric=$metric)"},
		},
		{Key: "delay-watcher", Name: "Delay watcher", Description: "Sees the delays alone.", Includes: []rbac.Instance{"report-viewer(metric=flights.delay)"}},
		{Key: "viewer", Name: "Viewer", Description: "Reads documents and reports.", Permissions: []rbac.Instance{registry.PermRead, analytics.PermView + "(metric=*)"}},
		{Key: "analyst", Name: "Analyst", Description: "Views everything and sends events.", Permissions: []rbac.Instance{analytics.PermTrack, analytics.PermRead, account.PermRead, "reporting.schedule.write", "reporting.alert.write"}, Includes: []rbac.Instance{"viewer"}},
		{Key: "editor", Name: "Editor", Description: "Writes documents.", Permissions: []rbac.Instance{registry.PermCreate, registry.PermUpdate, registry.PermDelete}, Includes: []rbac.Instance{"viewer"}},
		{Key: "operations", Name: "Operations", Description: "All that editors and analysts may, and roles besides.", Permissions: []rbac.Instance{rbac.PermRoleRead, registry.PermTypeWrite}, Includes: []rbac.Instance{"analyst", "editor"}},
	}
}

// catalogue is the plans of the demo, as an operator would write them.
//
//go:embed plans.yaml
var catalogue []byte

// seedPlans makes the plans of the demo, unless somebody has made paid ones.
func (d *Demo) seedPlans(ctx context.Context) error {
	all, err := d.Plans.All(ctx)
	if err != nil || len(all) > 1 {
		return err
	}
	book, err := plan.ParseBook(catalogue)
	if err != nil {
		return err
	}
	_, err = d.Plans.Apply(ctx, plan.ApplyCmd{Book: book})
	return err
}

func metrics() []analytics.Metric {
	dims := []string{"origin", "destination"}
	return []analytics.Metric{
		{Key: metricCount, Event: eventName, Unique: "destination", Dimensions: dims},
		{Key: "flights.delay", Event: eventName, Value: "delay", Quantiles: true, Dimensions: dims},
		{Key: "flights.distance", Event: eventName, Value: "distance", Dimensions: dims},
	}
}

// seedPeople makes the people who are not there yet, with random passwords.
func (d *Demo) seedPeople(ctx context.Context) ([]Credential, error) {
	var made []Credential
	for _, p := range people {
		password := rand.Text()[:16]
		u, err := d.CreateUser(ctx, account.CreateCmd{Email: p.email, Name: p.name, Password: password})
		if errors.Is(err, account.ErrEmailTaken) {
			continue
		}
		if err != nil {
			return made, err
		}
		role, err := d.Roles.ByKey(ctx, p.role)
		if err != nil {
			return made, err
		}
		if _, err := d.Roles.Grant(ctx, rbac.GrantCmd{Role: role.ID, Member: u.Ref()}); err != nil {
			return made, err
		}
		made = append(made, Credential{Email: p.email, Password: password, Role: p.role})
	}
	return made, nil
}

// seedDocuments makes the content types that are not there yet, each with its documents.
func (d *Demo) seedDocuments(ctx context.Context) error {
	airports, err := d.seedType(ctx, "airport", "Airport", airportSchema, func() ([]map[string]any, error) { return readAirports(d.cfg.DataDir) })
	if err != nil {
		return err
	}
	if _, err := d.seedType(ctx, "route", "Route", routeSchema, func() ([]map[string]any, error) { return d.routeItems(airports) }); err != nil {
		return err
	}
	if err := d.seedMovies(ctx); err != nil {
		return err
	}
	_, err = d.seedType(ctx, "note", "Note", noteSchema, func() ([]map[string]any, error) {
		return d.noteItems(ctx)
	})
	return err
}

// seedType makes a content type and its documents, if the type has no document yet.
func (d *Demo) seedType(ctx context.Context, key, name string, schema map[string]any, items func() ([]map[string]any, error)) ([]registry.Document, error) {
	_, err := d.Documents.Define(ctx, registry.DefineCmd{Key: key, Name: name, Schema: schema})
	if err != nil && !errors.Is(err, registry.ErrTypeTaken) {
		return nil, fmt.Errorf("content type %s: %w", key, err)
	}
	one := 1
	if p, err := d.Documents.List(ctx, registry.ListCmd{Type: key, Page: page.Args{First: &one}}); err != nil || len(p.Items) > 0 {
		return nil, err
	}
	data, err := items()
	if err != nil {
		return nil, err
	}
	docs, err := d.Documents.BulkCreate(ctx, key, data, actor.System().Ref())
	if err != nil {
		return nil, fmt.Errorf("documents of %s: %w", key, err)
	}
	d.Log.InfoContext(ctx, "demo_documents_created", "content_type", key, "count", len(docs))
	return docs, nil
}

func (d *Demo) routeItems(airports []registry.Document) ([]map[string]any, error) {
	read, err := readRoutes(d.cfg.DataDir, routes)
	if err != nil {
		return nil, err
	}
	at := map[string]ref.Ref{}
	for _, a := range airports {
		at[text(a.Data["iata"])] = a.Ref()
	}
	var items []map[string]any
	for _, r := range read {
		from, to := at[r.origin], at[r.destination]
		if from.IsZero() || to.IsZero() {
			continue
		}
		items = append(items, map[string]any{
			"name": r.origin + " – " + r.destination, "origin": from.String(), "destination": to.String(), "flights": r.flights,
		})
	}
	return items, nil
}

// seedMovies makes the directors first, for the movies point at them.
func (d *Demo) seedMovies(ctx context.Context) error {
	movies, err := readMovies(d.cfg.DataDir)
	if err != nil {
		return err
	}
	people, err := d.seedType(ctx, "person", "Person", personSchema, func() ([]map[string]any, error) {
		var items []map[string]any
		seen := map[string]bool{"": true}
		for _, m := range movies {
			if !seen[m.director] {
				seen[m.director] = true
				items = append(items, map[string]any{"name": m.director})
			}
		}
		return items, nil
	})
	if err != nil {
		return err
	}
	_, err = d.seedType(ctx, "movie", "Movie", movieSchema, func() ([]map[string]any, error) {
		at := map[string]string{}
		for _, p := range people {
			at[text(p.Data["name"])] = p.Ref().String()
		}
		items := make([]map[string]any, len(movies))
		for i, m := range movies {
			if director := at[m.director]; director != "" {
				m.data["director"] = director
			}
			items[i] = m.data
		}
		return items, nil
	})
	return err
}

// noteItems are a few notes that point at objects of different kinds.
func (d *Demo) noteItems(ctx context.Context) ([]map[string]any, error) {
	var items []map[string]any
	about := func(text string, r ref.Ref) {
		items = append(items, map[string]any{"text": text, "about": r.String()})
	}
	one := 1
	for key, text := range map[string]string{"movie": "Watch this again.", "airport": "Closed on foggy mornings.", "route": "Sold out before holidays."} {
		p, err := d.Documents.List(ctx, registry.ListCmd{Type: key, Page: page.Args{First: &one}})
		if err != nil {
			return nil, err
		}
		for _, doc := range p.Items {
			about(text, doc.Ref())
		}
	}
	editor, err := d.Roles.ByKey(ctx, "editor")
	if err != nil {
		return nil, err
	}
	about("Given with the Pro plan.", editor.Ref())
	return items, nil
}
