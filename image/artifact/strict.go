package artifact

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep lists and objects of a manifest may lie in each other;
// today's are four deep.
const maxDepth = 16

// level is an object or list of a JSON text that is being read.
type level struct {
	names map[string]bool // of an object
	named bool            // of an object: a value follows
	items int             // of a list
}

// strict refuses JSON that readers may understand differently, or that takes
// far more memory than its text: names that stand twice or that encoding/json
// would match in another case, null, long lists, depth, and what is not UTF-8.
// Whether b is JSON at all, json.Unmarshal says.
func strict(b []byte) error {
	if !utf8.Valid(b) {
		return errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var stack []level
	for {
		token, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if delim, ok := token.(json.Delim); ok && (delim == '}' || delim == ']') {
			stack = stack[:len(stack)-1]
			continue
		}
		if n := len(stack); n > 0 {
			in := &stack[n-1]
			if in.names != nil && !in.named {
				if err := in.name(token.(string)); err != nil {
					return err
				}
				continue
			}
			in.named = false
			if in.items++; in.names == nil && in.items > maxItems {
				return fmt.Errorf("a list of more than %d", maxItems)
			}
		}
		switch token {
		case nil:
			return errors.New("null")
		case json.Delim('{'):
			stack = append(stack, level{names: map[string]bool{}})
		case json.Delim('['):
			stack = append(stack, level{})
		}
		if len(stack) > maxDepth {
			return fmt.Errorf("more than %d deep", maxDepth)
		}
	}
}

// name notes the name of the value that follows.
func (l *level) name(s string) error {
	if s == "" || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return fmt.Errorf("the name %.40q: names are of a-z, 0-9 and _", s)
	}
	if l.names[s] {
		return fmt.Errorf("%q stands twice", s)
	}
	l.names[s], l.named = true, true
	return nil
}
