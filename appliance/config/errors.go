package config

import (
	"fmt"
	"slices"
	"strings"
)

// maxErrors bounds how many mistakes are told at once.
const maxErrors = 10

// Error is one mistake in a file.
type Error struct {
	File    string
	Line    int // from 1
	Column  int // in characters, from 1
	Problem string
	Instead string // what to write
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s; %s", e.File, e.Line, e.Column, e.Problem, e.Instead)
}

// Errors are the mistakes of one file in the order of their places, the first
// ten of them.
type Errors struct {
	List []*Error
	More int // how many more there are
}

func (e *Errors) Error() string { return strings.Join(e.Lines(), "\n") }

// Lines are the mistakes as a person should see them, one a line.
func (e *Errors) Lines() []string {
	var lines []string
	for _, x := range e.List {
		lines = append(lines, x.Error())
	}
	if e.More > 0 {
		lines = append(lines, fmt.Sprintf("%s: and %d more mistakes", e.List[0].File, e.More))
	}
	return lines
}

// Unwrap gives every single *Error.
func (e *Errors) Unwrap() []error {
	errs := make([]error, len(e.List))
	for i, x := range e.List {
		errs[i] = x
	}
	return errs
}

// fault is a mistake whose place is still an offset: a hostile file has many
// thousands, and only the first few are worth counting lines for.
type fault struct {
	at int
	wrong
}

// newErrors sorts and bounds; nil if there is no mistake.
func newErrors(file string, data []byte, faults []fault) error {
	if len(faults) == 0 {
		return nil
	}
	slices.SortStableFunc(faults, func(a, b fault) int { return a.at - b.at })
	e := &Errors{More: max(len(faults)-maxErrors, 0)}
	for _, f := range faults[:len(faults)-e.More] {
		line, column := position(data, f.at)
		e.List = append(e.List, &Error{File: file, Line: line, Column: column, Problem: f.problem, Instead: f.instead})
	}
	return e
}

// quoted is s as an error may show it: short, and nothing in it upsets a
// terminal or a page.
func quoted(s string) string {
	const most = 64
	short := []rune(s)
	if len(short) > most {
		short = append(short[:most], '…')
	}
	return fmt.Sprintf("%q", string(short))
}
