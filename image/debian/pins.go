package debian

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

//go:embed pins.txt
var pinsFile []byte

const pinsHead = `# The Debian packages that images are made of, as ` + "`make pins`" + ` last found them.
# A build takes exactly these, or none.
`

// maxPins bounds the pins file; there is one pin for each Want.
const maxPins = 1000

// Pinned is the pin of a want. Its error says how to get one.
func Pinned(want Want) (Pin, error) {
	pins, err := ParsePins(pinsFile)
	if err != nil {
		return Pin{}, err
	}
	for _, p := range pins {
		if p.Want == want {
			return p, nil
		}
	}
	return Pin{}, fmt.Errorf("nothing is pinned for %s: name it in Wants and run `make pins`", want)
}

// ParsePins reads a pins file, and accepts only what WritePins writes, so that a
// merge gone wrong does not choose what boots.
func ParsePins(b []byte) ([]Pin, error) {
	text, ok := strings.CutPrefix(string(b), pinsHead)
	if !ok {
		return nil, errors.New("pins: the file does not begin as `make pins` writes it")
	}
	var pins []Pin
	for n, block := range strings.SplitN(text, "\n\n", maxPins+1) {
		block = strings.TrimSuffix(strings.TrimPrefix(block, "\n"), "\n")
		if block == "" && n == 0 {
			continue // no pins
		}
		if n == maxPins {
			return nil, fmt.Errorf("pins: more than %d of them", maxPins)
		}
		p, err := parsePin(block)
		if err != nil {
			return nil, fmt.Errorf("pins: entry %d: %w", n+1, err)
		}
		pins = append(pins, p)
	}
	var again bytes.Buffer
	if err := WritePins(&again, pins); err != nil {
		return nil, err
	}
	if !bytes.Equal(again.Bytes(), b) {
		return nil, errors.New("pins: entries are not in order, or spaced otherwise than `make pins` does")
	}
	return pins, nil
}

func parsePin(block string) (Pin, error) {
	lines := strings.Split(block, "\n")
	keys := []string{"Want", "Package", "Version", "Size", "SHA256"}
	if len(lines) != len(keys) {
		return Pin{}, fmt.Errorf("%d lines instead of %d", len(lines), len(keys))
	}
	values := make([]string, len(keys))
	for i, key := range keys {
		value, ok := strings.CutPrefix(lines[i], key+": ")
		if !ok {
			return Pin{}, fmt.Errorf("%.60q stands where %s: is expected", lines[i], key)
		}
		values[i] = value
	}
	name, arch, _ := strings.Cut(values[0], " ")
	size, err := strconv.ParseInt(values[3], 10, 64)
	if err != nil {
		return Pin{}, fmt.Errorf("%.60q is no size", values[3])
	}
	p := Pin{Want: Want{name, arch}, Package: values[1], Version: values[2], Size: size, SHA256: values[4]}
	return p, p.check()
}

// WritePins writes a pins file, sorted.
func WritePins(w io.Writer, pins []Pin) error {
	pins = slices.SortedFunc(slices.Values(pins), func(a, b Pin) int { return a.Want.compare(b.Want) })
	var b bytes.Buffer
	b.WriteString(pinsHead)
	for i, p := range pins {
		if err := p.check(); err != nil {
			return fmt.Errorf("pins: %w", err)
		}
		if i > 0 && p.Want == pins[i-1].Want {
			return fmt.Errorf("pins: %s is there twice", p.Want)
		}
		fmt.Fprintf(&b, "\nWant: %s\nPackage: %s\nVersion: %s\nSize: %d\nSHA256: %s\n",
			p.Want, p.Package, p.Version, p.Size, p.SHA256)
	}
	_, err := w.Write(b.Bytes())
	return err
}
