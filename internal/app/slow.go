package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/backendbook/backendbook/graph"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/trace"
)

// explainWait bounds how long the server is asked for a plan.
const explainWait = 2 * time.Second

// slowLog writes one line for each operation that took long, with the plan of its slowest read. Plans are asked for one at a time: while
// that lasts, lines go without one, for a database that is slow already has enough to do.
type slowLog struct {
	db    *store.DB
	log   *slog.Logger
	queue chan slowOperation
}

type slowOperation struct {
	ctx context.Context // of the request, for the log alone //nolint:containedctx // the line is written when that is over
	op  graph.Slow
}

func newSlowLog(db *store.DB, log *slog.Logger) *slowLog {
	return &slowLog{db: db, log: log, queue: make(chan slowOperation, 1)}
}

// tell is called when an operation has ended. It does not wait.
func (s *slowLog) tell(ctx context.Context, op graph.Slow) {
	ctx = context.WithoutCancel(ctx)
	if slowest, _ := op.Work.Slowest(); len(slowest.Body) > 0 {
		select {
		case s.queue <- slowOperation{ctx, op}:
			return
		default:
		}
	}
	s.write(ctx, op, "")
}

// Run asks for plans until ctx ends.
func (s *slowLog) Run(ctx context.Context) {
	for {
		select {
		case one := <-s.queue:
			s.write(one.ctx, one.op, s.plan(ctx, one.op.Work)) //nolint:contextcheck // the line is the request's, the question is not
		case <-ctx.Done():
			select {
			case one := <-s.queue:
				s.write(one.ctx, one.op, "") //nolint:contextcheck // as above
			default:
			}
			return
		}
	}
}

func (s *slowLog) plan(ctx context.Context, work *trace.Work) string {
	ctx, cancel := context.WithTimeout(ctx, explainWait)
	defer cancel()
	slowest, _ := work.Slowest()
	plan, err := s.db.Explain(ctx, slowest)
	if err != nil { // its text may quote the read
		return ""
	}
	return plan
}

func (s *slowLog) write(ctx context.Context, op graph.Slow, plan string) {
	attrs := []slog.Attr{
		slog.String("root", op.Root), slog.String("type", op.Type), slog.String("code", op.Code), slog.Float64("ms", ms(op.Took)),
		slog.Int("finds", op.Work.Finds()), slog.Float64("mongo_ms", ms(op.Work.Took())),
	}
	if slowest, ok := op.Work.Slowest(); ok {
		attrs = append(attrs, slog.String("slowest_command", slowest.Name), slog.String("slowest_collection", slowest.Collection),
			slog.Float64("slowest_ms", ms(slowest.Took)))
	}
	if plan != "" {
		attrs = append(attrs, slog.String("plan", plan))
	}
	s.log.LogAttrs(ctx, slog.LevelWarn, "graphql_slow", attrs...)
}
