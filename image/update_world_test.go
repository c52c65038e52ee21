package main

import (
	"crypto/ed25519"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/publish"
)

// updated is an emulated station, and the host that it asks for updates.
type updated struct {
	*pair
	repo *publish.Repository
	keys map[string]ed25519.PrivateKey
	host *updateHost

	deltas   bool    // releases come with deltas from those before
	resident float64 // the most memory that the appliance was seen with, bytes
}

// startUpdated builds an image of a version, which trusts a repository that the
// test makes, and boots it. Its updates take seconds (build tag updatetest).
func startUpdated(t *testing.T, b boards.Board, version string) *updated {
	t.Helper()
	u := newUpdated(t, b)
	u.build(u.optionsOf(version, u.host.url))
	u.boot()
	return u
}

// newUpdated makes the repository alone.
func newUpdated(t *testing.T, b boards.Board) *updated {
	t.Helper()
	needQEMU(t, b)
	u := &updated{pair: newPair(t, b), keys: map[string]ed25519.PrivateKey{}}
	u.repo = &publish.Repository{Dir: filepath.Join(u.dir, "repository"), Now: time.Now(), Log: t.Logf}
	keys := publish.Keys{}
	for _, name := range []string{"root-1", "root-2", "root-3", "targets-1", "targets-2", "targets-3", "online"} {
		public, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		key, err := metadata.KeyFromPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		role, _, _ := strings.Cut(name, "-")
		keys[role] = append(keys[role], key)
		u.keys[name] = private
	}
	if err := u.repo.Init(keys); err != nil {
		t.Fatal(err)
	}
	u.sign(publish.RoleRoot)
	u.sign(publish.RoleTargets)
	u.host = startHost(t, u.repo.Dir)
	return u
}

// sign has two people of a role sign, and publishes what has enough signatures.
func (u *updated) sign(role string) {
	u.t.Helper()
	for _, n := range []string{"-1", "-3"} {
		if _, err := u.repo.Sign(role, u.keys[role+n]); err != nil {
			u.t.Fatal(err)
		}
	}
	if role == publish.RoleTargets {
		if err := u.repo.Release(u.t.Context(), u.keys["online"]); err != nil {
			u.t.Fatal(err)
		}
	}
}

// optionsOf are the options of an image that this station can run, which asks
// the host at url for updates.
func (u *updated) optionsOf(version, url string) buildOptions {
	u.t.Helper()
	o := buildOptions{Board: u.board.Name, Dir: u.dir, Fast: true, Log: u.t.Logf}
	flags := updateFlags{version: version, url: url, repository: u.repo.Dir, epoch: -1}
	if err := flags.set(&o); err != nil {
		u.t.Fatal(err)
	}
	return o
}

// release publishes a version. change makes it something else than it should be.
func (u *updated) release(version string, change func(*parts)) {
	u.t.Helper()
	u.releaseOf(u.optionsOf(version, u.host.url), change)
}

func (u *updated) releaseOf(o buildOptions, change func(*parts)) {
	u.t.Helper()
	began := time.Now()
	tmp := u.t.TempDir()
	p, err := findParts(u.t.Context(), o, tmp)
	if err != nil {
		u.t.Fatal(err)
	}
	if change != nil {
		change(p)
	}
	c, err := p.contents(filepath.Join(tmp, "root.squashfs"))
	if err != nil {
		u.t.Fatal(err)
	}
	u.repo.Now = time.Now()
	added, err := u.repo.Add(u.t.Context(), publish.Release{Contents: c, Channel: "stable", Notes: "For a test."})
	if err != nil {
		u.t.Fatal(err)
	}
	if u.deltas {
		if err := u.repo.Deltas(u.t.Context(), u.board.Name, "stable"); err != nil {
			u.t.Fatal(err)
		}
	}
	u.sign(publish.RoleTargets)
	u.t.Logf("version %s is published after %v: a pack of %.1f MiB", o.Version, time.Since(began).Round(100*time.Millisecond), float64(added.Manifest.Pack.Size)/(1<<20))
}

// becomes waits until the page says that a version runs, or any if it is empty,
// and whatever more asks for.
func (u *updated) becomes(version string, limit time.Duration, more func(*status.Status) bool) {
	u.t.Helper()
	var last string
	u.until("the page of version "+version, limit, func() bool {
		st, err := fetchStatus(u.t.Context(), "http://"+u.options.HTTP)
		if err != nil {
			return false
		}
		now := fmt.Sprintf("%s in slot %s: no updates", st.Station.Version, *st.Station.Slot)
		if up := st.Update; up != nil {
			now = fmt.Sprintf("%s in slot %s: %s, %d tries: %s", st.Station.Version, *st.Station.Slot, up.State, up.Tries, up.Summary)
		}
		if now != last {
			last = now
			u.t.Logf("%5.1f s: %s", time.Since(u.started).Seconds(), now)
		}
		if r, err := residentMemory("http://" + u.options.HTTP); err == nil {
			u.resident = max(u.resident, r)
		}
		return (version == "" || st.Station.Version == version) && (more == nil || more(&st))
	})
}

// answers waits for the page, of whichever version.
func (u *updated) answers() (st status.Status) {
	u.t.Helper()
	u.until("the page", bootLimit, func() (ok bool) {
		var err error
		st, err = fetchStatus(u.t.Context(), "http://"+u.options.HTTP)
		return err == nil && st.Station.Slot != nil
	})
	return st
}

// updateHost is a static web server that counts what it is asked for.
type updateHost struct {
	url     string // as the guest sees it
	files   http.Handler
	down    atomic.Bool
	mu      sync.Mutex
	metered int64 // bytes of files/, sent
}

func startHost(t *testing.T, dir string) *updateHost {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	h := &updateHost{url: "http://" + net.JoinHostPort(guestView, port), files: http.FileServer(http.Dir(dir))}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(l)
	}()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
	return h
}

// ServeHTTP implements http.Handler.
func (h *updateHost) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.down.Load() {
		panic(http.ErrAbortHandler)
	}
	h.files.ServeHTTP(&meter{w, h, strings.HasPrefix(r.URL.Path, "/files/")}, r)
}

// sent is how many bytes of releases were sent since it was last asked.
func (h *updateHost) sent() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.metered
	h.metered = 0
	return n
}

type meter struct {
	http.ResponseWriter
	host   *updateHost
	counts bool
}

func (m *meter) Write(b []byte) (int, error) {
	n, err := m.ResponseWriter.Write(b)
	if m.counts {
		m.host.mu.Lock()
		m.host.metered += int64(n)
		m.host.mu.Unlock()
	}
	return n, err
}
