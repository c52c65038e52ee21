package access

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/durable"
)

func (w *world) move(t testing.TB, addrs ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.addrs = nil
	for _, s := range addrs {
		w.addrs = append(w.addrs, addr(t, s))
	}
}

func renewed(t testing.TB, a *Access, now time.Time) *x509.Certificate {
	t.Helper()
	if err := a.renew(now); err != nil {
		t.Fatal(err)
	}
	return a.certificate.now.Leaf
}

// shake connects like a client that knows nothing but the fingerprint.
func shake(t testing.TB, a *Access, want string) error {
	t.Helper()
	here, there := net.Pipe()
	defer here.Close()
	go func() {
		defer there.Close()
		c := tls.Server(there, a.TLS())
		if c.Handshake() == nil {
			io.WriteString(c, "hello")
		}
	}()
	// The pipe has no buffer: an alert in the middle of a handshake would wait for ever.
	c := tls.Client(here, &tls.Config{InsecureSkipVerify: true})
	if err := c.Handshake(); err != nil {
		return err
	}
	sum := sha256.Sum256(c.ConnectionState().PeerCertificates[0].Raw)
	if strings.ReplaceAll(want, ":", "") != fmt.Sprintf("%X", sum) {
		return errors.New("another certificate")
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "hello" {
		t.Errorf("%q, %v", b, err)
	}
	if s := c.ConnectionState(); s.Version != tls.VersionTLS13 {
		t.Errorf("TLS %x", s.Version)
	}
	return nil
}

func TestCertificate(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.Dir = t.TempDir()
	a := open(t, o)
	if a.Fingerprint() != "" {
		t.Error("a fingerprint of nothing")
	}
	c := renewed(t, a, build)
	print := a.Fingerprint()
	if err := shake(t, a, print); err != nil {
		t.Error(err)
	}
	if shake(t, open(t, newWorld(t).options()), print) == nil {
		t.Error("another station has the same certificate")
	}
	if !strings.Contains(w.logged(), print) || len(print) != 3*sha256.Size-1 {
		t.Errorf("the log does not say %q", print)
	}
	for _, name := range []string{"truechimer-7f3a", "truechimer-7f3a.local", "192.0.2.9", "fd00:1:2:3::9"} {
		if err := c.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"localhost", "127.0.0.1", "fe80::9"} {
		if c.VerifyHostname(name) == nil {
			t.Errorf("it is for %s", name)
		}
	}
	// Whoever trusts it does so for this station only, whatever its clock says.
	roots := x509.NewCertPool()
	roots.AddCert(c)
	for _, at := range []time.Time{time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), build, build.AddDate(validYears, 0, -1)} {
		if _, err := c.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: at, DNSName: "truechimer-7f3a.local"}); err != nil {
			t.Errorf("at %v: %v", at, err)
		}
	}
	if c.IsCA || c.KeyUsage != x509.KeyUsageDigitalSignature || c.PublicKeyAlgorithm != x509.ECDSA || c.SerialNumber.BitLen() < 64 {
		t.Errorf("%+v", c)
	}
	info, err := os.Stat(filepath.Join(o.Dir, CertificateName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	a = open(t, o)
	if err := shake(t, a, print); err != nil || a.Fingerprint() != print {
		t.Errorf("after a restart: %v", err)
	}
	if again := renewed(t, a, build); !again.Equal(c) {
		t.Error("made anew for nothing")
	}
	o.Host = "attic"
	if again := renewed(t, open(t, o), build); again.VerifyHostname("attic.local") != nil {
		t.Error("not made anew for a new name")
	}
}

// TestOldTLS: what has known holes is not spoken.
func TestOldTLS(t *testing.T) {
	a := open(t, newWorld(t).options())
	here, there := net.Pipe()
	go func() { tls.Server(there, a.TLS()).Handshake(); there.Close() }()
	if tls.Client(here, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}).Handshake() == nil {
		t.Error("TLS 1.2 is spoken")
	}
}

