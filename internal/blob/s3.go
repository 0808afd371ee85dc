package blob

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// S3Config says where a bucket is.
type S3Config struct {
	Endpoint  string // host[:port], or a URL with https:// or http://
	Bucket    string
	Region    string
	AccessKey string
	SecretKey string
	Prefix    string // of all keys, such as "book/"; empty for none
}

// partBytes is how much of an upload of unknown length is in memory at once, and the size of the parts of a long one: with
// 10,000 parts 80 GB are possible.
const partBytes = 8 << 20

// S3 keeps content in a bucket. It is safe for concurrent use.
type S3 struct {
	client *minio.Client
	bucket string
	prefix string
}

// NewS3 prepares the way to a bucket, which must be there. It asks nothing yet.
func NewS3(cfg S3Config) (*S3, error) {
	host, plain := strings.CutPrefix(cfg.Endpoint, "http://")
	host = strings.TrimSuffix(strings.TrimPrefix(host, "https://"), "/")
	client, err := minio.New(host, &minio.Options{
		Creds: credentials.NewStaticV4(cfg.AccessKey, cfg.SecretKey, ""), Secure: !plain, Region: cfg.Region,
	})
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	return &S3{client, cfg.Bucket, cfg.Prefix}, nil
}

// translate gives an error of the bucket our words.
func translate(err error) error {
	var answer minio.ErrorResponse
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &answer):
		return err
	case answer.Code == minio.NoSuchKey || answer.StatusCode == http.StatusNotFound && answer.Code != minio.NoSuchBucket:
		return ErrNone
	case answer.StatusCode == http.StatusPreconditionFailed:
		return ErrTaken
	}
	return fmt.Errorf("s3: %w", err)
}

// Put implements [Store]. A bucket shows an object when all of it has come.
func (s *S3) Put(ctx context.Context, key string, r io.Reader, m Meta) (Info, error) {
	if _, err := s.Stat(ctx, key); err == nil {
		return Info{}, ErrTaken
	} else if !errors.Is(err, ErrNone) {
		return Info{}, err
	}
	in := meter(r)
	body, size := bufio.NewReader(in), m.Size
	if _, err := body.Peek(1); errors.Is(err, io.EOF) && size < 0 {
		size = 0 // nothing has no parts to be sent in
	}
	_, err := s.client.PutObject(ctx, s.bucket, s.prefix+key, body, size, minio.PutObjectOptions{
		ContentType: m.ContentType, PartSize: partBytes, SendContentMd5: true, DisableContentSha256: true, // TLS keeps it from being changed
	})
	if err != nil {
		return Info{}, translate(err)
	}
	if _, err := body.Peek(1); !errors.Is(err, io.EOF) {
		return Info{}, errors.Join(ErrShort, s.Delete(ctx, key))
	}
	info, err := in.info(key, m, time.Time{})
	if err == nil {
		err = s.describe(ctx, info)
	}
	if err != nil {
		return Info{}, errors.Join(err, s.Delete(ctx, key))
	}
	stat, err := s.Stat(ctx, key)
	info.ModifiedAt = stat.ModifiedAt
	return info, err
}

const (
	sumKey  = "Sha256" // of the metadata, as minio writes the name
	maxCopy = 5 << 30  // bytes that a bucket copies at once
)

// describe writes down what is known only when all of an object was sent: the bucket copies it onto itself, as nothing else changes
// the metadata of an object.
func (s *S3) describe(ctx context.Context, i Info) error {
	if i.Size > maxCopy {
		return nil
	}
	at := minio.CopySrcOptions{Bucket: s.bucket, Object: s.prefix + i.Key}
	_, err := s.client.CopyObject(ctx, minio.CopyDestOptions{
		Bucket: at.Bucket, Object: at.Object, ReplaceMetadata: true, ContentType: i.ContentType, UserMetadata: map[string]string{sumKey: i.SHA256},
	}, at)
	return translate(err)
}

func (s *S3) info(o minio.ObjectInfo) Info {
	return Info{
		Key: strings.TrimPrefix(o.Key, s.prefix), Size: o.Size, ContentType: o.ContentType, SHA256: o.UserMetadata[sumKey], ModifiedAt: o.LastModified,
	}
}

// Open implements [Store].
func (s *S3) Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, Info, error) {
	info, err := s.Stat(ctx, key)
	if err != nil {
		return nil, Info{}, err
	}
	from, n := within(info.Size, offset, length)
	if n == 0 {
		return io.NopCloser(strings.NewReader("")), info, nil
	}
	opts := minio.GetObjectOptions{}
	if err := opts.SetRange(from, from+n-1); err != nil {
		return nil, Info{}, err
	}
	body, err := s.client.GetObject(ctx, s.bucket, s.prefix+key, opts)
	return body, info, translate(err)
}

// Stat implements [Store].
func (s *S3) Stat(ctx context.Context, key string) (Info, error) {
	if err := checkKey(key); err != nil {
		return Info{}, err
	}
	o, err := s.client.StatObject(ctx, s.bucket, s.prefix+key, minio.StatObjectOptions{})
	if err != nil {
		return Info{}, translate(err)
	}
	info := s.info(o)
	info.Key = key
	return info, nil
}

// Delete implements [Store].
func (s *S3) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	err := translate(s.client.RemoveObject(ctx, s.bucket, s.prefix+key, minio.RemoveObjectOptions{}))
	if errors.Is(err, ErrNone) {
		return nil
	}
	return err
}

// List implements [Store].
func (s *S3) List(ctx context.Context, prefix, after string, n int) ([]Info, error) {
	ctx, cancel := context.WithCancel(ctx) // ends the listing when it was enough
	defer cancel()
	opts := minio.ListObjectsOptions{Prefix: s.prefix + prefix, Recursive: true, MaxKeys: n}
	if after != "" {
		opts.StartAfter = s.prefix + after
	}
	var all []Info
	for o := range s.client.ListObjectsIter(ctx, s.bucket, opts) {
		if o.Err != nil {
			return nil, translate(o.Err)
		}
		if all = append(all, s.info(o)); len(all) == n {
			break
		}
	}
	return all, nil
}

// Clean implements [Store]: it ends the long uploads that were never completed.
func (s *S3) Clean(ctx context.Context, before time.Time) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var stale []string
	for u := range s.client.ListIncompleteUploads(ctx, s.bucket, s.prefix, true) {
		if u.Err != nil {
			return translate(u.Err)
		}
		if u.Initiated.Before(before) {
			stale = append(stale, u.Key)
		}
	}
	for _, key := range stale {
		if err := translate(s.client.RemoveIncompleteUpload(ctx, s.bucket, key)); err != nil && !errors.Is(err, ErrNone) {
			return err
		}
	}
	return nil
}
