package assign

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/appliance/update/fetch"
	"github.com/truechimer/truechimer/monitor"
)

// Whatever a server does, and however long it takes for it, the last good list
// stays in force, and its next turn to be asked comes.
func TestHostileServers(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	z.Write(bytes.Repeat([]byte(" "), 8<<20))
	z.Close()
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	drip := func(c net.Conn, each time.Duration, s string) {
		for i := 0; ; i++ {
			if _, err := c.Write([]byte{s[i%len(s)]}); err != nil {
				return
			}
			time.Sleep(each)
		}
	}
	for name, serve := range map[string]func(c net.Conn, r *http.Request){
		"endless": func(c net.Conn, _ *http.Request) {
			fmt.Fprint(c, head, "\r\n", `{"version": 1, "servers": [`)
			for {
				if _, err := io.WriteString(c, strings.Repeat(`{"address": "1.1.1.1"},`, 100)); err != nil {
					return
				}
			}
		},
		"longer than it says": func(c net.Conn, _ *http.Request) {
			fmt.Fprint(c, head, "Content-Length: 1000000000000\r\n\r\n", two)
			io.Copy(io.Discard, c)
		},
		"cut off": func(c net.Conn, _ *http.Request) { fmt.Fprint(c, head, "Content-Length: 1000\r\n\r\n", two) },
		"silent":  func(c net.Conn, _ *http.Request) { io.Copy(io.Discard, c) },
		"slow header": func(c net.Conn, _ *http.Request) {
			drip(c, time.Second, "HTTP/1.1 200 OK\r\nX: yyyyyyyyyyyyyyyyyyyyyyy")
		},
		"slow body": func(c net.Conn, _ *http.Request) { fmt.Fprint(c, head, "\r\n"); drip(c, time.Second, " ") },
		"no HTTP":   func(c net.Conn, _ *http.Request) { fmt.Fprint(c, "220 mail.example.net ESMTP\r\n") },
		"gzip bomb": func(c net.Conn, _ *http.Request) {
			fmt.Fprint(c, head, "Content-Encoding: gzip\r\n\r\n")
			c.Write(bomb.Bytes())
		},
		"gzip unsaid": func(c net.Conn, _ *http.Request) { fmt.Fprint(c, head, "\r\n"); c.Write(bomb.Bytes()) },
		"redirects": func(c net.Conn, r *http.Request) {
			fmt.Fprintf(c, "HTTP/1.1 302 Found\r\nLocation: %sx\r\nContent-Length: 0\r\n\r\n", r.URL.Path)
		},
		"to the inside": func(c net.Conn, _ *http.Request) {
			fmt.Fprint(c, "HTTP/1.1 302 Found\r\nLocation: http://192.168.1.1/reboot\r\nContent-Length: 0\r\n\r\n")
		},
		"304 unasked": func(c net.Conn, _ *http.Request) { fmt.Fprint(c, "HTTP/1.1 304 Not Modified\r\n\r\n") },
		"deep": func(c net.Conn, _ *http.Request) {
			fmt.Fprint(c, head, "\r\n", `{"version": 1, "x": `, strings.Repeat("[", 1<<20))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var bad atomic.Bool
				var served sync.WaitGroup
				asked := 0
				doc, err := fetch.NewDocument("http://127.0.0.1/list.json", "", fetch.Options{
					Dial: func(_ context.Context, _, address string) (net.Conn, error) {
						if address != "127.0.0.1:80" {
							t.Errorf("went to %s", address)
						}
						ours, theirs := net.Pipe()
						asked++
						served.Go(func() {
							defer theirs.Close()
							r, err := http.ReadRequest(bufio.NewReader(theirs))
							if err == nil && bad.Load() {
								serve(theirs, r)
							} else if err == nil {
								fmt.Fprint(theirs, head, "\r\n", two)
							}
						})
						return ours, nil
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				lists, notice := 0, ""
				p := NewPoller(Options{
					URL: "x", Document: doc, Interval: 15 * time.Minute, Clock: func() (time.Time, bool) { return time.Now(), true },
					Take: func([]monitor.Server) { lists++ }, Notice: func(s string) { notice = s },
				})
				p.poll(t.Context())
				if lists != 1 || notice != "" {
					t.Fatalf("%d lists, told %q", lists, notice)
				}
				bad.Store(true)
				begin := time.Now()
				p.poll(t.Context())
				took := time.Since(begin)
				if s := p.Status(); s.State != status.AssignmentsKept || s.Servers != 2 || lists != 1 || !strings.Contains(notice, "stays in force") || len(notice) > 600 {
					t.Errorf("%+v, %d lists, told %q", s, lists, notice)
				}
				if took > 2*time.Minute || asked > 8 {
					t.Errorf("took %v and %d connections", took, asked)
				}
				bad.Store(false)
				p.poll(t.Context())
				if s := p.Status(); s.State != status.AssignmentsCurrent || notice != "" {
					t.Errorf("afterwards %+v, told %q", s, notice)
				}
				doc.Close()
				served.Wait()
			})
		})
	}
}
