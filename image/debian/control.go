package debian

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Bounds of control files. apt-cache's answer for a kernel has a few kilobytes a
// version; a key in Signed-By has some ten.
const (
	maxControlLine = 256 << 10
	maxParagraph   = 1 << 20
	maxParagraphs  = 10_000
)

// paragraph is one paragraph of a control file (Debian Policy, section 5.1;
// deb822(5)): values by field name in lower case. Lines of a value are joined by
// newlines, with the space that continues them.
type paragraph map[string]string

// paragraphs reads a control file.
func paragraphs(r io.Reader) ([]paragraph, error) {
	var all []paragraph
	var p paragraph
	var last string
	size := 0
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxControlLine)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimRight(lines.Text(), " \t\r")
		if size += len(line) + 1; size > maxParagraph {
			return nil, fmt.Errorf("line %d: a paragraph of more than %d bytes", n, maxParagraph)
		}
		switch {
		case line == "":
			p, last, size = nil, "", 0
		case line[0] == '#':
			// also within a value, where deb822(5) has them
		case line[0] == ' ' || line[0] == '\t':
			if last == "" {
				return nil, fmt.Errorf("line %d: %.40q continues nothing", n, line)
			}
			p[last] += "\n" + line
		default:
			key, value, ok := strings.Cut(line, ":")
			if !ok || key == "" || strings.ContainsAny(key, " \t") {
				return nil, fmt.Errorf("line %d: %.40q is no field", n, line)
			}
			if p == nil {
				if len(all) == maxParagraphs {
					return nil, fmt.Errorf("line %d: more than %d paragraphs", n, maxParagraphs)
				}
				p = paragraph{}
				all = append(all, p)
			}
			last = strings.ToLower(key)
			if _, ok := p[last]; ok {
				return nil, fmt.Errorf("line %d: %s is there twice", n, key)
			}
			p[last] = strings.TrimLeft(value, " \t")
		}
	}
	return all, lines.Err()
}
