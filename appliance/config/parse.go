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
	document, places, err := decode(name, data, size)
	if err != nil {
		return Default(), err
	}
	r := &reader{places: places}
	c := r.config(document)
	if err := newErrors(name, places.data, r.faults); err != nil {
		return Default(), err
	}
	return c, nil
}

// decode reads a document of at most size bytes and finds the places in it.
// The error is an *Errors.
func decode(name string, data []byte, size int) (map[string]any, *places, error) {
	fail := func(line, column int, problem, instead string) (map[string]any, *places, error) {
		return nil, nil, &Errors{List: []*Error{{File: strings.ToValidUTF8(name, "?"), Line: line, Column: column, Problem: problem, Instead: instead}}}
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
	return document, findPlaces(data), nil
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
// write TOML every day into what they should write. Of a line that may hold a
// secret it repeats nothing.
func explain(line, message string) (problem, instead string) {
	var (
		bare  = regexp.MustCompile(`^\s*([A-Za-z0-9_-]+)\s*=\s*([^"'\s\[{#][^"'#=]*?)\s*$`)
		colon = regexp.MustCompile(`^\s*([A-Za-z0-9_-]+)\s*:\s*(.*?)\s*$`)
		empty = regexp.MustCompile(`^\s*([A-Za-z0-9_-]+)\s*=\s*(#.*)?$`)
		alone = regexp.MustCompile(`^\s*[A-Za-z][^=\[\]]*$`)
		hides = regexp.MustCompile(`(?i)pass|psk|secret|(token|bearer)|(claim)`)
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
	case hides.MatchString(line):
		if hides.FindStringSubmatch(line)[2] != "" {
			return "the claim code is not text in quotation marks", `write claim_code = "..." with plain quotation marks, all on one line`
		}
		if hides.FindStringSubmatch(line)[1] != "" {
			return "the token is not text in quotation marks", `write token = "..." with plain quotation marks, all on one line`
		}
		return "the password is not text in quotation marks", `write password = "..." with plain quotation marks, all on one line`
	case colon.MatchString(line) && !strings.Contains(line, "="):
		m := colon.FindStringSubmatch(line)
		return "there is a colon where an equals sign belongs", fmt.Sprintf("write %s = %s", m[1], echo(m[1], strings.Trim(m[2], `"'`)))
	case bare.MatchString(line):
		m := bare.FindStringSubmatch(line)
		return fmt.Sprintf("the value of %s is neither text in quotation marks nor a number", m[1]), fmt.Sprintf("write %s = %s", m[1], echo(m[1], m[2]))
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

// echo is what was written for key, in quotation marks, where that is known
// to be no secret: a word such as pasword is one that nobody foresees, and an
// address may have a password before its @.
func echo(key, value string) string {
	if _, known := example[key]; !known || strings.Contains(value, "@") {
		return `"..."`
	}
	return quoted(value)
}
