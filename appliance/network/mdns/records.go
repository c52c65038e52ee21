package mdns

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// Lifetimes in caches, seconds, RFC 6762 section 10.
const (
	hostTTL   = 120
	otherTTL  = 4500
	legacyTTL = 10 // section 6.7: for those who do not listen to goodbyes
)

// flush is the bit of a class that says that there are no other records of this
// name and type, and of a question that a direct answer is welcome: RFC 6762
// sections 10.2 and 5.4.
const flush = 1 << 15

const typeNSEC dnsmessage.Type = 47

// record is one that the station has.
type record struct {
	name   dnsmessage.Name
	kind   dnsmessage.Type
	ttl    uint32
	unique bool // nobody else may have one of this name
	body   dnsmessage.ResourceBody
	rdata  []byte // without compression, for comparing
}

// recordsOf are the station's records under its n-th name.
func recordsOf(o Options, n int, addresses []netip.Prefix) (host string, list []record) {
	hostLabel, instance := o.Host, instanceLabel(o.Instance)
	if n > 1 {
		tail := "-" + strconv.Itoa(n)
		hostLabel = strings.TrimRight(hostLabel[:min(len(hostLabel), 63-len(tail))], "-") + tail
		instance += " (" + strconv.Itoa(n) + ")"
	}
	host = hostLabel + ".local"
	h := dnsmessage.MustNewName(host + ".")
	for _, p := range addresses {
		if a := p.Addr().Unmap().WithZone(""); a.Is4() {
			list = append(list, record{h, dnsmessage.TypeA, hostTTL, true, &dnsmessage.AResource{A: a.As4()}, a.AsSlice()})
		} else {
			list = append(list, record{h, dnsmessage.TypeAAAA, hostTTL, true, &dnsmessage.AAAAResource{AAAA: a.As16()}, a.AsSlice()})
		}
	}
	all := dnsmessage.MustNewName("_services._dns-sd._udp.local.") // RFC 6763 section 9
	for _, s := range o.Services {
		kind := dnsmessage.MustNewName(s.Type + ".local.")
		name := dnsmessage.MustNewName(instance + "." + s.Type + ".local.")
		srv := &dnsmessage.SRVResource{Port: s.Port, Target: h}
		text := s.Text
		if len(text) == 0 {
			text = []string{""} // RFC 6763 section 6.1
		}
		list = append(list,
			record{name, dnsmessage.TypeSRV, hostTTL, true, srv, rdataOf(srv)},
			record{name, dnsmessage.TypeTXT, otherTTL, true, &dnsmessage.TXTResource{TXT: text}, rdataOf(&dnsmessage.TXTResource{TXT: text})},
			record{kind, dnsmessage.TypePTR, otherTTL, false, &dnsmessage.PTRResource{PTR: name}, rdataOf(&dnsmessage.PTRResource{PTR: name})},
			record{all, dnsmessage.TypePTR, otherTTL, false, &dnsmessage.PTRResource{PTR: kind}, rdataOf(&dnsmessage.PTRResource{PTR: kind})},
		)
	}
	return host, list
}

// rdataOf is the data of a record as it is compared, RFC 6762 section 8.2; nil:
// of a type that the station has none of.
func rdataOf(body dnsmessage.ResourceBody) []byte {
	switch b := body.(type) {
	case *dnsmessage.AResource:
		return b.A[:]
	case *dnsmessage.AAAAResource:
		return b.AAAA[:]
	case *dnsmessage.PTRResource:
		return wire(nil, b.PTR)
	case *dnsmessage.SRVResource:
		head := binary.BigEndian.AppendUint16(nil, b.Priority)
		head = binary.BigEndian.AppendUint16(head, b.Weight)
		return wire(binary.BigEndian.AppendUint16(head, b.Port), b.Target)
	case *dnsmessage.TXTResource:
		var out []byte
		for _, s := range b.TXT {
			out = append(append(out, byte(len(s))), s...)
		}
		return out
	}
	return nil
}

// wire appends a name without compression.
func wire(b []byte, n dnsmessage.Name) []byte {
	for l := range strings.SplitSeq(strings.TrimSuffix(n.String(), "."), ".") {
		b = append(append(b, byte(len(l))), l...)
	}
	return append(b, 0)
}

// sameName compares as DNS does.
func sameName(a, b dnsmessage.Name) bool {
	return a.Length == b.Length && strings.EqualFold(a.String(), b.String()) && ascii(a) == ascii(b)
}

// ascii is a name with its ASCII letters small: strings.EqualFold alone would fold
// others too.
func ascii(n dnsmessage.Name) string {
	b := []byte(n.String())
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// nsec says which types a unique name has, so that nobody waits for the others:
// RFC 6762 section 6.1.
func nsec(name dnsmessage.Name, kinds []dnsmessage.Type) record {
	slices.Sort(kinds)
	kinds = slices.Compact(kinds)
	bits := make([]byte, int(kinds[len(kinds)-1])/8+1) // all below 256: one block
	for _, k := range kinds {
		bits[k/8] |= 0x80 >> (k % 8)
	}
	data := append(wire(nil, name), 0, byte(len(bits)))
	data = append(data, bits...)
	return record{name, typeNSEC, hostTTL, true, &dnsmessage.UnknownResource{Type: typeNSEC, Data: data}, data}
}

// message is a packet of records. A direct answer to a resolver that knows
// nothing of multicast repeats its id and question: legacy is not nil then.
func message(h dnsmessage.Header, questions []dnsmessage.Question, answers, authorities, additionals []record, legacy, leaving bool) ([]byte, error) {
	b := dnsmessage.NewBuilder(make([]byte, 0, 1024), h)
	b.EnableCompression()
	if err := b.StartQuestions(); err != nil {
		return nil, err
	}
	for _, q := range questions {
		if err := b.Question(q); err != nil {
			return nil, err
		}
	}
	for i, section := range [][]record{answers, authorities, additionals} {
		start := []func() error{b.StartAnswers, b.StartAuthorities, b.StartAdditionals}[i]
		if err := start(); err != nil {
			return nil, err
		}
		for _, r := range section {
			head := dnsmessage.ResourceHeader{Name: r.name, Class: dnsmessage.ClassINET, TTL: r.ttl}
			switch {
			case leaving:
				head.TTL = 0
			case legacy:
				head.TTL = min(head.TTL, legacyTTL)
			}
			if r.unique && !legacy && i != 1 {
				head.Class |= flush
			}
			if err := add(&b, head, r.body); err != nil {
				return nil, err
			}
		}
	}
	return b.Finish()
}

func add(b *dnsmessage.Builder, h dnsmessage.ResourceHeader, body dnsmessage.ResourceBody) error {
	switch r := body.(type) {
	case *dnsmessage.AResource:
		return b.AResource(h, *r)
	case *dnsmessage.AAAAResource:
		return b.AAAAResource(h, *r)
	case *dnsmessage.PTRResource:
		return b.PTRResource(h, *r)
	case *dnsmessage.SRVResource:
		return b.SRVResource(h, *r)
	case *dnsmessage.TXTResource:
		return b.TXTResource(h, *r)
	case *dnsmessage.UnknownResource:
		return b.UnknownResource(h, *r)
	}
	return nil
}
