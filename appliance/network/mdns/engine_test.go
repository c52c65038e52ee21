package mdns

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

var epoch = time.Unix(1_000_000_000, 0)

var attic = Options{Host: "attic", Instance: "My Attic.1", Services: []Service{
	{Type: "_http._tcp", Port: 80, Text: []string{"path=/"}},
	{Type: "_truechimer._tcp", Port: 80},
}}

// lan is a link in virtual time: what one sends, all others get.
type lan struct {
	now   time.Time
	hosts []*host
	raw   []sent
	heard int // of raw, by the others
}

type sent struct {
	at   time.Time
	from *host
	to   netip.AddrPort
	b    []byte
}

type host struct {
	lan  *lan
	e    *engine
	at   netip.AddrPort
	name string // as told
	wake time.Time
}

// join plugs a responder in.
func (l *lan) join(o Options, random float64, addresses ...string) *host {
	h := &host{lan: l}
	var list []netip.Prefix
	for _, a := range addresses {
		list = append(list, netip.MustParsePrefix(a))
	}
	h.at = netip.AddrPortFrom(list[0].Addr(), port)
	h.e = newEngine(o, func(to netip.AddrPort, b []byte) { l.raw = append(l.raw, sent{l.now, h, to, b}) }, func() float64 { return random })
	h.e.named = func(n string) { h.name = n }
	l.hosts = append(l.hosts, h)
	h.e.addresses(l.now, list)
	h.wake = h.e.tick(l.now)
	return h
}

// run lets a time pass; packets arrive at once.
func (l *lan) run(d time.Duration) {
	end := l.now.Add(d)
	for {
		for ; l.heard < len(l.raw); l.heard++ {
			p := l.raw[l.heard]
			for _, h := range l.hosts {
				if h != p.from && (!p.to.IsValid() || p.to == h.at) {
					h.e.packet(l.now, p.from.at, p.b)
					h.wake = h.e.tick(l.now)
				}
			}
		}
		next := end
		for _, h := range l.hosts {
			if h.wake.Before(next) {
				next = h.wake
			}
		}
		if next.After(l.now) {
			l.now = next
		}
		if !l.now.Before(end) && l.heard == len(l.raw) {
			return
		}
		for _, h := range l.hosts {
			if !h.wake.After(l.now) {
				h.wake = h.e.tick(l.now)
			}
		}
	}
}

// take is what was sent since the last call, in words.
func (l *lan) take(t testing.TB) (list []string) {
	t.Helper()
	for _, s := range l.raw {
		if len(s.b) > 1452 {
			t.Errorf("a packet of %d bytes", len(s.b))
		}
		list = append(list, words(t, s))
	}
	l.raw, l.heard = nil, 0
	return list
}

func words(t testing.TB, s sent) string {
	t.Helper()
	var m dnsmessage.Message
	if err := m.Unpack(s.b); err != nil {
		t.Fatalf("% x: %v", s.b, err)
	}
	var b strings.Builder
	fmt.Fprint(&b, s.at.Sub(epoch))
	if s.to.IsValid() {
		fmt.Fprintf(&b, " to %s id %d", s.to, m.ID)
	}
	for _, q := range m.Questions {
		fmt.Fprintf(&b, " %s?%s", q.Name, strings.TrimPrefix(q.Type.String(), "Type"))
		if q.Class&flush != 0 {
			b.WriteString("!")
		}
	}
	for i, list := range [][]dnsmessage.Resource{m.Answers, m.Authorities, m.Additionals} {
		if len(list) > 0 {
			b.WriteString([]string{" |", " would", " +"}[i])
		}
		for _, r := range list {
			fmt.Fprintf(&b, " %s %s", r.Header.Name, strings.TrimPrefix(r.Header.Type.String(), "Type"))
			switch body := r.Body.(type) {
			case *dnsmessage.AResource:
				fmt.Fprintf(&b, " %s", netip.AddrFrom4(body.A))
			case *dnsmessage.AAAAResource:
				fmt.Fprintf(&b, " %s", netip.AddrFrom16(body.AAAA))
			case *dnsmessage.PTRResource:
				fmt.Fprintf(&b, " %s", body.PTR)
			case *dnsmessage.SRVResource:
				fmt.Fprintf(&b, " %s:%d", body.Target, body.Port)
			}
			if r.Header.Class&flush != 0 {
				b.WriteString("!")
			}
			if r.Header.TTL == 0 {
				b.WriteString(" gone")
			}
		}
	}
	return b.String()
}

