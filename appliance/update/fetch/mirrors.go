package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Get reads a whole file of at most limit bytes. Name is a relative URL path,
// escaped where a URL needs it, such as "metadata/timestamp.json". What a
// server gave with an entity tag (RFC 9110 section 8.8.3) it is asked for
// conditionally the next time.
func (c *Client) Get(ctx context.Context, name string, limit int64) (body []byte, err error) {
	err = c.each(ctx, name, func(ctx context.Context, url string) error {
		body, err = c.get(ctx, url, limit)
		return err
	})
	return body, err
}

func (c *Client) get(ctx context.Context, url string, limit int64) ([]byte, error) {
	header := http.Header{}
	known, tagged := c.known(url)
	if tagged {
		header.Set("If-None-Match", known.tag)
	}
	a, err := c.ask(ctx, url, header)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	body := known.body
	switch {
	case a.StatusCode == http.StatusNotModified && tagged:
	case a.StatusCode == http.StatusOK:
		if body, err = a.all(limit); err != nil {
			return nil, err
		}
		c.remember(url, a.Header.Get("ETag"), body)
	default:
		return nil, fmt.Errorf("%w: status %s", ErrRefused, strconv.Itoa(a.StatusCode))
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	return body, nil
}

// Range reads length bytes of a file from an offset on, as RFC 9110 section
// 14 has it. The reader gives exactly length bytes and then io.EOF, or an
// error, and has to be closed. A server that does not know ranges is read from
// the start and what comes before from is dropped.
//
// Another mirror is tried until one begins to answer. When the reader fails
// later, the caller says Next and asks for what is left.
func (c *Client) Range(ctx context.Context, name string, from, length int64) (r io.ReadCloser, err error) {
	if from < 0 || length <= 0 || from+length < 0 {
		return nil, fmt.Errorf("a range of %d bytes from %d", length, from)
	}
	err = c.each(ctx, name, func(ctx context.Context, url string) error {
		r, err = c.openRange(ctx, url, from, length)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (c *Client) openRange(ctx context.Context, url string, from, length int64) (io.ReadCloser, error) {
	header := http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", from, from+length-1)}}
	a, err := c.ask(ctx, url, header)
	if err != nil {
		return nil, err
	}
	if err := a.seek(from, length); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return &exact{answer: a, left: length}, nil
}

// seek makes the next byte of the body the one at from.
func (a *answer) seek(from, length int64) error {
	switch a.StatusCode {
	case http.StatusPartialContent:
		got := a.Header.Get("Content-Range")
		if !strings.HasPrefix(got, fmt.Sprintf("bytes %d-%d/", from, from+length-1)) {
			return fmt.Errorf("%w: asked for %d bytes from %d, got %.60q", ErrRefused, length, from, got)
		}
		if a.ContentLength >= 0 && a.ContentLength != length {
			return fmt.Errorf("%w: %d bytes in a range of %d", ErrRefused, a.ContentLength, length)
		}
		return nil
	case http.StatusOK:
		if a.ContentLength >= 0 && a.ContentLength < from+length {
			return fmt.Errorf("%w: the file has %d bytes, not the %d that are needed", ErrRefused, a.ContentLength, from+length)
		}
		if _, err := io.CopyN(io.Discard, a, from); err != nil {
			return short(err)
		}
		return nil
	}
	return fmt.Errorf("%w: status %d", ErrRefused, a.StatusCode)
}

// exact gives the next bytes of an answer, neither fewer nor more than left.
type exact struct {
	*answer
	left int64
}

func (e *exact) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.answer.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	if e.left == 0 {
		return n, nil
	}
	return n, short(err)
}

// short is what an early end is.
func short(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// each calls try with the file's URL on one mirror after the other, until one
// gives it.
func (c *Client) each(ctx context.Context, name string, try func(ctx context.Context, url string) error) error {
	if err := checkName(name); err != nil {
		return err
	}
	c.mu.Lock()
	first := c.first
	c.mu.Unlock()
	var missing, failed error
	for n := range c.bases {
		i := (first + n) % len(c.bases)
		err := try(ctx, c.bases[i]+name)
		switch {
		case err == nil:
			c.mu.Lock()
			c.first = i
			c.mu.Unlock()
			return nil
		case errors.Is(err, fs.ErrNotExist):
			missing = err
			continue
		case ctx.Err() != nil:
			return fmt.Errorf("fetch %s: %w", name, context.Cause(ctx))
		}
		failed = errors.Join(failed, err)
		c.log.Debug("an update mirror failed", "url", c.bases[i]+name, "error", err)
		if n+1 < len(c.bases) && !sleep(ctx, rand.N(c.limits.Pause)) {
			break
		}
	}
	// One that says that there is no such file outweighs those that say nothing.
	if missing != nil {
		return fmt.Errorf("fetch %s: %w", name, missing)
	}
	return fmt.Errorf("fetch %s: %w", name, failed)
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// maxName bounds a name, bytes.
const maxName = 1024

// checkName refuses a name that would be another place than one below a base.
func checkName(name string) error {
	bad := fmt.Errorf("%.100q is no file of a repository", name)
	if len(name) > maxName || strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`?#\"<>^{|}`+"`", r)
	}) {
		return bad
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return bad
		}
	}
	if _, err := url.PathUnescape(name); err != nil {
		return bad
	}
	return nil
}
