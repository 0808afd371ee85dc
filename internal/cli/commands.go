package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/backup"
	"github.com/backendbook/backendbook/internal/export"
	"github.com/backendbook/backendbook/internal/job"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/registry"
	"github.com/backendbook/backendbook/internal/webauth"
)

// Commands is the grammar: kong reads it, and calls Run of the chosen command.
type Commands struct {
	Serve   ServeCmd   `cmd:"" default:"withargs" help:"Serve the API and the console until a signal ends it. This is what happens without a command."`
	Migrate MigrateCmd `cmd:"" help:"Bring the database to what this version needs. Serving does it too."`
	Backup  BackupCmd  `cmd:"" help:"Copy the database and its files, as they are at this moment, into one file."`
	Restore RestoreCmd `cmd:"" help:"Make an empty database what a backup says."`
	Seed    SeedCmd    `cmd:"" help:"Make the roles and plans a new database begins with, and with --demo the demo."`
	User    struct {
		CreateAdmin UserCreateAdminCmd `cmd:"" help:"Make an account that may do everything, and print the link to choose its password with."`
		Reset       UserResetCmd       `cmd:"" help:"Print a link with which a user chooses a new password."`
		Import      UserImportCmd      `cmd:"" help:"Bring users of another system along, with their password hashes."`
		List        UserListCmd        `cmd:"" help:"List the users by name."`
	} `cmd:"" help:"Users."`
	Role struct {
		Grant    RoleGrantCmd    `cmd:"" help:"Let a user or a role hold a role."`
		Revoke   RoleRevokeCmd   `cmd:"" help:"Take a role back from a user or a role."`
		List     RoleListCmd     `cmd:"" help:"List the roles."`
		Explain  RoleExplainCmd  `cmd:"" help:"Tell whether a user may do something, and why."`
		Export   RoleExportCmd   `cmd:"" help:"Print the roles, what they include and the predicates as YAML."`
		Import   RoleImportCmd   `cmd:"" help:"Make the roles as a YAML file says, all or nothing, and print the difference."`
		Simulate RoleSimulateCmd `cmd:"" help:"Tell who would gain and lose what by an import, without one."`
	} `cmd:"" help:"Roles."`
	Plan struct {
		List    PlanListCmd    `cmd:"" help:"List the plans with their prices and features."`
		Show    PlanShowCmd    `cmd:"" help:"Tell where a user is, what they may use, and why."`
		Put     PlanPutCmd     `cmd:"" help:"Put a user on a plan, for nothing."`
		Export  PlanExportCmd  `cmd:"" help:"Print the catalogue as YAML."`
		Apply   PlanApplyCmd   `cmd:"" help:"Make the catalogue as a YAML file says, all or nothing, and print the difference."`
		Migrate PlanMigrateCmd `cmd:"" help:"Move the members of old versions of a plan to the current one."`
	} `cmd:"" help:"Plans."`
	Registry struct {
		Import RegistryImportCmd `cmd:"" help:"Make documents of the rows of a CSV or JSON file."`
		Export RegistryExportCmd `cmd:"" help:"Print documents as CSV or JSON."`
		Verify RegistryVerifyCmd `cmd:"" help:"Check that references and the documents that hold them agree."`
	} `cmd:"" help:"Documents."`
	Job struct {
		List   JobListCmd   `cmd:"" help:"List the newest jobs."`
		Show   JobShowCmd   `cmd:"" help:"Tell how far a job is, and what came of it."`
		Cancel JobCancelCmd `cmd:"" help:"End a job."`
	} `cmd:"" help:"Work in the background."`
	Ingest IngestCmd `cmd:"" help:"Store the rows of a JSON file as events."`
	Report ReportCmd `cmd:"" help:"Compute a report and print it."`
	Metric struct {
		List    MetricListCmd    `cmd:"" help:"List the metrics."`
		Verify  MetricVerifyCmd  `cmd:"" help:"Compare every rollup with a recount of the events."`
		Delete  MetricDeleteCmd  `cmd:"" help:"Delete a metric and its rollups."`
		Rebuild MetricRebuildCmd `cmd:"" help:"Compute every rollup anew from the events."`
	} `cmd:"" help:"What is counted of events."`
	Export struct {
		Events ExportEventsCmd `cmd:"" help:"Print stored events as a table."`
	} `cmd:"" help:"What was measured, for other programs."`
	Mail struct {
		Dead  MailDeadCmd  `cmd:"" help:"List the mails that could not be delivered."`
		Retry MailRetryCmd `cmd:"" help:"Try once more to deliver one of them."`
	} `cmd:"" help:"Mails."`
	Config struct {
		Print ConfigPrintCmd `cmd:"" help:"Print every setting, where its value comes from, and secrets masked."`
		Check ConfigCheckCmd `cmd:"" help:"Tell whether the settings are good."`

		NewKey ConfigNewKeyCmd `cmd:"" help:"Make a key for the setting secret-keys."`
	} `cmd:"" help:"Settings."`
	Docs   DocsCmd `cmd:"" help:"Write a page of the reference documentation."`
	Schema struct {
		Print         SchemaPrintCmd         `cmd:"" default:"withargs" help:"Print the GraphQL schema. This is what happens without a further word."`
		PossibleTypes SchemaPossibleTypesCmd `cmd:"" help:"Print what the interfaces and unions may be, as caches of clients need it: possibleTypes.json."`
		Documents     SchemaDocumentsCmd     `cmd:"" help:"Print the documents of a folder by their SHA-256: the manifest of trusted documents."`
		Diagram       SchemaDiagramCmd       `cmd:"" help:"Draw the content types and what their references may lead to."`
	} `cmd:"" help:"The GraphQL schema, what clients are built with, and the content types as a diagram."`
	RotateKeys RotateKeysCmd `cmd:"" help:"Seal with the first of secret-keys what the older ones have sealed, while servers run."`
	Doctor     DoctorCmd     `cmd:"" help:"Look for what is wrong with this installation."`
	Version    VersionCmd    `cmd:"" help:"Print the version."`
}

