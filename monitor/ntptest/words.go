package ntptest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxOffset is half an era: what NTP can tell apart.
const maxOffset = 68 * 365 * 24 * time.Hour

// maxWait bounds how long a reply is held back on request.
const maxWait = 10 * time.Second

// word is one thing a person may write, with an argument or two.
type word struct {
	name, args string // args as shown to a person
	n          int
	parse      func(args []string) (Behaviour, error)
}

func words() []word {
	plain := func(b Behaviour) func([]string) (Behaviour, error) {
		return func([]string) (Behaviour, error) { return b, nil }
	}
	wait := func(s string) (time.Duration, error) { return duration(s, 0, maxWait) }
	return []word{
		{"right", "", 0, plain(Right())},
		{"offset", "80ms", 1, func(a []string) (Behaviour, error) {
			d, err := duration(a[0], -maxOffset, maxOffset)
			return Offset(d), err
		}},
		{"dead", "", 0, plain(Dead())},
		{"unsynchronized", "", 0, plain(Unsynchronized())},
		{"stratum", "0..255", 1, func(a []string) (Behaviour, error) {
			n, err := number(a[0], 255)
			return Stratum(uint8(n)), err
		}},
		{"leap", "0..3", 1, func(a []string) (Behaviour, error) {
			n, err := number(a[0], 3)
			return Leap(uint8(n)), err
		}},
		{"kiss", "RATE", 1, func(a []string) (Behaviour, error) {
			if !kissCode(a[0]) {
				return nil, fmt.Errorf("%.40q is no kiss code, write one to four capital letters: RATE, DENY, RSTR", a[0])
			}
			return Kiss(a[0]), nil
		}},
		{"slow", "200ms", 1, func(a []string) (Behaviour, error) {
			d, err := wait(a[0])
			return Slow(d), err
		}},
		{"path", "30ms 0s", 2, func(a []string) (Behaviour, error) {
			there, err := wait(a[0])
			if err != nil {
				return nil, err
			}
			back, err := wait(a[1])
			return Path(there, back), err
		}},
		{"origin", "wrong", 1, choice(map[string]Behaviour{"wrong": WrongOrigin()})},
		{"strays", "0..100", 1, func(a []string) (Behaviour, error) {
			n, err := number(a[0], 100)
			return Strays(n), err
		}},
		{"length", "0..1024", 1, func(a []string) (Behaviour, error) {
			n, err := number(a[0], 1024)
			return Length(n), err
		}},
		{"zero", "receive|transmit", 1, choice(map[string]Behaviour{"receive": ZeroReceive(), "transmit": ZeroTransmit()})},
		{"backwards", "5ms", 1, func(a []string) (Behaviour, error) {
			d, err := duration(a[0], 0, maxOffset)
			return Backwards(d), err
		}},
		{"exponent", "poll|precision", 1, choice(map[string]Behaviour{"poll": Poll(-128), "precision": Precision(-128)})},
		{"version", "0..7", 1, func(a []string) (Behaviour, error) {
			n, err := number(a[0], 7)
			return Version(uint8(n)), err
		}},
		{"mode", "0..7", 1, func(a []string) (Behaviour, error) {
			n, err := number(a[0], 7)
			return Mode(uint8(n)), err
		}},
	}
}

// Usage is what Set and Parse understand, for a person.
func Usage() string {
	var list []string
	for _, w := range words() {
		list = append(list, strings.TrimSpace(w.name+" "+w.args))
	}
	return strings.Join(list, ", ")
}

// Parse turns what a person wrote into behaviours: one of Usage, or several
// after one another.
func Parse(args ...string) ([]Behaviour, error) {
	if len(args) == 0 {
		return nil, fmt.Errorf("how shall the server behave? Write one of: %s", Usage())
	}
	all := words()
	var list []Behaviour
	for len(args) > 0 {
		i := slices.IndexFunc(all, func(w word) bool { return w.name == args[0] })
		if i < 0 {
			return nil, fmt.Errorf("%.40q is no behaviour of a server, write one of: %s", args[0], Usage())
		}
		w := all[i]
		if len(args) <= w.n {
			return nil, fmt.Errorf("%s needs more, write for one: %s %s", w.name, w.name, w.args)
		}
		b, err := w.parse(args[1 : 1+w.n])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
		list = append(list, b)
		args = args[1+w.n:]
	}
	return list, nil
}

func choice(m map[string]Behaviour) func([]string) (Behaviour, error) {
	return func(a []string) (Behaviour, error) {
		if b, ok := m[a[0]]; ok {
			return b, nil
		}
		var names []string
		for n := range m {
			names = append(names, n)
		}
		slices.Sort(names)
		return nil, fmt.Errorf("%.40q is not known, write %s", a[0], strings.Join(names, " or "))
	}
}

func duration(s string, low, high time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%.40q is no duration, write for one 80ms, -1.5s or 2m", s)
	}
	if d < low || d > high {
		return 0, fmt.Errorf("%v is out of range, write %v to %v", d, low, high)
	}
	return d, nil
}

func number(s string, high int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > high {
		return 0, fmt.Errorf("%.40q is out of range, write a number from 0 to %d", s, high)
	}
	return n, nil
}

func kissCode(s string) bool {
	if len(s) < 1 || len(s) > 4 {
		return false
	}
	for _, c := range s {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}
