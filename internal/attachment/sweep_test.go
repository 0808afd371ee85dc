package attachment

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/blob"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
)

// purge deletes the document of an attachment for good.
func (w *world) purge(a Attachment) {
	w.Helper()
	if _, err := w.docs.Delete(w.ctx, registry.DeleteCmd{On: a.Ref(), Purge: true}); err != nil {
		w.Fatal(err)
	}
}

// Content goes when its document is gone for good, as soon as that is heard of; in the trash it stays. Events of others, and the
// same event twice, do nothing.
func TestDropped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, usual)
	purged, trashed := w.upload("a.txt", []byte("purged")), w.upload("b.txt", []byte("in the trash"))
	w.purge(purged)
	if _, err := w.docs.Delete(w.ctx, registry.DeleteCmd{On: trashed.Ref()}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	hear := w.Follower().OnEvent
	for _, e := range []event.Event{
		{Kind: "registry.document.updated", On: purged.Ref()},
		{Kind: "registry.document.deleted", On: ref.New(ref.Document, purged.ID)},
		{Kind: "registry.document.deleted", On: trashed.Ref()},
		{Kind: "registry.document.deleted", On: purged.Ref()},
		{Kind: "registry.document.deleted", On: purged.Ref()},
		{Kind: "registry.document.purged", On: ref.New(ref.Attachment, ref.NewID())},
	} {
		hear(t.Context(), e, bson.Timestamp{})
	}
	w.await([4]int64{1, 1, 0, 12})
	if _, err := w.docs.Purge(w.ctx, trashed.Ref()); err != nil {
		t.Fatal(err)
	}
	hear(t.Context(), event.Event{Kind: "registry.document.purged", On: trashed.Ref()}, bson.Timestamp{})
	w.await([4]int64{})
	stop()
	running.Wait()
}

// await waits until so much is kept.
func (w *world) await(want [4]int64) {
	w.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		got := w.kept()
		if got == want {
			return
		}
		if time.Now().After(end) {
			w.Fatalf("kept %v, not %v", got, want)
		}
	}
}

// The sweep finds what nobody was told of: files without a document, content without a file, and never what is in use or young.
func TestSweep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, usual)
	used := w.upload("used.txt", []byte("used"))
	gone := w.upload("gone.txt", []byte("gone"))
	trashed := w.upload("trashed.txt", []byte("in the trash"))
	w.purge(gone)
	if _, err := w.docs.Delete(w.ctx, registry.DeleteCmd{On: trashed.Ref()}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{keyPrefix + "orphan", "imports/table"} {
		if _, err := w.Blobs.Put(t.Context(), key, strings.NewReader("lost"), blob.Meta{Size: 4}); err != nil {
			t.Fatal(err)
		}
	}
	sweep := func(want int) {
		t.Helper()
		if n, err := w.Sweep(w.system); err != nil || n != want {
			t.Fatalf("Sweep() = %d, %v; want %d", n, err, want)
		}
	}
	sweep(1) // the file of the document that is gone; the orphan may be an upload on its way
	if got, want := w.kept(), [4]int64{4, 2, 1, 16}; got != want {
		t.Errorf("kept %v, not %v", got, want)
	}
	w.clock.Advance(orphanAge + time.Minute)
	sweep(1)
	sweep(0)
	for _, key := range []string{w.stored(used.ID).Content.Key, w.stored(trashed.ID).Content.Key, "imports/table"} {
		if _, err := w.Blobs.Stat(t.Context(), key); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// Two nodes do not sweep at once: the second leaves it to the first.
func TestSweepIsOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, usual)
	w.purge(w.upload("gone.txt", []byte("gone")))
	lease, err := w.db.TryLease(t.Context(), leaseName, leaseTTL)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := w.Sweep(w.system); err != nil || n != 0 || w.kept()[0] != 1 {
		t.Errorf("beside another node: %d, %v", n, err)
	}
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := w.Sweep(w.system); err != nil || n != 1 || w.kept() != ([4]int64{}) {
		t.Errorf("alone: %d, %v", n, err)
	}
}

// A file that several nodes drop at once is given back once.
func TestDroppedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, usual)
	w.upload("stays.txt", []byte("stays"))
	a := w.upload("gone.txt", []byte("gone"))
	w.purge(a)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := w.dropped(t.Context(), a.ID); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got, want := w.kept(), [4]int64{1, 1, 1, 5}; got != want {
		t.Errorf("kept %v, not %v", got, want)
	}
}