// TestClocks: a clock that is years off neither spoils a certificate nor has it made
// anew; one that ends soon is made anew in time, for the same key.
func TestClocks(t *testing.T) {
	for _, now := range []time.Time{{}, time.Unix(0, 0), time.Date(1980, 1, 6, 0, 0, 0, 0, time.UTC), build, build.AddDate(5, 0, 0), build.AddDate(49, 0, 0), time.Date(2106, 2, 7, 0, 0, 0, 0, time.UTC), time.Unix(1<<40, 0)} {
		a := open(t, newWorld(t).options())
		c := renewed(t, a, now)
		if !c.NotBefore.Equal(validFrom) || c.NotAfter.Before(build.AddDate(validYears, 0, 0)) || c.NotAfter.Year() > 2100 {
			t.Errorf("made at %v: valid from %v to %v", now, c.NotBefore, c.NotAfter)
		}
		for _, later := range []time.Time{{}, build, c.NotAfter.AddDate(0, 0, -renewDays-1), time.Unix(1<<40, 0)} {
			if !renewed(t, a, later).Equal(c) {
				t.Errorf("made at %v, made anew at %v", now, later)
			}
		}
	}
	a := open(t, newWorld(t).options())
	c := renewed(t, a, build)
	soon := c.NotAfter.AddDate(0, 0, -renewDays+1)
	next := renewed(t, a, soon)
	if next.Equal(c) || !next.NotAfter.After(soon.AddDate(validYears, 0, -1)) || !bytes.Equal(next.RawSubjectPublicKeyInfo, c.RawSubjectPublicKeyInfo) {
		t.Errorf("at %v valid until %v", soon, next.NotAfter)
	}
}

// TestNewAddresses are named soon, but neither a link that comes and goes nor a
// provider's prefix of the night has the certificate made anew each time.
func TestNewAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "192.0.2.9/24", "2001:db8:1::9/64")
		o, trial := w.options(), false
		o.OnTrial = func() bool { return trial }
		a := open(t, o)
		c := renewed(t, a, build)
		if c.VerifyHostname("2001:db8:1::9") != nil {
			t.Error("a provider's address is not named at all")
		}
		w.move(t, "192.0.2.9/24", "2001:db8:2::9/64")
		if !renewed(t, a, build).Equal(c) {
			t.Error("made anew for a provider's prefix")
		}
		w.move(t, "198.51.100.9/24", "2001:db8:2::9/64")
		if trial = true; !renewed(t, a, build).Equal(c) {
			t.Error("made anew for an address on trial")
		}
		trial = false
		time.Sleep(again - time.Second)
		if !renewed(t, a, build).Equal(c) {
			t.Error("made anew before the addresses from before can be back")
		}
		time.Sleep(time.Second)
		next := renewed(t, a, build)
		for _, name := range []string{"198.51.100.9", "2001:db8:2::9", "192.0.2.9"} {
			if err := next.VerifyHostname(name); err != nil {
				t.Error(err)
			}
		}
		w.move(t, "192.0.2.9/24")
		if !renewed(t, a, build).Equal(next) {
			t.Error("made anew for an address that it had already")
		}
		// A network that hands out another address every minute, for a day.
		last, made := next, 0
		for i := range 24 * 60 {
			w.move(t, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String()+"/8")
			time.Sleep(time.Minute)
			if c := renewed(t, a, build); !c.Equal(last) {
				last = c
				made++
			}
		}
		if made < 5 || made > 12 || len(last.IPAddresses) > namedMost {
			t.Errorf("made %d times in a day, with %d addresses", made, len(last.IPAddresses))
		}
	})
}

// TestRun makes the first certificate once there is an address to name, and does not
// wait for one for ever.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "127.0.0.1/8", "fe80::9/64")
		a := open(t, w.options())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- a.Run(ctx) }()
		time.Sleep(30 * time.Second)
		if a.Fingerprint() != "" {
			t.Error("made before there was an address")
		}
		w.move(t, "192.0.2.9/24")
		time.Sleep(2 * lookEvery)
		first := a.Fingerprint()
		if first == "" || a.certificate.now.Leaf.VerifyHostname("192.0.2.9") != nil {
			t.Error("not made for the first address")
		}
		w.move(t, "192.0.2.10/24")
		time.Sleep(2 * lookEvery)
		if a.Fingerprint() == first {
			t.Error("not made anew for the next")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		none := open(t, newWorld(t, "127.0.0.1/8").options())
		ctx, cancel = context.WithCancel(t.Context())
		go func() { done <- none.Run(ctx) }()
		time.Sleep(2 * settle)
		if none.Fingerprint() == "" {
			t.Error("never made without an address")
		}
		cancel()
		<-done
		// Who comes before that gets one all the same.
		if err := shake(t, open(t, newWorld(t).options()), ""); err == nil || !strings.Contains(err.Error(), "another certificate") {
			t.Error(err)
		}
	})
}

