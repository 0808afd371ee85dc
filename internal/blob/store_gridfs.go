package blob

import (
	"context"
	"errors"
	"io"
	"regexp"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/store"
)

const (
	bucketName   = "blobs"
	transferTime = 10 * time.Minute // bounds one whose context has no end: the driver's own bound is for one command
	cleanBatch   = 100
)

// Collections declares what this package keeps in the database. The index of the chunks is the one that drivers make.
func Collections() []store.Collection {
	return []store.Collection{
		{Name: bucketName + ".files", Indexes: []store.Index{{Name: "key", Keys: []string{"filename"}, Unique: true}}},
		{Name: bucketName + ".chunks", Indexes: []store.Index{{Name: "files_id_1_n_1", Keys: []string{"files_id", "n"}, Unique: true}}},
	}
}

// GridFS keeps content in the database, with the concerns of the database: what is acknowledged is on a majority. It is safe
// for concurrent use.
type GridFS struct {
	db            *store.DB
	files, chunks *mongo.Collection
}

// NewGridFS keeps content in a database.
func NewGridFS(db *store.DB) *GridFS {
	return &GridFS{db, db.Collection(bucketName + ".files"), db.Collection(bucketName + ".chunks")}
}

type gridFile struct {
	ID        bson.ObjectID `bson:"_id"`
	Length    int64         `bson:"length"`
	ChunkSize int64         `bson:"chunkSize"`
	Uploaded  time.Time     `bson:"uploadDate"`
	Key       string        `bson:"filename"`
	Meta      gridMeta      `bson:"metadata"`
}

type gridMeta struct {
	ContentType string `bson:"contentType"`
	SHA256      string `bson:"sha256"`
}

func (f gridFile) info() Info {
	return Info{Key: f.Key, Size: f.Length, ContentType: f.Meta.ContentType, SHA256: f.Meta.SHA256, ModifiedAt: f.Uploaded}
}

func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ends := ctx.Deadline(); ends {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, transferTime)
}

// Put implements [Store]. The chunks come first and the file last, so nobody reads half of it.
func (g *GridFS) Put(ctx context.Context, key string, r io.Reader, m Meta) (Info, error) {
	if err := checkKey(key); err != nil {
		return Info{}, err
	}
	ctx, cancel := bounded(store.Outside(ctx))
	defer cancel()
	f := gridFile{ID: bson.NewObjectID(), ChunkSize: int64(mongo.DefaultGridFSChunkSize), Key: key}
	info, err := g.write(ctx, f, r, m)
	if err != nil {
		return Info{}, errors.Join(err, g.forget(ctx, f.ID))
	}
	return info, nil
}

// write sends the chunks and then the file. The driver's upload stream is not used: what it knows of a file it must know at the
// beginning, and the hash is known at the end.
func (g *GridFS) write(ctx context.Context, f gridFile, r io.Reader, m Meta) (Info, error) {
	in := meter(r)
	buf := make([]byte, f.ChunkSize)
	for n := int32(0); ; n++ {
		size, err := io.ReadFull(in, buf)
		if size > 0 {
			_, put := g.chunks.InsertOne(ctx, bson.D{{Key: "_id", Value: bson.NewObjectID()}, {Key: "files_id", Value: f.ID}, {Key: "n", Value: n}, {Key: "data", Value: buf[:size]}})
			if put != nil {
				return Info{}, store.Wrap("keep a chunk", put)
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return Info{}, err
		}
	}
	info, err := in.info(f.Key, m, f.ID.Timestamp())
	if err != nil {
		return Info{}, err
	}
	f.Length, f.Uploaded, f.Meta = info.Size, info.ModifiedAt, gridMeta{m.ContentType, info.SHA256}
	_, err = g.files.InsertOne(ctx, f)
	if store.IsDuplicate(err) {
		return Info{}, ErrTaken
	}
	return info, store.Wrap("keep a file", err)
}

// forget removes the chunks of an upload that broke, also when its context has ended.
func (g *GridFS) forget(ctx context.Context, id bson.ObjectID) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_, err := g.chunks.DeleteMany(ctx, bson.D{store.Eq("files_id", id)})
	return store.Wrap("forget chunks", err)
}

func (g *GridFS) file(ctx context.Context, key string) (gridFile, error) {
	if err := checkKey(key); err != nil {
		return gridFile{}, err
	}
	f, err := store.FindOne[gridFile](ctx, g.files, bson.D{store.Eq("filename", key)})
	if errors.Is(err, mongo.ErrNoDocuments) {
		return gridFile{}, ErrNone
	}
	return f, err
}

