package attachment

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

const (
	scanTime  = 2 * time.Minute
	scanChunk = 64 << 10
	maxAnswer = 4 << 10
)

// Clamd is a scanner that asks a clamd, the daemon of ClamAV. It is safe for concurrent use.
type Clamd struct{ network, address string }

// NewClamd asks the clamd at host:port, or at the path of a socket. It connects for each file.
func NewClamd(address string) Clamd {
	if strings.HasPrefix(address, "/") {
		return Clamd{"unix", address}
	}
	return Clamd{"tcp", address}
}

// Scan implements [Scanner] with the command INSTREAM.
func (c Clamd) Scan(ctx context.Context, r io.Reader) (infected bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, scanTime)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, c.network, c.address)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	sent := stream(conn, r)
	answer, err := bufio.NewReader(io.LimitReader(conn, maxAnswer)).ReadString(0)
	if err != nil { // clamd answers before the end when it has had enough: then sending fails, and its answer says why
		return false, errors.Join(sent, err)
	}
	switch answer = strings.TrimRight(answer, "\x00"); {
	case strings.HasSuffix(answer, " FOUND"):
		return true, nil
	case strings.HasSuffix(answer, ": OK") && sent == nil:
		return false, nil
	}
	return false, errors.Join(sent, fmt.Errorf("clamd answered %q", answer))
}

// stream sends content in pieces, each with its length in front, and an empty one at the end.
func stream(w io.Writer, r io.Reader) error {
	if _, err := io.WriteString(w, "zINSTREAM\x00"); err != nil {
		return err
	}
	buf := make([]byte, 4+scanChunk)
	for {
		n, err := r.Read(buf[4:])
		if n > 0 {
			binary.BigEndian.PutUint32(buf, uint32(n)) //nolint:gosec // at most a chunk
			if _, err := w.Write(buf[:4+n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			_, err := w.Write(make([]byte, 4))
			return err
		case err != nil:
			return err
		}
	}
}
