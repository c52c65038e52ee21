package config

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2/unstable"
)

// deepest is how far down places are looked for: a server's key in an inline
// table in an array is the deepest that the file has.
const deepest = 4

// places remembers where keys and values stand, by path: name,
// receiver.baud, server[0], server[0].limit. Where a value has no place of its
// own its key's is used.
type places struct {
	data   []byte
	keys   map[string]int // offset in data
	values map[string]int
	counts map[string]int // of array tables
}

// findPlaces walks a document that was already decoded without an error.
func findPlaces(data []byte) *places {
	p := &places{data: data, keys: map[string]int{}, values: map[string]int{}, counts: map[string]int{}}
	var parser unstable.Parser
	parser.Reset(data)
	table := ""
	for parser.NextExpression() {
		e := parser.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			var at int
			table, at = p.path("", e.Key())
			if e.Kind == unstable.ArrayTable {
				n := p.counts[table]
				p.counts[table]++
				table = index(table, n)
			}
			p.keys[table] = at
		case unstable.KeyValue:
			p.keyValue(table, e, 0)
		}
	}
	return p
}

// path follows a dotted key down from table; at is where its last part stands.
func (p *places) path(table string, key unstable.Iterator) (path string, at int) {
	path = table
	for first := true; key.Next(); first = false {
		if n := p.counts[path]; !first && n > 0 {
			path = index(path, n-1)
		}
		k := key.Node()
		path = join(path, string(k.Data))
		at = int(k.Raw.Offset)
		if _, known := p.keys[path]; !known {
			p.keys[path] = at
		}
	}
	return path, at
}

func (p *places) keyValue(table string, kv *unstable.Node, depth int) {
	path, at := p.path(table, kv.Key())
	p.keys[path] = at
	p.value(path, kv.Value(), depth)
}

func (p *places) value(path string, v *unstable.Node, depth int) {
	if v.Raw.Length > 0 {
		p.values[path] = int(v.Raw.Offset)
	}
	if depth == deepest {
		return
	}
	switch v.Kind {
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			if it.Node().Kind == unstable.KeyValue {
				p.keyValue(path, it.Node(), depth+1)
			}
		}
	case unstable.Array:
		n := 0
		for it := v.Children(); it.Next(); n++ {
			p.value(index(path, n), it.Node(), depth+1)
		}
	}
}

// key is the offset of the key at path, or else of what holds it.
func (p *places) key(path string) int {
	for {
		if at, ok := p.keys[path]; ok {
			return at
		}
		if at, ok := p.values[path]; ok {
			return at
		}
		i := strings.LastIndexAny(path, ".[")
		if i <= 0 {
			return 0
		}
		path = path[:i]
	}
}

// val is the offset of the value at path, or else of its key.
func (p *places) val(path string) int {
	if at, ok := p.values[path]; ok {
		return at
	}
	return p.key(path)
}

// position counts lines and characters from 1.
func position(data []byte, offset int) (line, column int) {
	before := data[:min(offset, len(data))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte{'\n'}) + 1, utf8.RuneCount(before[start:]) + 1
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func index(path string, n int) string { return path + "[" + strconv.Itoa(n) + "]" }
