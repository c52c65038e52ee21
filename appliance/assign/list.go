package assign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/monitor"
	"github.com/truechimer/truechimer/monitor/address"
)

// Version is that of the documents that Parse reads.
const Version = 1

// List is what a document assigns.
type List struct {
	// Servers are in the document's order, with all that it left out filled
	// in, and Remote. Their names may be alike: Merge tells them apart.
	Servers []monitor.Server
	// Refused is how many of them stand there with an address that no list from
	// elsewhere may name, and First why the first of them is not asked. They are
	// among Servers, so that people see which they are.
	Refused int
	First   string
}

// Parse reads a document (RFC 8259). Fields that it does not know are left
// out, for those to come. Anything else that is not as it should be is an
// error for the whole of it, which says at which server: half of a list is not
// what was meant. Limits and intervals out of bounds are brought within them.
func Parse(b []byte) (List, error) {
	if len(b) > MaxSize {
		return List{}, fmt.Errorf("the list has more than %d bytes", MaxSize)
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	switch start := bytes.TrimLeft(b, " \t\r\n"); {
	case len(start) == 0:
		return List{}, errors.New("the list is an empty file")
	case start[0] == '<':
		return List{}, errors.New("this is a page for people, not a list: look whether the address is right, and whether it asks for a password")
	case !utf8.Valid(b):
		return List{}, errors.New("the list has bytes that are not UTF-8")
	}
	if err := syntax(b); err != nil {
		return List{}, fmt.Errorf("the list is damaged: %w", err)
	}
	var version, count, servers json.RawMessage
	err := members(b, map[string]*json.RawMessage{"version": &version, "count": &count, "servers": &servers})
	if err != nil {
		return List{}, fmt.Errorf("the list is damaged: %w", err)
	}
	// Before all else: another version may mean other things by the same words.
	switch {
	case version == nil:
		return List{}, errors.New(`the list does not say its version; it takes "version": 1`)
	case string(version) != strconv.Itoa(Version):
		return List{}, fmt.Errorf("the list is of version %s, and this release reads version %d", echo(version), Version)
	case servers == nil:
		return List{}, errors.New(`the list has no "servers"`)
	}
	l, err := readServers(servers)
	if err != nil {
		return List{}, err
	}
	switch {
	case count != nil && string(count) != strconv.Itoa(len(l.Servers)):
		return List{}, fmt.Errorf(`the list says "count": %s, but has %d servers: it is not complete`, echo(count), len(l.Servers))
	case count == nil && len(l.Servers) == 0:
		return List{}, errors.New(`the list has no server; if that is meant, it takes "count": 0`)
	}
	return l, nil
}

func readServers(raw json.RawMessage) (List, error) {
	var l List
	if raw[0] != '[' {
		return l, fmt.Errorf("servers is %s; it takes [ and ]", kind(raw))
	}
	for raw = skipBlanks(raw[1:]); raw[0] != ']'; raw = skipComma(raw) {
		if len(l.Servers) == MaxServers {
			return l, fmt.Errorf("the list has more than %d servers", MaxServers)
		}
		var entry json.RawMessage
		entry, raw = cutValue(raw)
		s, err := readServer(entry)
		if err != nil {
			called := s.Name
			if called != "" {
				called = fmt.Sprintf(" (%s)", called)
			}
			return l, fmt.Errorf("server %d%s: %w", len(l.Servers)+1, called, err)
		}
		if a, err := netip.ParseAddr(s.Host); err == nil {
			if why := address.RefusedFromAfar(a); why != "" {
				if l.Refused++; l.Refused == 1 {
					l.First = why
				}
			}
		}
		l.Servers = append(l.Servers, s)
	}
	return l, nil
}

// readServer reads one. With an error comes what of its name there is.
func readServer(raw json.RawMessage) (monitor.Server, error) {
	s := monitor.Server{Port: config.DefaultPort, Limit: monitor.DefaultLimit, Interval: config.DefaultInterval, Remote: true}
	var host, name, port, limit, interval json.RawMessage
	err := members(raw, map[string]*json.RawMessage{"address": &host, "name": &name, "port": &port, "limit_s": &limit, "interval_s": &interval})
	if err != nil {
		return s, err
	}
	given, err := text("name", name)
	if err != nil {
		return s, err
	}
	at, err := text("address", host)
	if err != nil {
		return s, err
	}
	s.Name = health.Clean(given, MaxName)
	if s.Name == "" {
		s.Name = health.Clean(at, MaxName)
	}
	if host == nil {
		return s, errors.New("it has no address")
	}
	if s.Host, err = readHost(at); err != nil {
		return s, err
	}
	if port != nil {
		n, err := strconv.ParseUint(string(port), 10, 16)
		if err != nil || n == 0 {
			return s, fmt.Errorf("its port is %s; it takes a whole number from 1 to 65535", echo(port))
		}
		s.Port = uint16(n)
	}
	if given == "" && s.Port != config.DefaultPort {
		s.Name = health.Clean(place(s), MaxName)
	}
	if s.Limit, err = seconds("limit_s", limit, s.Limit, config.MinLimit, config.MaxLimit); err != nil {
		return s, err
	}
	every, err := seconds("interval_s", interval, s.Interval.Seconds(), MinInterval, config.MaxInterval)
	s.Interval = time.Duration(math.Round(every * 1e9))
	return s, err
}

var label = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$`) // RFC 1035 section 2.3.4, and _

// readHost takes a name or a number; which numbers are asked is the monitor's
// to say.
func readHost(s string) (string, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		if a.Zone() != "" {
			return "", errors.New("its address names a link, which only this station can know")
		}
		return a.Unmap().String(), nil
	}
	bad := fmt.Errorf("its address %s is neither the name of a host nor a number; a port has a field of its own", strconv.QuoteToASCII(health.Clean(s, MaxName)))
	host := strings.ToLower(strings.TrimSuffix(s, "."))
	if len(host) > 253 {
		return "", bad
	}
	last := ""
	for l := range strings.SplitSeq(host, ".") {
		if !label.MatchString(l) {
			return "", bad
		}
		last = l
	}
	if strings.Trim(last, "0123456789") == "" {
		return "", bad
	}
	return host, nil
}

// place is where a server is, which no two targets have in common.
func place(s monitor.Server) string {
	if strings.Contains(s.Host, ":") {
		return fmt.Sprintf("[%s]:%d", s.Host, s.Port)
	}
	return fmt.Sprintf("%s:%d", s.Host, s.Port)
}

// seconds reads a number and brings it between least and most.
func seconds(field string, raw json.RawMessage, otherwise float64, least, most time.Duration) (float64, error) {
	if raw == nil {
		return otherwise, nil
	}
	v, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || !(v > 0) {
		return 0, fmt.Errorf("its %s is %s; it takes a number of seconds above 0", field, echo(raw))
	}
	return min(max(v, least.Seconds()), most.Seconds()), nil
}

// text reads a text; none is an empty one.
func text(field string, raw json.RawMessage) (s string, err error) {
	if raw == nil {
		return "", nil
	}
	if raw[0] != '"' {
		return "", fmt.Errorf("its %s is %s; it takes text", field, kind(raw))
	}
	return unquote(raw)
}

// unquote is the text that a string stands for.
func unquote(raw []byte) (s string, err error) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), nil
	}
	err = json.Unmarshal(raw, &s)
	return s, err
}

// members reads the values of an object: those that want asks for, as they
// stand there. A value that is null is as good as not there; one that is there
// twice is an error, since who reads it may take either.
func members(raw []byte, want map[string]*json.RawMessage) error {
	raw = skipBlanks(raw)
	if raw[0] != '{' {
		return fmt.Errorf("there is %s where { and } belong", kind(raw))
	}
	seen := map[string]bool{}
	for raw = skipBlanks(raw[1:]); raw[0] != '}'; {
		var quoted, value []byte
		quoted, raw = cutValue(raw)
		value, raw = cutValue(skipBlanks(skipBlanks(raw)[1:])) // behind the colon
		key, err := unquote(quoted)
		if err != nil {
			return err
		}
		if seen[key] {
			return fmt.Errorf("%s is there twice", strconv.QuoteToASCII(health.Clean(key, 20)))
		}
		seen[key] = true
		if to := want[key]; to != nil && string(value) != "null" {
			*to = value
		}
		raw = skipComma(raw)
	}
	return nil
}

// What follows walks through a document of which the syntax is known to be
// right, without taking it apart.

// skipBlanks is what follows the blanks in front.
func skipBlanks(raw []byte) []byte { return bytes.TrimLeft(raw, " \t\r\n") }

// skipComma is what follows a value: the next one, or the bracket that ends all.
func skipComma(raw []byte) []byte {
	if raw = skipBlanks(raw); raw[0] == ',' {
		raw = skipBlanks(raw[1:])
	}
	return raw
}

// cutValue parts the value in front from what follows it.
func cutValue(raw []byte) (value, rest []byte) {
	depth, inText := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inText && c == '\\':
			i++
			continue
		case c == '"':
			inText = !inText
		case inText:
		case c == '{' || c == '[':
			depth++
			continue
		case c == '}' || c == ']':
			if depth == 0 {
				return raw[:i], raw[i:] // the end of what holds it
			}
			depth--
		case depth == 0 && strings.IndexByte(", \t\r\n:", c) >= 0:
			return raw[:i], raw[i:]
		default:
			continue
		}
		if depth == 0 && !inText && (raw[i] == '"' || raw[i] == '}' || raw[i] == ']') {
			return raw[:i+1], raw[i+1:]
		}
	}
	return raw, nil
}

// syntax says where a document is no JSON. encoding/json goes 10,000 levels
// deep at the most.
func syntax(b []byte) error {
	var whole json.RawMessage
	err := json.Unmarshal(b, &whole)
	s, ok := errors.AsType[*json.SyntaxError](err)
	if !ok {
		return err
	}
	if strings.Contains(s.Error(), "unexpected end") {
		return fmt.Errorf("it ends in the middle (%w)", err)
	}
	before := b[:max(s.Offset-1, 0)]
	line := bytes.Count(before, []byte{'\n'}) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return fmt.Errorf("line %d, column %d: %w", line, column, err)
}

// kind says what a value is.
func kind(raw json.RawMessage) string {
	switch raw = bytes.TrimLeft(raw, " \t\r\n"); {
	case len(raw) == 0:
		return "nothing"
	case raw[0] == '"':
		return "text"
	case raw[0] == '{':
		return "an object"
	case raw[0] == '[':
		return "an array"
	case raw[0] == 't', raw[0] == 'f':
		return "true or false"
	case raw[0] == 'n':
		return "null"
	}
	return "a number"
}

// echo is a value as an error may show it.
func echo(raw json.RawMessage) string {
	if k := kind(raw); k == "an object" || k == "an array" {
		return k
	}
	return health.Clean(string(raw), 20)
}
