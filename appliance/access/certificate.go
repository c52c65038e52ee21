package access

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/truechimer/truechimer/appliance/durable"
)

// CertificateName is the file in Options.Dir with the certificate and its key.
const CertificateName = "certificate"

const (
	certificateHead = "truechimer certificate 1"
	certificateMost = 16 << 10 // bytes; ours have two
)

// CheckCertificate says whether a file that may hold anything is one of CertificateName.
// Its errors show nothing of it.
func CheckCertificate(b []byte) error {
	_, _, err := parseCertificate(b)
	return err
}

// A certificate is valid from long before a station's clock could be set to, until
// long after: a clock that is years off neither makes it invalid nor has it made
// anew for nothing. What a browser trusts is the very certificate, so one is made
// anew only where it must be.
const (
	validYears = 10
	renewDays  = 60               // before its end
	absurd     = 50               // years after the build: a clock that says so is wrong
	namedMost  = 32               // addresses in it
	lookEvery  = 10 * time.Second // at the addresses
	settle     = time.Minute      // until when they may come, for the first certificate to name them
	again      = time.Minute      // between two for new addresses, doubled each time
	againMost  = 24 * time.Hour   // at the most, since each is a write to the card
)

// validFrom is before the clock of any board.
var validFrom = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)

// certificate is the one that the station made, and its key.
type certificate struct {
	mu   sync.Mutex
	key  *ecdsa.PrivateKey // nil: there is none yet
	now  *tls.Certificate  // nil: there is none yet
	made time.Time         // when one was last made for new addresses
	wait time.Duration     // from then to the next
	// tried is when addresses were last seen on trial: those from before take a moment to
	// come back.
	tried time.Time
}

// load reads what was kept. One that is damaged is as if there had been none.
func (c *certificate) load(o Options) {
	if o.Dir == "" {
		return
	}
	b, err := durable.ReadBounded(filepath.Join(o.Dir, CertificateName), certificateMost)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		c.key, c.now, err = parseCertificate(b)
	}
	if err != nil {
		o.Log.Warn("the certificate cannot be read and is made anew: browsers will warn once more", "error", err)
	}
}

// parseCertificate reads a file that may hold anything.
func parseCertificate(b []byte) (*ecdsa.PrivateKey, *tls.Certificate, error) {
	body, err := durable.Unsummed(certificateHead, b, certificateMost)
	if err != nil {
		return nil, nil, err
	}
	pair, err := tls.X509KeyPair(body, body)
	if err != nil {
		return nil, nil, errors.New("it is damaged") // the error may show some of it
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, nil, errors.New("its key is of another kind")
	}
	return key, &pair, nil
}

// renew makes a certificate where there is none, or the one there is ends soon or
// does not have a name or an address that people type. now is the system's clock, which may
// say anything.
func (a *Access) renew(now time.Time) error {
	c := &a.certificate
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Before(a.options.Build) || now.After(a.options.Build.AddDate(absurd, 0, 0)) {
		now = a.options.Build
	}
	if a.options.OnTrial() {
		c.tried = time.Now()
	}
	onTrial := !c.tried.IsZero() && time.Since(c.tried) < again
	typed, all := a.addresses()
	if c.now != nil && now.Before(c.now.Leaf.NotAfter.AddDate(0, 0, -renewDays)) {
		missing := slices.ContainsFunc(typed, func(ip netip.Addr) bool { return !named(c.now.Leaf, ip) })
		renamed := slices.ContainsFunc(a.names(), func(n string) bool { return !slices.Contains(c.now.Leaf.DNSNames, n) })
		if !missing && !renamed || time.Since(c.made) < c.wait || onTrial {
			return nil
		}
	}
	if c.key == nil {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		c.key = key
	}
	if c.now != nil {
		// A link that comes and goes must not have one made each time.
		for _, old := range c.now.Leaf.IPAddresses {
			if ip, ok := netip.AddrFromSlice(old); ok && !slices.Contains(all, ip.Unmap()) {
				all = append(all, ip.Unmap())
			}
		}
		if time.Since(c.made) > againMost {
			c.wait = 0
		}
		c.made, c.wait = time.Now(), min(max(2*c.wait, again), againMost)
	}
	made, err := a.selfSigned(c.key, now, all[:min(len(all), namedMost)])
	if err != nil {
		return err
	}
	c.now = made
	a.options.Log.Info("the page's certificate over TLS has the SHA-256 fingerprint " + fingerprint(made.Leaf))
	if a.options.Dir == "" {
		return nil
	}
	body, err := pemOf(c.key, made.Leaf)
	if err == nil {
		err = keep(a.options.Dir, CertificateName, durable.Summed(certificateHead, body))
	}
	text := ""
	if err != nil {
		text = fmt.Sprintf("The page's certificate could not be kept (%v): after the next start browsers will warn of another one.", err)
	}
	a.options.Tell("certificate", text)
	return nil
}

