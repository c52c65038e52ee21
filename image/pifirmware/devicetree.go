package pifirmware

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Tokens of a flattened device tree (Devicetree Specification 0.4, section 5.4).
const (
	treeMagic  = 0xd00dfeed
	beginNode  = 1
	endNode    = 2
	property   = 3
	nop        = 4
	endTree    = 9
	treeDepth  = 16 // ours, as the next: a path is at most 1 KiB
	treeName   = 64
	treeHeader = 40
)

var errTree = errors.New("not a device tree")

// deviceTree holds properties by node's path and name; the root's path is "".
type deviceTree map[string]map[string][]byte

// parseTree reads a flattened device tree. What it keeps is no more than b.
func parseTree(b []byte) (deviceTree, error) {
	be := binary.BigEndian
	if len(b) < treeHeader || be.Uint32(b) != treeMagic {
		return nil, errTree
	}
	nodes, names := uint64(be.Uint32(b[8:])), uint64(be.Uint32(b[12:]))
	if nodes > uint64(len(b)) || names > uint64(len(b)) {
		return nil, fmt.Errorf("%w: offsets beyond its end", errTree)
	}
	at, strs := b[nodes:], b[names:]
	text := func(from []byte) (string, bool) {
		s, _, ok := bytes.Cut(from, []byte{0})
		return string(s), ok
	}
	word := func() (uint32, bool) {
		if len(at) < 4 {
			return 0, false
		}
		v := be.Uint32(at)
		at = at[4:]
		return v, true
	}
	// skip goes to the next multiple of four after n bytes.
	skip := func(n int) bool {
		n = (n + 3) &^ 3
		if n > len(at) {
			return false
		}
		at = at[n:]
		return true
	}
	tree := deviceTree{}
	var path []string
	for {
		token, ok := word()
		switch {
		case !ok:
			return nil, fmt.Errorf("%w: it breaks off", errTree)
		case token == nop:
		case token == endTree && len(path) == 0:
			return tree, nil
		case token == beginNode && len(path) < treeDepth:
			name, ok := text(at)
			if !ok || len(name) > treeName || !skip(len(name)+1) {
				return nil, fmt.Errorf("%w: a name without end", errTree)
			}
			path = append(path, name)
			if p := strings.Join(path, "/"); tree[p] == nil {
				tree[p] = map[string][]byte{}
			}
		case token == endNode && len(path) > 0:
			path = path[:len(path)-1]
		case token == property && len(path) > 0:
			size, ok1 := word()
			offset, ok2 := word()
			if !ok1 || !ok2 || uint64(size) > uint64(len(at)) || uint64(offset) > uint64(len(strs)) {
				return nil, fmt.Errorf("%w: a property beyond its end", errTree)
			}
			name, ok := text(strs[offset:])
			if !ok || len(name) > nameLimit {
				return nil, fmt.Errorf("%w: a property's name without end", errTree)
			}
			value := at[:size]
			if !skip(int(size)) {
				return nil, fmt.Errorf("%w: it breaks off", errTree)
			}
			tree[strings.Join(path, "/")][name] = value
		default:
			return nil, fmt.Errorf("%w: token %d where none may be", errTree, token)
		}
	}
}

// has says whether a node has a property.
func (t deviceTree) has(node, name string) bool {
	_, ok := t[node][name]
	return ok
}

// texts are a property's strings.
func (t deviceTree) texts(node, name string) []string {
	v := strings.TrimSuffix(string(t[node][name]), "\x00")
	if v == "" {
		return nil
	}
	return strings.Split(v, "\x00")
}
