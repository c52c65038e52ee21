package fetch

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// virtual runs a test in virtual time, with a client whose every connection is
// served by serve once its request has been read.
func virtual(t *testing.T, serve func(c net.Conn, r *http.Request), test func(t *testing.T, c *Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var served sync.WaitGroup
		c, err := New(Options{
			Bases: []string{"http://one.example/"},
			Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				served.Go(func() {
					defer theirs.Close()
					if r, err := http.ReadRequest(bufio.NewReader(theirs)); err == nil {
						serve(theirs, r)
					}
				})
				return ours, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		test(t, c)
		c.Close()
		served.Wait()
	})
}

// drip writes s a byte at a time until the other side hangs up.
func drip(c net.Conn, each time.Duration, next func(i int) byte) {
	for i := 0; ; i++ {
		if _, err := c.Write([]byte{next(i)}); err != nil {
			return
		}
		time.Sleep(each)
	}
}

func spaces(int) byte { return ' ' }

const okHeader = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"

func TestSlow(t *testing.T) {
	l := DefaultLimits
	for name, c := range map[string]struct {
		serve func(c net.Conn, r *http.Request)
		want  error
		most  time.Duration
	}{
		"no answer": {func(c net.Conn, r *http.Request) { io.Copy(io.Discard, c) }, ErrSlow, l.Header},
		"a header without end": {func(c net.Conn, r *http.Request) {
			const h = "HTTP/1.1 200 OK\r\nX: "
			drip(c, time.Second, func(i int) byte { return (h + "yyyyyyyyyy")[min(i, len(h)+i%10)] })
		}, ErrSlow, l.Header},
		"interim answers without end": {func(c net.Conn, r *http.Request) {
			const h = "HTTP/1.1 102 Processing\r\n\r\n"
			drip(c, time.Second/10, func(i int) byte { return h[i%len(h)] })
		}, ErrSlow, l.Header},
		"a body that stops": {func(c net.Conn, r *http.Request) {
			fmt.Fprint(c, okHeader, "begin")
			io.Copy(io.Discard, c)
		}, ErrSlow, l.Idle},
		"a body in drops": {func(c net.Conn, r *http.Request) {
			fmt.Fprint(c, okHeader)
			drip(c, time.Second, spaces)
		}, ErrSlow, l.Window + time.Second},
		"a body in drops just before each is too late": {func(c net.Conn, r *http.Request) {
			fmt.Fprint(c, okHeader)
			drip(c, l.Idle-time.Second, spaces)
		}, ErrSlow, l.Window + l.Idle},
		"chunks of one byte": {func(c net.Conn, r *http.Request) {
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			for {
				if _, err := fmt.Fprint(c, "1\r\n \r\n"); err != nil {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		}, ErrSlow, l.Window + time.Second},
		"hangs up": {func(c net.Conn, r *http.Request) { fmt.Fprint(c, okHeader, "begin") }, io.ErrUnexpectedEOF, 0},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, c.serve, func(t *testing.T, client *Client) {
				begin := time.Now()
				b, err := client.Get(t.Context(), "x", 1<<20)
				if !errors.Is(err, c.want) || b != nil {
					t.Errorf("%d bytes, %v, want %v", len(b), err, c.want)
				}
				if took := time.Since(begin); took > c.most {
					t.Errorf("took %v, want at most %v", took, c.most)
				}
			})
		})
	}
}

// A server that is slow, but not too slow, is read to the end; what the caller
// does meanwhile is not the server's fault.
func TestPatience(t *testing.T) {
	const size = 100000
	serve := func(c net.Conn, r *http.Request) {
		fmt.Fprint(c, okHeader)
		for range size / 1000 {
			if _, err := c.Write(make([]byte, 1000)); err != nil {
				return
			}
			time.Sleep(400 * time.Millisecond) // 2500 B/s
		}
	}
	virtual(t, serve, func(t *testing.T, c *Client) {
		if b, err := c.Get(t.Context(), "x", size); err != nil || len(b) != size {
			t.Errorf("%d bytes, %v", len(b), err)
		}
	})
	virtual(t, serve, func(t *testing.T, c *Client) {
		r, err := c.Range(t.Context(), "x", 1000, size-1000)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		n := 0
		for b := make([]byte, 50000); ; time.Sleep(10 * time.Minute) {
			more, err := r.Read(b)
			n += more
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("after %d bytes: %v", n, err)
			}
		}
		if n != size-1000 {
			t.Errorf("%d bytes, want %d", n, size-1000)
		}
	})
}

// One byte more than allowed is the last that is read.
func TestEndless(t *testing.T) {
	sent := 0
	virtual(t, func(c net.Conn, r *http.Request) {
		fmt.Fprint(c, "HTTP/1.1 200 OK\r\n\r\n")
		for {
			n, err := c.Write(make([]byte, 4096))
			sent += n
			if err != nil {
				return
			}
		}
	}, func(t *testing.T, c *Client) {
		if _, err := c.Get(t.Context(), "x", 100000); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%v, want %v", err, ErrTooLarge)
		}
		c.Close()
		synctest.Wait()
		if sent > 100000+64<<10 {
			t.Errorf("%d bytes were taken of a file of at most 100000", sent)
		}
	})
	sent = 0
	virtual(t, func(c net.Conn, r *http.Request) {
		fmt.Fprint(c, "HTTP/1.1 200 OK\r\n")
		for {
			n, err := fmt.Fprint(c, "X: 0123456789012345678901234567890123456789\r\n")
			sent += n
			if err != nil {
				return
			}
		}
	}, func(t *testing.T, c *Client) {
		if _, err := c.Get(t.Context(), "x", 100000); err == nil {
			t.Error("a header without end was taken")
		}
		synctest.Wait()
		if sent > maxHeader+32<<10 {
			t.Errorf("%d bytes of a header were taken", sent)
		}
	})
}

func TestCancelled(t *testing.T) {
	virtual(t, func(c net.Conn, r *http.Request) {
		fmt.Fprint(c, okHeader)
		drip(c, time.Millisecond, spaces)
	}, func(t *testing.T, c *Client) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if _, err := c.Get(ctx, "x", 1<<20); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// A name that is not answered for does not hold the other mirrors up for long.
func TestDialTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dialled := 0
		c, err := New(Options{
			Bases: []string{"http://one.example/", "https://two.example/"},
			Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				dialled++
				<-ctx.Done()
				return nil, ctx.Err()
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if _, err := c.Get(t.Context(), "x", 1); err == nil {
			t.Error("no error")
		}
		l := DefaultLimits
		if took := time.Since(begin); dialled != 2 || took < 2*l.Connect || took > 2*l.Connect+l.Pause {
			t.Errorf("%d names in %v", dialled, took)
		}
	})
}
