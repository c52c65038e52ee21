package fetch

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
)

// FuzzAnswer answers with any bytes. Nothing panics, and no more comes of them
// than was asked for.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		okHeader + "abc", "HTTP/1.1 200 OK\r\n\r\nabcdef", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nETag: \"x\"\r\n\r\nabc",
		"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-4/9\r\nContent-Length: 3\r\n\r\ncde",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: http://one.example/y\r\n\r\n", "HTTP/1.1 304 Not Modified\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 404 Not Found\r\n\r\n", "HTTP/0.9 200", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := New(Options{
			Bases: []string{"http://one.example/"},
			Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				go func() {
					defer theirs.Close()
					if _, err := http.ReadRequest(bufio.NewReader(theirs)); err == nil {
						theirs.Write(b)
					}
				}()
				return ours, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		const limit = 5
		if got, err := c.Get(t.Context(), "x", limit); len(got) > limit || err != nil && got != nil {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		r, err := c.Range(t.Context(), "x", 2, 3)
		if err != nil {
			return
		}
		defer r.Close()
		if got, err := io.ReadAll(r); len(got) > 3 || err == nil && len(got) != 3 {
			t.Errorf("a range of 3 bytes: %d, %v", len(got), err)
		}
	})
}