// selfSigned makes a certificate for the station's names and addresses.
func (a *Access) selfSigned(key *ecdsa.PrivateKey, now time.Time, addresses []netip.Addr) (*tls.Certificate, error) {
	t := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "truechimer"},
		NotBefore: validFrom, NotAfter: now.AddDate(validYears, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	t.DNSNames = a.names()
	if len(t.DNSNames) > 0 {
		t.Subject.CommonName = t.DNSNames[0][:min(len(t.DNSNames[0]), 64)] // X.520's bound
	}
	for _, ip := range addresses {
		t.IPAddresses = append(t.IPAddresses, ip.AsSlice())
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("access: a certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("access: a certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// names are those that a browser may ask this station for by.
func (a *Access) names() (list []string) {
	if host := strings.ToLower(a.options.Host); nameShape.MatchString(host) {
		list = append(list, host)
		if !strings.Contains(host, ".") {
			list = append(list, host+".local")
		}
	}
	if a.options.Plain {
		list = append(list, "localhost")
	}
	return list
}

// addresses are this machine's: those that people type, IPv4 and what an owner
// chose for his own network (RFC 4193), and all. A provider may give another
// prefix of IPv6 every night, for which the certificate is not made anew.
func (a *Access) addresses() (typed, all []netip.Addr) {
	var other []netip.Addr
	for _, p := range a.prefixes() {
		switch ip := p.Addr().WithZone(""); {
		case ip.IsLoopback() && !a.options.Plain, ip.Is6() && ip.IsLinkLocalUnicast(), ip.IsUnspecified():
		case ip.Is4() || ip.IsPrivate() || ip.IsLoopback():
			typed = append(typed, ip)
		default:
			other = append(other, ip)
		}
	}
	typed = typed[:min(len(typed), namedMost)]
	return typed, append(slices.Clone(typed), other...)
}

func named(c *x509.Certificate, ip netip.Addr) bool {
	for _, b := range c.IPAddresses {
		if have, ok := netip.AddrFromSlice(b); ok && have.Unmap() == ip {
			return true
		}
	}
	return false
}

func pemOf(key *ecdsa.PrivateKey, leaf *x509.Certificate) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})...), nil
}

// fingerprint is a certificate's, as browsers show it.
func fingerprint(c *x509.Certificate) string {
	return strings.ReplaceAll(fmt.Sprintf("% X", sha256.Sum256(c.Raw)), " ", ":")
}

// Fingerprint is that of the certificate in use, its SHA-256 as browsers show it;
// empty before there is one.
func (a *Access) Fingerprint() string {
	a.certificate.mu.Lock()
	defer a.certificate.mu.Unlock()
	if a.certificate.now == nil {
		return ""
	}
	return fingerprint(a.certificate.now.Leaf)
}

// TLS is how the page is served over TLS.
func (a *Access) TLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			a.certificate.mu.Lock()
			c := a.certificate.now
			a.certificate.mu.Unlock()
			if c != nil {
				return c, nil
			}
			// Whoever comes has an address of ours to come to.
			if err := a.renew(time.Now()); err != nil {
				return nil, err
			}
			a.certificate.mu.Lock()
			defer a.certificate.mu.Unlock()
			return a.certificate.now, nil
		},
	}
}

// Run looks after the certificate until ctx ends. The first one waits a while for
// the addresses that it is to name.
func (a *Access) Run(ctx context.Context) error {
	if f := a.Fingerprint(); f != "" {
		a.options.Log.Info("the page's certificate over TLS has the SHA-256 fingerprint " + f)
	}
	began := time.Now()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if typed, _ := a.addresses(); len(typed) > 0 || time.Since(began) >= settle {
			if err := a.renew(time.Now()); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
