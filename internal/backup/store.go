package backup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/store"
)

// ErrTooSlow says that MongoDB no longer has the data as they were when the backup began.
var ErrTooSlow = errors.New("the backup took longer than MongoDB keeps what was: raise its parameter minSnapshotHistoryWindowInSeconds (300) and try again")

// ErrChanged says that there is no snapshot across such a change.
var ErrChanged = errors.New("a collection or an index was made or dropped meanwhile: try again")

const (
	codeSnapshotTooOld      = 239
	codeSnapshotUnavailable = 246
)

func snapshotError(err error) error {
	var s mongo.ServerError
	switch {
	case !errors.As(err, &s):
		return store.Translate(err)
	case s.HasErrorCode(codeSnapshotTooOld):
		return fmt.Errorf("%w (%w)", ErrTooSlow, err)
	case s.HasErrorCode(codeSnapshotUnavailable):
		return fmt.Errorf("%w (%w)", ErrChanged, err)
	}
	return store.Translate(err)
}

// collections names those of the database, but for MongoDB's own.
func collections(ctx context.Context, db *store.DB) ([]string, error) {
	names, err := db.Database().ListCollectionNames(ctx, bson.D{{Key: "type", Value: "collection"}})
	names = slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, "system.") })
	slices.Sort(names)
	return names, store.Wrap("list collections", err)
}

// snapshot runs fn with the time of the snapshot that the reads of its context see.
func snapshot(ctx context.Context, db *store.DB, fn func(ctx context.Context, at Time) error) error {
	now, err := db.ClusterTime(ctx)
	if err != nil {
		return err
	}
	return db.AsOf(ctx, now, func(ctx context.Context) error { return fn(ctx, Time{now.T, now.I}) })
}

// dump writes the documents of a collection one after the other, as they are stored.
func dump(ctx context.Context, db *store.DB, name string, w io.Writer) (n int64, err error) {
	cur, err := db.Collection(name).Find(ctx, bson.D{}, options.Find().SetSort(bson.D{{Key: "$natural", Value: 1}}))
	if err != nil {
		return 0, snapshotError(err)
	}
	defer func() { _ = cur.Close(context.WithoutCancel(ctx)) }()
	for ; cur.Next(ctx); n++ {
		if _, err := w.Write(cur.Current); err != nil {
			return n, err
		}
	}
	return n, snapshotError(cur.Err())
}

// eachDocument reads the n documents that dump has written.
func eachDocument(r io.Reader, n int64, fn func(doc []byte) error) error {
	in := bufio.NewReaderSize(r, 1<<20)
	for ; n > 0; n-- {
		doc, err := bson.ReadDocument(in)
		if err == nil {
			err = doc.Validate()
		}
		if err == nil {
			err = fn(doc)
		}
		if err != nil {
			return err
		}
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		return errors.Join(errMismatch, err)
	}
	return nil
}

// How much is inserted at once.
const (
	batchDocuments = 1000
	batchBytes     = 8 << 20
)

// fill inserts the n documents that dump has written. MongoDB does not check them anew: they were there.
func fill(ctx context.Context, db *store.DB, name string, n int64, r io.Reader) error {
	var batch []bson.Raw
	bytes := 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		_, err := db.Collection(name).InsertMany(ctx, batch, options.InsertMany().SetOrdered(false).SetBypassDocumentValidation(true))
		batch, bytes = batch[:0], 0
		return store.Wrap("insert", err)
	}
	err := eachDocument(r, n, func(doc []byte) error {
		batch, bytes = append(batch, doc), bytes+len(doc)
		if len(batch) < batchDocuments && bytes < batchBytes {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// empty reports whether there is no document in any collection.
func empty(ctx context.Context, db *store.DB) (bool, error) {
	names, err := collections(ctx, db)
	if err != nil {
		return false, err
	}
	for _, name := range names {
		err := db.Collection(name).FindOne(ctx, bson.D{}).Err()
		if !errors.Is(err, mongo.ErrNoDocuments) {
			return false, store.Wrap("look into "+name, err)
		}
	}
	return true, nil
}
