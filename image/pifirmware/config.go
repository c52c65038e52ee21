package pifirmware

import (
	"fmt"
	"strings"

	"github.com/truechimer/truechimer/image/bootfs"
)

// Bounds. The first three are the firmware's: lineLimit is documented
// (what_is_config_txt.adoc, "File Format"); the other two stand in its code as
// formats for scanf, [%60c] and include %64s. The rest are ours, and generous.
const (
	lineLimit    = 98
	sectionLimit = 60
	includeLimit = 64

	fileLimit   = 16 << 10 // from about here on a Pi 5 does not start (raspberrypi/firmware issue 1848)
	depthLimit  = 4        // includes in includes
	filesLimit  = 16       // includes in all
	warnLimit   = 64
	nameLimit   = 200 // characters of a path that go into a warning
	deviceLimit = 1 << 20
)

// Files is what the model reads: a boot file system.
type Files interface {
	ReadFile(path string, limit int64) ([]byte, error)
	Extents(path string) ([]bootfs.Extent, error)
}

// setting is a line that applies.
type setting struct {
	key, value string
	included   bool // stands in an included file
}

// reader reads a configuration file and what it includes.
type reader struct {
	files    Files
	model    Model
	tryboot  bool
	filters  filters
	opened   int
	settings []setting
	warnings []string
}

func (r *reader) warn(format string, a ...any) {
	if len(r.warnings) < warnLimit {
		r.warnings = append(r.warnings, fmt.Sprintf(format, a...))
	}
}

// file reads one file. Filters go on through the border of an included file,
// whose "content is inserted" (what_is_config_txt.adoc, "include").
func (r *reader) file(name string, depth int) error {
	b, err := r.files.ReadFile(name, fileLimit)
	if err != nil {
		return err
	}
	n := 0
	for line := range strings.SplitSeq(string(b), "\n") {
		n++
		line = strings.TrimSuffix(line, "\r")
		if len(line) > lineLimit {
			if !strings.HasPrefix(line, "#") {
				r.warn("%s, line %d: only the first %d of %d characters are read", short(name), n, lineLimit, len(line))
			}
			line = line[:lineLimit]
		}
		r.line(strings.TrimSpace(line), fmt.Sprintf("%s, line %d", short(name), n), depth)
	}
	return nil
}

func (r *reader) line(line, where string, depth int) {
	if line == "" || line[0] == '#' {
		return
	}
	if line[0] == '[' {
		name, _, closed := strings.Cut(line[1:], "]")
		if len(name) > sectionLimit {
			name, closed = name[:sectionLimit], false
		}
		if known := r.filters.section(name, r.model, r.tryboot); !known || !closed {
			r.filters.off[byNothing] = true
			r.warn("%s: no such filter as %q; nothing applies until [all]", where, name)
		}
		return
	}
	if !r.filters.pass() {
		return
	}
	if name, ok := strings.CutPrefix(line, "include "); ok {
		r.include(strings.TrimSpace(name), where, depth)
		return
	}
	if args, ok := strings.CutPrefix(line, "initramfs "); ok {
		r.settings = append(r.settings, setting{"initramfs", strings.TrimSpace(args), depth > 0})
		return
	}
	key, value, ok := strings.Cut(line, "=")
	if !ok {
		r.warn("%s: %q is no setting", where, line)
		return
	}
	if strings.ContainsAny(key, " \t") || strings.HasPrefix(value, " ") {
		// Spaces beside the = belong to the name and to the value.
		r.warn("%s: a space beside the = in %q: not read", where, line)
		return
	}
	r.settings = append(r.settings, setting{key, value, depth > 0})
}

func (r *reader) include(name, where string, depth int) {
	if len(name) > includeLimit {
		name = name[:includeLimit]
	}
	if r.opened++; r.opened > filesLimit || depth >= depthLimit {
		r.warn("%s: files include each other without end: %q is not read", where, name)
		return
	}
	if err := r.file(name, depth+1); err != nil {
		// The firmware logs it and goes on.
		r.warn("%s: include: %v", where, err)
	}
}

// get is a setting's last value: later ones override earlier ones.
func (r *reader) get(key string) string {
	v, _ := r.last(key, false)
	return v
}

// early is a setting's last value for bootcode.bin and the EEPROM, which read
// no included file (what_is_config_txt.adoc, "include").
func (r *reader) early(key string) string {
	v, _ := r.last(key, true)
	return v
}

func (r *reader) last(key string, early bool) (value string, ok bool) {
	for _, s := range r.settings {
		if s.key == key && !(early && s.included) {
			value, ok = s.value, true
		}
	}
	return value, ok
}

// short bounds what a warning repeats.
func short(name string) string {
	if len(name) > nameLimit {
		return name[:nameLimit] + "..."
	}
	return name
}