// Services are what commands work through, on a database that is migrated and bootstrapped.
type Services struct {
	Accounts  *account.Service
	Auth      *webauth.Service
	Roles     *rbac.Service
	Plans     *plan.Service
	Analytics *analytics.Service
	Documents *registry.Service
	Jobs      *job.Manager
	Exports   *export.Service
	// RotateKeys seals anew what older keys have sealed, and gives how many things those were.
	RotateKeys func(ctx context.Context) (int, error)
}

// Env is what a command works with.
type Env struct {
	Host    Host
	Out     io.Writer // results
	Err     io.Writer // progress and problems
	In      io.Reader
	Version string
}

// say tells the person at the terminal something that is not the result.
func (e *Env) say(format string, args ...any) { _, _ = fmt.Fprintf(e.Err, format+"\n", args...) }

// Host is the process around a command.
type Host interface {
	// Serve runs the server until ctx ends.
	Serve(ctx context.Context) error
	// Migrate brings the database to the plan of this version, or with dryRun only says what it would do.
	Migrate(ctx context.Context, dryRun bool) (Migration, error)
	// Backup copies the database and the files beside it; see [backup.Write].
	Backup(ctx context.Context, to io.Writer, withoutFiles bool) (backup.Manifest, error)
	// Restore makes the database of the settings what a backup says, while no server runs on it; see [backup.Archive.Restore].
	Restore(ctx context.Context, a *backup.Archive, force bool, skip []string) error
	// Seed makes what a new database begins with, and the demo if the settings say so. It tells the sign-ins it made.
	Seed(ctx context.Context) ([]SignIn, error)
	// Open gives the services: on the database of the settings, or on the managed one, which it joins when a server runs
	// it and starts otherwise. release undoes that.
	Open(ctx context.Context) (s *Services, release func(), err error)
	// PrintConfig writes the resolved settings, secrets masked.
	PrintConfig(w io.Writer) error
	// WriteConfigDocs writes docs/config.md.
	WriteConfigDocs(w io.Writer) error
	// Diagnose looks at the installation; with ready it only asks the running server whether it is ready.
	Diagnose(ctx context.Context, ready bool) []Finding
}

// Migration is what migrating did, or would do.
type Migration struct{ Created, Applied, Warnings []string }

// SignIn is a sign-in that was just made; its password is kept nowhere.
type SignIn struct{ Email, Password, Role string }

// errUsage is the class of mistakes in what was asked for.
var errUsage = errors.New("usage")

// IsUsage reports whether a command failed because the question made no sense: exit code 2.
func IsUsage(err error) bool { return errors.Is(err, errUsage) }

// usage makes an error of that class.
func usage(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

type usageError struct{ msg string }

// Error says what is wrong with the question.
func (e usageError) Error() string { return e.msg }

// Is makes it one of its class.
func (e usageError) Is(target error) bool { return target == errUsage }

// printTable writes rows in columns.
func printTable(w io.Writer, rows [][]string) error {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				_, _ = tw.Write([]byte{'\t'})
			}
			_, _ = io.WriteString(tw, cell)
		}
		_, _ = tw.Write([]byte{'\n'})
	}
	return tw.Flush()
}

// printJSON writes a value for other programs.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