// Open implements [Store]. Cost: one find, and one for the chunks of the range.
func (g *GridFS) Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, Info, error) {
	ctx, cancel := bounded(store.Outside(ctx))
	f, err := g.file(ctx, key)
	if err != nil {
		cancel()
		return nil, Info{}, err
	}
	from, n := within(f.Length, offset, length)
	first := from / f.ChunkSize
	cur, err := g.chunks.Find(ctx, bson.D{store.Eq("files_id", f.ID), {Key: "n", Value: bson.D{{Key: "$gte", Value: first}}}},
		options.Find().SetSort(bson.D{{Key: "n", Value: 1}}).SetBatchSize(8).SetLimit((from+n)/f.ChunkSize-first+1))
	if err != nil {
		cancel()
		return nil, Info{}, store.Wrap("read chunks", err)
	}
	return &gridReader{ctx: ctx, cancel: cancel, cur: cur, skip: from - first*f.ChunkSize, left: n}, f.info(), nil
}

// gridReader reads the chunks of a range.
type gridReader struct {
	ctx    context.Context //nolint:containedctx // it bounds this reading
	cancel context.CancelFunc
	cur    *mongo.Cursor
	chunk  []byte
	skip   int64 // of the next chunk
	left   int64
}

// Read implements [io.Reader].
func (r *gridReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	for len(r.chunk) == 0 {
		if !r.cur.Next(r.ctx) {
			if err := r.cur.Err(); err != nil {
				return 0, store.Wrap("read chunks", err)
			}
			return 0, io.ErrUnexpectedEOF
		}
		_, data, _ := r.cur.Current.Lookup("data").BinaryOK()
		r.chunk = data[min(r.skip, int64(len(data))):]
		r.skip = 0
	}
	n := copy(p[:min(int64(len(p)), r.left)], r.chunk)
	r.chunk = r.chunk[n:]
	r.left -= int64(n)
	return n, nil
}

// Close implements [io.Closer].
func (r *gridReader) Close() error {
	err := r.cur.Close(r.ctx)
	r.cancel()
	return err
}

// Stat implements [Store].
func (g *GridFS) Stat(ctx context.Context, key string) (Info, error) {
	f, err := g.file(store.Outside(ctx), key)
	return f.info(), err
}

// Delete implements [Store]. The file goes first, so nobody reads half of it.
func (g *GridFS) Delete(ctx context.Context, key string) error {
	ctx = store.Outside(ctx)
	f, err := g.file(ctx, key)
	if errors.Is(err, ErrNone) {
		return nil
	} else if err != nil {
		return err
	}
	if _, err := g.files.DeleteOne(ctx, bson.D{store.Eq("_id", f.ID)}); err != nil {
		return store.Wrap("delete a file", err)
	}
	return g.forget(ctx, f.ID)
}

// List implements [Store].
func (g *GridFS) List(ctx context.Context, prefix, after string, n int) ([]Info, error) {
	found, err := store.Find[gridFile](store.Outside(ctx), g.files, bson.D{{Key: "filename", Value: bson.D{
		{Key: "$gt", Value: after}, {Key: "$regex", Value: "^" + regexp.QuoteMeta(prefix)},
	}}}, options.Find().SetSort(bson.D{{Key: "filename", Value: 1}}).SetLimit(int64(n)))
	all := make([]Info, len(found))
	for i, f := range found {
		all[i] = f.info()
	}
	return all, err
}

// Clean implements [Store]: chunks whose file is not there were left by a process that died. Their ids tell their time.
func (g *GridFS) Clean(ctx context.Context, before time.Time) error {
	type lost struct {
		ID bson.ObjectID `bson:"_id"`
	}
	all, err := store.Aggregate[lost](store.Outside(ctx), g.chunks, bson.A{
		bson.D{{Key: "$match", Value: bson.D{{Key: "n", Value: 0}, {Key: "files_id", Value: bson.D{{Key: "$lt", Value: bson.NewObjectIDFromTimestamp(before)}}}}}},
		bson.D{{Key: "$project", Value: bson.D{{Key: "_id", Value: "$files_id"}}}},
		bson.D{{Key: "$lookup", Value: bson.D{{Key: "from", Value: g.files.Name()}, {Key: "localField", Value: "_id"}, {Key: "foreignField", Value: "_id"}, {Key: "as", Value: "file"}}}},
		bson.D{{Key: "$match", Value: bson.D{{Key: "file", Value: bson.D{{Key: "$size", Value: 0}}}}}},
		bson.D{{Key: "$limit", Value: cleanBatch}},
		bson.D{{Key: "$project", Value: bson.D{{Key: "_id", Value: 1}}}},
	})
	for _, l := range all {
		err = errors.Join(err, g.forget(ctx, l.ID))
	}
	return err
}
