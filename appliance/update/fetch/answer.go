package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"time"
)

// answer is a server's answer, whose body is read no slower than the limits say.
type answer struct {
	*http.Response
	ctx    context.Context
	cancel context.CancelCauseFunc
	limits Limits
	now    func() time.Time

	waited time.Duration // for the body, in this window
	got    int64         // bytes in this window
}

// ask sends one request and waits for the answer's header.
func (c *Client) ask(ctx context.Context, url string, header http.Header) (*answer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	a := &answer{ctx: ctx, cancel: cancel, limits: c.limits, now: c.now}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	request.Header = header
	header.Set("User-Agent", "truechimer")
	header.Set("Accept-Encoding", "identity")

	late := time.AfterFunc(c.limits.Header, func() {
		cancel(fmt.Errorf("%w: no answer in %v", ErrSlow, c.limits.Header))
	})
	a.Response, err = c.http.Do(request)
	late.Stop()
	if err != nil {
		err = a.why(err)
		cancel(nil)
		return nil, err
	}
	switch encoding := a.Header.Get("Content-Encoding"); {
	case a.StatusCode == http.StatusNotFound, a.StatusCode == http.StatusForbidden, a.StatusCode == http.StatusGone:
		err = a.refused(fs.ErrNotExist)
	case a.StatusCode == http.StatusOK, a.StatusCode == http.StatusPartialContent, a.StatusCode == http.StatusNotModified:
		if encoding != "" && encoding != "identity" {
			err = fmt.Errorf("%w: the body is encoded (%.20q)", ErrRefused, encoding)
		}
	default:
		err = a.refused(ErrRefused)
	}
	if err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// StatusError is an answer that gives no file. It wraps fs.ErrNotExist where the
// server says that there is none, else ErrRefused.
type StatusError struct {
	Code int
	// RetryAfter is how long the server wants not to be asked (RFC 9110 section
	// 10.2.3), as it says; 0: it does not.
	RetryAfter time.Duration
	why        error
}

func (e *StatusError) Error() string { return fmt.Sprintf("%v: status %d", e.why, e.Code) }

// Unwrap is the sort of error.
func (e *StatusError) Unwrap() error { return e.why }

func (a *answer) refused(why error) error {
	return &StatusError{Code: a.StatusCode, RetryAfter: a.retryAfter(), why: why}
}

// all is the whole body, of at most limit bytes.
func (a *answer) all(limit int64) ([]byte, error) {
	if a.ContentLength > limit {
		return nil, fmt.Errorf("%w: %d bytes, not more than %d", ErrTooLarge, a.ContentLength, limit)
	}
	body, err := io.ReadAll(io.LimitReader(a, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	return body, nil
}

// Read reads the body.
func (a *answer) Read(p []byte) (int, error) {
	idle := time.AfterFunc(a.limits.Idle, func() {
		a.cancel(fmt.Errorf("%w: nothing came in %v", ErrSlow, a.limits.Idle))
	})
	before := time.Now()
	n, err := a.Body.Read(p)
	waited := time.Since(before)
	idle.Stop()
	if err != nil {
		return n, a.why(err)
	}
	a.waited += waited
	a.got += int64(n)
	if a.waited >= a.limits.Window {
		if float64(a.got) < a.waited.Seconds()*float64(a.limits.Rate) {
			return n, fmt.Errorf("%w: %d bytes in %v", ErrSlow, a.got, a.waited)
		}
		a.waited, a.got = 0, 0
	}
	return n, nil
}

// Close ends the request; a connection whose body was not read to its end is
// closed.
func (a *answer) Close() error {
	err := a.Body.Close()
	a.cancel(nil)
	return err
}

// why is the reason of err: our own where it was we who ended the request.
func (a *answer) why(err error) error {
	if cause := context.Cause(a.ctx); cause != nil && errors.Is(cause, ErrSlow) {
		return cause
	}
	return err
}