// TestCertificateIsCut: wherever the power fails while it is written, the station
// has the old one or the new one. One that is damaged is made anew.
func TestCertificateIsCut(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	files := [2][]byte{}
	prints := [2]string{}
	for i := range files {
		o.Dir = t.TempDir()
		a := open(t, o)
		renewed(t, a, build)
		prints[i] = a.Fingerprint()
		files[i], _ = os.ReadFile(filepath.Join(o.Dir, CertificateName))
	}
	o.Dir = t.TempDir()
	path := filepath.Join(o.Dir, CertificateName)
	os.WriteFile(path, files[0], 0o600)
	for n := 0; n <= len(files[1]); n += 7 {
		os.WriteFile(path+".new", files[1][:n], 0o600)
		if got := open(t, o).Fingerprint(); got != prints[0] {
			t.Fatalf("after %d bytes: %q", n, got)
		}
	}
	os.WriteFile(path, files[1], 0o600)
	if got := open(t, o).Fingerprint(); got != prints[1] {
		t.Errorf("renamed: %q", got)
	}
	for name, b := range map[string][]byte{"empty": {}, "cut": files[0][:300], "a bit": append([]byte("T"), files[0][1:]...), "zeros": make([]byte, certificateMost+1),
		"no PEM": durable.Summed(certificateHead, []byte("x")), "no key": durable.Summed(certificateHead, files[0][bytes.Index(files[0], []byte("-----BEGIN CERT")):])} {
		os.WriteFile(path, b, 0o600)
		a := open(t, o)
		if a.Fingerprint() != "" || !strings.Contains(w.logged(), "made anew") {
			t.Errorf("%s: taken", name)
		}
		renewed(t, a, build)
		if got := open(t, o).Fingerprint(); got == "" || got != a.Fingerprint() {
			t.Errorf("%s: not kept anew", name)
		}
	}
}

// TestCertificateCannotBeKept: it serves until the next start, and people are told.
func TestCertificateCannotBeKept(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.Dir = "/proc/truechimer"
	a := open(t, o)
	renewed(t, a, build)
	if err := shake(t, a, a.Fingerprint()); err != nil || !strings.Contains(w.told["certificate"], "could not be kept") {
		t.Errorf("%v, told %q", err, w.told)
	}
}

// TestOddNames: whatever a machine is called, there is a certificate.
func TestOddNames(t *testing.T) {
	for host, want := range map[string]string{"": "", "host.example.net": "host.example.net", "ATTIC": "attic attic.local", "a b": "", "grün": "", strings.Repeat("a", 63): strings.Repeat("a", 63) + " " + strings.Repeat("a", 63) + ".local",
		strings.Repeat("a.", 100) + "b": strings.Repeat("a.", 100) + "b"} {
		o := newWorld(t, "192.0.2.9/24", "0.0.0.0/0", "127.0.0.1/8").options()
		o.Host, o.Plain = host, true
		c := renewed(t, open(t, o), build)
		if got := strings.Join(c.DNSNames, " "); got != strings.TrimSpace(want+" localhost") {
			t.Errorf("%q: %s", host, got)
		}
		if c.VerifyHostname("127.0.0.1") != nil || len(c.IPAddresses) != 2 {
			t.Errorf("%q: %v", host, c.IPAddresses)
		}
	}
}

// FuzzCertificate: a file that may hold anything is a key and its certificate, or
// nothing.
func FuzzCertificate(f *testing.F) {
	o := newWorld(f).options()
	o.Dir = f.TempDir()
	renewed(f, open(f, o), build)
	good, _ := os.ReadFile(filepath.Join(o.Dir, CertificateName))
	f.Add(good)
	f.Add(good[bytes.IndexByte(good, '\n')+1:])
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, b := range [][]byte{b, durable.Summed(certificateHead, b)} {
			key, c, err := parseCertificate(b)
			if (err == nil) != (key != nil) || (err == nil) != (c != nil) {
				t.Errorf("%v, %v came with %v", key, c, err)
			}
			if c != nil && c.Leaf == nil {
				t.Error("a certificate that nobody has read")
			}
		}
	})
}
