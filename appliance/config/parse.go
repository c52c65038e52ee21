package config

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
)

// Parse reads one file. name is what errors call it. The error is an *Errors
// and the configuration Default when anything is wrong: half of what a person
// meant is not what they meant.
//
// A byte order mark and lines that end in CR LF are accepted.
func Parse(name string, data []byte) (Config, error) { return parse(name, data, MaxSize) }

func parse(name string, data []byte, size int) (Config, error) {
	name = strings.ToValidUTF8(name, "?")
	fail := func(line, column int, problem, instead string) (Config, error) {
		return Default(), &Errors{List: []*Error{{File: name, Line: line, Column: column, Problem: problem, Instead: instead}}}
	}
	if len(data) > size {
		return fail(1, 1, fmt.Sprintf("the file has %d bytes, more than %d", len(data), size), "shorten it")
	}
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return fail(1, 1, "the file is saved as UTF-16", "save it again with the encoding UTF-8")
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(data) {
		line, column := position(data, invalidUTF8(data))
		return fail(line, column, "here is a byte that is not UTF-8", "save the file again with the encoding UTF-8")
	}
	document := map[string]any{}
	if err := toml.Unmarshal(data, &document); err != nil {
		line, column, message := 1, 1, err.Error()
		if de, ok := errors.AsType[*toml.DecodeError](err); ok {
			line, column = de.Position()
			text := lineAt(data, line)
			column = utf8.RuneCount(text[:min(max(column-1, 0), len(text))]) + 1
			message = strings.TrimPrefix(de.Error(), "toml: ")
		}
		problem, instead := explain(string(lineAt(data, line)), strings.ToValidUTF8(message, "?"))
		return fail(line, column, problem, instead)
	}
	r := &reader{places: findPlaces(data)}
	c := r.config(document)
	if err := newErrors(name, data, r.faults); err != nil {
		return Default(), err
	}
	return c, nil
}

func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(data)
}

// lineAt is line n, from 1, without its end.
func lineAt(data []byte, n int) []byte {
	for ; n > 1; n-- {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			return nil
		}
		data = data[i+1:]
	}
	line, _, _ := bytes.Cut(data, []byte{'\n'})
	return bytes.TrimSuffix(line, []byte{'\r'})
}

// explain puts the parser's words for the usual slips of people who do not
// write TOML every day into what they should write.
func explain(line, message string) (problem, instead string) {
	var (
		bare  = regexp.MustCompile(`^\s*([A-Za-z0-9_-]+)\s*=\s*([^"'\s\[{#][^"'#=]*?)\s*$`)
		colon = regexp.MustCompile(`^\s*([A-Za-z0-9_-]+)\s*:\s*(.*?)\s*$`)
		empty = regexp.MustCompile(`^\s*([A-Za-z0-9_-]+)\s*=\s*(#.*)?$`)
		alone = regexp.MustCompile(`^\s*[A-Za-z][^=\[\]]*$`)
		table = regexp.MustCompile(`^\s*\[+\s*([A-Za-z0-9_-]+)`)
	)
	switch {
	case strings.ContainsAny(line, "“”„«»‘’"):
		return "here are typographic quotation marks", `write plain ones: "`
	case strings.Contains(message, "already"), strings.Contains(message, "duplicate"), strings.Contains(message, "exist"):
		return message, "keep one of the two"
	case empty.MatchString(line):
		key := empty.FindStringSubmatch(line)[1]
		return key + " has no value", fmt.Sprintf("write %s = and its value, or take the line away", key)
	case colon.MatchString(line) && !strings.Contains(line, "="):
		m := colon.FindStringSubmatch(line)
		return "there is a colon where an equals sign belongs", fmt.Sprintf("write %s = %s", m[1], quoted(strings.Trim(m[2], `"'`)))
	case bare.MatchString(line):
		m := bare.FindStringSubmatch(line)
		return fmt.Sprintf("the value of %s is neither text in quotation marks nor a number", m[1]), fmt.Sprintf("write %s = %s", m[1], quoted(m[2]))
	case strings.Count(line, `"`)%2 == 1:
		return "a quotation mark has no partner", `write text as "text", all on one line`
	case table.MatchString(line):
		name := table.FindStringSubmatch(line)[1]
		if name == "server" || name == "servers" {
			return message, "write [[server]]"
		}
		return message, "write [" + name + "]"
	case alone.MatchString(line):
		return "this line is neither a comment nor a setting", `begin it with # or write key = "value"`
	}
	return message, `write key = "value", as in the examples of the file that came with the station`
}
