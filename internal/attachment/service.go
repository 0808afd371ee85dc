package attachment

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/backendbook/backendbook/internal/blob"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/keyring"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
	"github.com/backendbook/backendbook/internal/store"
)

// Authorizer is what this package needs of rbac.
type Authorizer interface {
	// Require fails unless the actor of ctx holds the permission.
	Require(ctx context.Context, permission string, on ref.Ref) error
}

// Documents is what this package needs of registry.
type Documents interface {
	// Create makes a document of the actor of ctx, in the transaction of ctx.
	Create(ctx context.Context, cmd registry.CreateCmd) (registry.Document, error)
	// ByIDs gives those of the documents of a home that the actor of ctx may read.
	ByIDs(ctx context.Context, home string, ids []string) (map[string]registry.Document, error)
}

// Quota is what this package needs of plan. Both are called inside the transaction.
type Quota interface {
	Consume(ctx context.Context, subject ref.Ref, feature string, n int64) error
	Release(ctx context.Context, subject ref.Ref, feature string, n int64) error
}

// Scanner looks for malware.
type Scanner interface {
	// Scan reads content to its end. An infected one is no error.
	Scan(ctx context.Context, r io.Reader) (infected bool, err error)
}

// Deps are what the service stands on.
type Deps struct {
	DB        *store.DB
	Blobs     blob.Store
	Authz     Authorizer
	Documents Documents
	Quota     Quota
	// Named tells which of these documents are there, live or where they can come back from.
	Named   func(ctx context.Context, documents []string) (map[string]bool, error)
	Ring    *keyring.Ring
	Scanner Scanner // nil for none
	Now     clock.Clock
	Log     *slog.Logger
}

// Config bounds what is taken. The zero value takes nothing.
type Config struct {
	MaxBytes int64
	Types    []string      // media types, such as "image/png", or "image/*"
	LinkTTL  time.Duration // of a link for which no time is asked, and the most that can be asked for
}

// Service is the business of this package. It is safe for concurrent use.
type Service struct {
	Deps
	cfg   Config
	store mongoStore
	gone  chan string   // ids of documents that were deleted
	draws chan struct{} // has room for the images that may be in memory at once
}

const (
	queued    = 1000 // deleted documents that wait for their content to be removed
	drawn     = 2
	keyPrefix = "attachments/"
)

// New makes the service. It starts nothing: see [Service.Run].
func New(deps Deps, cfg Config) *Service {
	return &Service{Deps: deps, cfg: cfg, store: newStore(deps.DB), gone: make(chan string, queued), draws: make(chan struct{}, drawn)}
}