// ask is a packet of questions.
func ask(t testing.TB, id uint16, answers []record, questions ...string) []byte {
	t.Helper()
	kinds := map[string]dnsmessage.Type{"A": dnsmessage.TypeA, "AAAA": dnsmessage.TypeAAAA, "PTR": dnsmessage.TypePTR, "SRV": dnsmessage.TypeSRV, "TXT": dnsmessage.TypeTXT, "ALL": dnsmessage.TypeALL, "MX": dnsmessage.TypeMX}
	var list []dnsmessage.Question
	for _, q := range questions {
		name, kind, _ := strings.Cut(q, "?")
		class := dnsmessage.ClassINET
		if k, ok := strings.CutSuffix(kind, "!"); ok {
			kind, class = k, class|flush
		}
		list = append(list, dnsmessage.Question{Name: dnsmessage.MustNewName(name), Type: kinds[kind], Class: class})
	}
	b, err := message(dnsmessage.Header{ID: id}, list, answers, nil, nil, false, false)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func equal(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestProbesAndAnnounces: the name is asked for three times before it is used,
// told twice, and taken leave of.
func TestProbesAndAnnounces(t *testing.T) {
	l := &lan{now: epoch}
	h := l.join(Options{Host: "attic", Instance: "attic", Services: []Service{{Type: "_http._tcp", Port: 80}}}, 0.4, "192.0.2.7/24", "2001:db8::7/64")
	l.run(time.Hour)
	const asked = ` attic.local.?ALL! attic._http._tcp.local.?ALL! would attic.local. A 192.0.2.7 attic.local. AAAA 2001:db8::7 attic._http._tcp.local. SRV attic.local.:80 attic._http._tcp.local. TXT`
	told := ` | attic.local. A 192.0.2.7! attic.local. AAAA 2001:db8::7! attic._http._tcp.local. SRV attic.local.:80! attic._http._tcp.local. TXT! _http._tcp.local. PTR attic._http._tcp.local. _services._dns-sd._udp.local. PTR _http._tcp.local.`
	equal(t, "at first", l.take(t), "100ms"+asked, "350ms"+asked, "600ms"+asked, "850ms"+told, "1.85s"+told)
	if h.name != "attic.local" {
		t.Errorf("it is %q", h.name)
	}
	h.e.goodbye()
	if got := l.take(t); len(got) != 1 || strings.Count(got[0], "gone") != 6 {
		t.Errorf("at last %q", got)
	}
}

// TestSameName: of two with one name the one that comes later takes another, and
// of two at the same time one of them.
func TestSameName(t *testing.T) {
	for _, apart := range []time.Duration{0, 100 * time.Millisecond, 700 * time.Millisecond, 900 * time.Millisecond, time.Minute} {
		l := &lan{now: epoch}
		a := l.join(attic, 0, "192.0.2.7/24")
		l.run(apart)
		b := l.join(attic, 0.1, "192.0.2.8/24")
		l.run(time.Minute)
		names := []string{a.name, b.name}
		slices.Sort(names)
		if !slices.Equal(names, []string{"attic-2.local", "attic.local"}) || apart > 800*time.Millisecond && a.name != "attic.local" {
			t.Errorf("%v apart: %q and %q in\n%s", apart, a.name, b.name, strings.Join(l.take(t), "\n"))
		}
		if apart < 200*time.Millisecond && b.name != "attic.local" { // RFC 6762 section 8.2: the later address
			t.Errorf("%v apart: the first has %q", apart, a.name)
		}
		if n := len(l.raw); n > 40 {
			t.Errorf("%v apart: %d packets", apart, n)
		}
		l.take(t)
		l.run(time.Hour)
		if n := len(l.raw); n > 0 {
			t.Errorf("%v apart: %d packets in an hour of peace", apart, n)
		}
		third := l.join(attic, 0.2, "192.0.2.9/24")
		l.run(time.Minute)
		if third.name != "attic-3.local" {
			t.Errorf("the third is %q", third.name)
		}
	}
}

// TestNetsJoin: two with one name whose links become one find out.
func TestNetsJoin(t *testing.T) {
	one, two := &lan{now: epoch}, &lan{now: epoch}
	a, b := one.join(attic, 0, "192.0.2.7/24"), two.join(attic, 0.1, "192.0.2.8/24")
	one.run(time.Minute)
	two.run(time.Minute)
	b.lan = one
	b.e.send = func(to netip.AddrPort, p []byte) { one.raw = append(one.raw, sent{one.now, b, to, p}) }
	one.hosts = append(one.hosts, b)
	one.take(t)
	a.e.packet(one.now, b.at, ask(t, 0, nil, "attic.local.?A"))
	a.wake = a.e.tick(one.now)
	one.run(time.Minute)
	names := []string{a.name, b.name}
	slices.Sort(names)
	if !slices.Equal(names, []string{"attic-2.local", "attic.local"}) {
		t.Errorf("%q and %q", a.name, b.name)
	}
}

// settledHost is one that has its name, an hour ago.
func settledHost(t testing.TB, addresses ...string) (*lan, *host) {
	l := &lan{now: epoch.Add(-time.Hour)}
	h := l.join(attic, 0, addresses...)
	l.run(time.Hour)
	l.take(t)
	return l, h
}

func (h *host) hear(from string, b []byte) {
	h.e.packet(h.lan.now, netip.MustParseAddrPort(from), b)
	h.wake = h.e.tick(h.lan.now)
}

func TestAnswers(t *testing.T) {
	const (
		a, aaaa = "attic.local. A 192.0.2.7", "attic.local. AAAA 2001:db8::7"
		web     = "My Attic-1._http._tcp.local."
		srv     = web + " SRV attic.local.:80"
		txt     = web + " TXT"
		ptr     = "_http._tcp.local. PTR " + web
		peer    = "192.0.2.1:5353"
	)
	for _, c := range []struct {
		what, from string
		questions  []string
		want       []string
	}{
		{"an address", peer, []string{"ATTIC.local.?A"}, []string{"0s | " + a + "! + " + aaaa + "!"}},
		{"by IPv6", "[fe80::1%eth0]:5353", []string{"attic.local.?AAAA"}, []string{"0s | " + aaaa + "! + " + a + "!"}},
		{"of an address of the link", "169.254.3.4:5353", []string{"attic.local.?A"}, []string{"0s | " + a + "! + " + aaaa + "!"}},
		{"all", peer, []string{"attic.local.?ALL"}, []string{"0s | " + a + "! " + aaaa + "!"}},
		{"what there is not", peer, []string{"attic.local.?MX"}, []string{"0s | attic.local. 47!"}},
		{"a service", peer, []string{"_http._tcp.local.?PTR"}, []string{"20ms | " + ptr + " + " + srv + "! " + txt + "!"}},
		{"all services", peer, []string{"_services._dns-sd._udp.local.?PTR"}, []string{"20ms | _services._dns-sd._udp.local. PTR _http._tcp.local. _services._dns-sd._udp.local. PTR _truechimer._tcp.local."}},
		{"where it is", peer, []string{web + "?SRV"}, []string{"0s | " + srv + "! + " + a + "! " + aaaa + "!"}},
		{"a direct answer, long after", peer, []string{"attic.local.?A!"}, []string{"0s | " + a + "! + " + aaaa + "!"}},
		{"of one that knows no multicast", "192.0.2.1:40000", []string{"attic.local.?A"}, []string{"0s to 192.0.2.1:40000 id 77 attic.local.?A | " + a + " + " + aaaa}},
		{"twice the same", peer, []string{"attic.local.?A", "attic.local.?A"}, []string{"0s | " + a + "! + " + aaaa + "!"}},
		{"another name", peer, []string{"cellar.local.?A", "local.?ALL", "_ipp._tcp.local.?PTR"}, nil},
		{"from elsewhere", "198.51.100.1:5353", []string{"attic.local.?A"}, nil},
		{"from elsewhere by IPv6", "[2001:db8:1::1]:5353", []string{"attic.local.?A"}, nil},
		{"from elsewhere, directly", "198.51.100.1:40000", []string{"attic.local.?A"}, nil},
	} {
		l, h := settledHost(t, "192.0.2.7/24", "2001:db8::7/64")
		h.hear(c.from, ask(t, 77, nil, c.questions...))
		l.run(time.Minute)
		equal(t, c.what, l.take(t), c.want...)
	}
}

// TestFewAnswers: what who asks knows is not said, nothing is said to all twice in
// a second, and a flood of questions makes no flood of answers.
func TestFewAnswers(t *testing.T) {
	l, h := settledHost(t, "192.0.2.7/24")
	_, records := recordsOf(attic, 1, h.e.prefixes)
	i := slices.IndexFunc(records, func(r record) bool { return r.kind == dnsmessage.TypePTR })
	ptr := records[i]
	h.hear("192.0.2.1:5353", ask(t, 0, []record{ptr}, "_http._tcp.local.?PTR"))
	old := ptr
	old.ttl = ptr.ttl/2 - 1
	l.run(time.Minute)
	equal(t, "known", l.take(t))
	h.hear("192.0.2.1:5353", ask(t, 0, []record{old}, "_http._tcp.local.?PTR"))
	l.run(time.Minute)
	if got := l.take(t); len(got) != 1 {
		t.Errorf("known by half: %q", got)
	}
	h.hear("192.0.2.1:5353", ask(t, 0, nil, "attic.local.?A"))
	l.run(0)
	h.hear("192.0.2.1:5353", ask(t, 0, nil, "attic.local.?A!"))
	l.run(0)
	if got := l.take(t); len(got) != 2 || !strings.Contains(got[1], "to 192.0.2.1:5353") {
		t.Errorf("a direct answer, just after: %q", got)
	}

	l.run(time.Minute)
	for range 20 { // seconds
		for n := range 100 {
			h.hear("192.0.2.1:5353", ask(t, 0, nil, "attic.local.?A", "attic.local.?AAAA", "_http._tcp.local.?PTR"))
			h.hear(fmt.Sprintf("192.0.2.%d:4000", n), ask(t, 0, nil, "attic.local.?A"))
			l.run(10 * time.Millisecond)
		}
	}
	toAll := 0
	for _, s := range l.raw {
		if !s.to.IsValid() {
			toAll++
		}
	}
	if toAll > 45 || len(l.raw) > 20*perSecond {
		t.Errorf("4000 questions in 20 s were answered with %d packets to all and %d in all", toAll, len(l.raw))
	}
}

// TestAddressesChange: new ones are told, and of a family that is gone leave is
// taken.
func TestAddressesChange(t *testing.T) {
	l, h := settledHost(t, "192.0.2.7/24", "2001:db8::7/64")
	h.e.addresses(l.now, []netip.Prefix{netip.MustParsePrefix("198.51.100.7/24")})
	h.wake = h.e.tick(l.now)
	l.run(time.Minute)
	got := l.take(t)
	if len(got) != 3 || got[0] != "0s | attic.local. AAAA 2001:db8::7! gone" || !strings.HasPrefix(got[1], "0s | attic.local. A 198.51.100.7!") || !strings.HasPrefix(got[2], "1s | ") {
		t.Errorf("told %q", got)
	}
	h.hear("192.0.2.1:5353", ask(t, 0, nil, "attic.local.?A"))
	l.run(time.Minute)
	equal(t, "of the net that it has left", l.take(t))
}

// TestEnvy: whoever claims every name that the station takes makes it neither
// flood nor end.
func TestEnvy(t *testing.T) {
	l := &lan{now: epoch}
	h := l.join(attic, 0, "192.0.2.7/24")
	seen, claims := 0, 0
	for range 6000 { // ten minutes
		l.run(100 * time.Millisecond)
		if len(l.raw) == seen {
			continue
		}
		seen = len(l.raw)
		claims++
		b, err := message(dnsmessage.Header{Response: true}, nil, []record{{dnsmessage.MustNewName(h.e.host + "."), dnsmessage.TypeA, 120, true, &dnsmessage.AResource{A: [4]byte{192, 0, 2, 9}}, nil}}, nil, nil, false, false)
		if err != nil {
			t.Fatal(err)
		}
		h.hear("192.0.2.9:5353", b)
	}
	if claims < 50 || len(l.raw) > 75 { // 15 at once, 35 in 3 minutes, then one a minute
		t.Errorf("%d packets and %d claims in ten minutes", len(l.raw), claims)
	}
	l.run(10 * time.Minute)
	if h.name == "" {
		t.Error("it has no name, with nobody there any more")
	}
	h.e.n = maxNumber
	h.e.lose(l.now)
	l.run(10 * time.Minute)
	if h.e.n != maxNumber && h.e.n != 1 {
		t.Errorf("the number is %d", h.e.n)
	}
}

func TestLabels(t *testing.T) {
	for s, want := range map[string]bool{"attic": true, "truechimer-ab12": true, "A1": true, "": false, "-a": false, "a-": false, "a.b": false, "a b": false, strings.Repeat("a", 64): false, "ä": false} {
		if label(s) != want {
			t.Errorf("%q", s)
		}
	}
	for s, want := range map[string]string{"My Attic": "My Attic", "a.b\x00\n": "a-b", "\xff": "", "Dachboden über uns": "Dachboden über uns"} {
		if got := instanceLabel(s); got != want {
			t.Errorf("%q became %q", s, got)
		}
	}
	long := Options{Host: strings.Repeat("h", 63), Instance: strings.Repeat("ü", 100), Services: attic.Services}
	for _, n := range []int{1, 2, maxNumber} {
		_, list := recordsOf(long, n, []netip.Prefix{netip.MustParsePrefix("192.0.2.7/24")})
		if _, err := message(dnsmessage.Header{}, nil, list, nil, nil, false, false); err != nil {
			t.Errorf("the %d-th name: %v", n, err)
		}
	}
}

func FuzzPacket(f *testing.F) {
	l := &lan{now: epoch}
	h := l.join(attic, 0, "192.0.2.7/24", "fe80::7/64")
	l.run(10 * time.Second)
	for _, s := range l.raw {
		f.Add(s.b, uint16(5353), true)
	}
	_, records := recordsOf(attic, 1, h.e.prefixes)
	f.Add(ask(f, 1, records, "_http._tcp.local.?PTR!", "attic.local.?ALL"), uint16(40000), false)
	f.Fuzz(func(t *testing.T, b []byte, from uint16, fresh bool) {
		l, h := settledHost(t, "192.0.2.7/24", "fe80::7/64")
		if fresh {
			l = &lan{now: epoch}
			h = l.join(attic, 0, "192.0.2.7/24", "fe80::7/64")
			l.run(400 * time.Millisecond)
		}
		for range 5 {
			h.hear(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), from).String(), b)
			l.run(time.Second)
		}
		if n := len(l.take(t)); n > 5*perSecond {
			t.Errorf("%d packets", n)
		}
		if !strings.HasPrefix(h.e.host, "attic") || len(h.e.waiting) > 50 || len(h.e.sent) > 2*mostSent {
			t.Errorf("host %q, %d waiting, %d sent", h.e.host, len(h.e.waiting), len(h.e.sent))
		}
	})
}

// BenchmarkQuestion is what one question for another host costs, of which a busy
// link has many, and one for this one.
func BenchmarkQuestion(b *testing.B) {
	for _, name := range []string{"cellar.local.?A", "attic.local.?A"} {
		b.Run(name, func(b *testing.B) {
			l, h := settledHost(b, "192.0.2.7/24", "2001:db8::7/64")
			q := ask(b, 0, nil, name)
			from := netip.MustParseAddrPort("192.0.2.1:5353")
			b.ReportAllocs()
			for b.Loop() {
				h.e.packet(l.now, from, q)
				h.e.tick(l.now)
			}
		})
	}
}
