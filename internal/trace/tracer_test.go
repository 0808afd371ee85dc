package trace

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
)

// TestOffCostsNothing: without a collector, a request allocates nothing for spans on its way from HTTP to the database.
func TestOffCostsNothing(t *testing.T) {
	off, err := New(t.Context(), Config{}, slog.New(slog.DiscardHandler))
	if err != nil || off != nil {
		t.Fatalf("a tracer without an endpoint: %v %v", off, err)
	}
	ctx, headers := t.Context(), http.Header{"Traceparent": {traceparent}}
	for name, way := range map[string]func(){
		"a request": func() {
			ctx, span := off.Serve(ctx, headers)
			off.Here(ctx).Answered("POST", "/graphql", 500, "r1")
			span.End()
		},
		"an operation": func() {
			_, span := off.Operation(ctx, "query", "Me")
			span.Fail("FORBIDDEN")
			span.End()
		},
		"a command": func() {
			if off.Watches(ctx) {
				t.Error("it is watched")
			}
		},
		"a job": func() {
			_, span := off.Job(ctx, "import", traceparent)
			span.End()
		},
		"a line of the log": func() {
			if ID(Apart(ctx)) != "" || Carry(ctx) != "" {
				t.Error("it has a trace")
			}
		},
	} {
		if n := testing.AllocsPerRun(100, way); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
	if err := off.Close(ctx); err != nil {
		t.Error(err)
	}
}

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// TestSampling: the sender names the trace, and may ask for none, but cannot make us keep one.
func TestSampling(t *testing.T) {
	t.Parallel()
	quietly := traceparent[:len(traceparent)-1] + "0"
	for _, tc := range []struct {
		name   string
		share  float64
		header string
		kept   bool
	}{
		{"all, named", 1, traceparent, true},
		{"all, not named", 1, "", true},
		{"all, but not wanted", 1, quietly, false},
		{"none, though wanted", 0, traceparent, false},
		{"none", 0, "", false},
		{"a header that is none", 1, "00-nonsense", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tracer, err := New(t.Context(), Config{Endpoint: "http://127.0.0.1:1", Sample: tc.share}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			ctx, span := tracer.Serve(t.Context(), http.Header{"Traceparent": {tc.header}})
			defer span.End()
			if got := tracer.Watches(ctx); got != tc.kept {
				t.Errorf("kept: %t", got)
			}
			if named := ID(ctx) == traceparent[3:35]; named != (tc.header == traceparent || tc.header == quietly) || ID(ctx) == "" {
				t.Errorf("the trace is %s", ID(ctx))
			}
			if apart := Apart(ctx); ID(apart) != "" || tracer.Watches(apart) {
				t.Error("apart, it is still in the trace")
			}
			if next, _ := tracer.Job(context.Background(), "import", Carry(ctx)); ID(next) != ID(ctx) {
				t.Errorf("carried: %s, want %s", ID(next), ID(ctx))
			}
		})
	}
}
