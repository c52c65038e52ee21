package pifirmware

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Overlay is an overlay that is applied to the device tree.
type Overlay struct {
	Name   string   // as it was found, which overlay_map.dtb may have changed
	Params []string // name or name=value
	Path   string
}

// hardware works out the device tree: the base, its parameters, the overlays.
type hardware struct {
	r       *reader
	prefix  string // of overlays, whole
	base    deviceTree
	symbols map[string]bool // labels, of the base and of what was applied so far
	mapping deviceTree

	params   []string
	overlays []Overlay
	current  deviceTree // the last overlay while dtparam lines may be about it
}

// newHardware reads the base and overlay_map.dtb, which need not exist.
func newHardware(r *reader, dtb, prefix string) (*hardware, error) {
	b, err := r.files.ReadFile(dtb, deviceLimit)
	if err != nil {
		return nil, err
	}
	h := &hardware{r: r, prefix: prefix, symbols: map[string]bool{}}
	if h.base, err = parseTree(b); err != nil {
		return nil, fmt.Errorf("%s: %w", dtb, err)
	}
	h.add(h.base)
	if b, err := r.files.ReadFile(prefix+"overlay_map.dtb", deviceLimit); err == nil {
		if h.mapping, err = parseTree(b); err != nil {
			r.warn("%soverlay_map.dtb: %v", short(prefix), err)
		}
	}
	return h, nil
}

func (h *hardware) add(t deviceTree) {
	for label := range t["/__symbols__"] {
		h.symbols[label] = true
	}
}

// apply goes through dtoverlay and dtparam lines in their order
// (device-tree.adoc, part 3): an empty dtoverlay ends the parameters of the one
// before it.
func (h *hardware) apply() {
	for _, s := range h.r.settings {
		switch s.key {
		case "dtoverlay":
			h.current = nil
			if name, params, _ := strings.Cut(s.value, ","); name != "" {
				h.overlay(name, params)
			}
		case "dtparam":
			h.param(s.value)
		}
	}
}

// overlay applies one. One that cannot be applied is left out; the firmware
// starts the kernel all the same.
func (h *hardware) overlay(name, params string) {
	real, err := h.mapped(name)
	if err != nil {
		h.r.warn("dtoverlay=%s: %v", name, err)
		return
	}
	file := h.prefix + real + ".dtbo"
	b, err := h.r.files.ReadFile(file, deviceLimit)
	if err != nil {
		h.r.warn("dtoverlay=%s: %v", name, err)
		return
	}
	t, err := parseTree(b)
	if err != nil {
		h.r.warn("dtoverlay=%s: %v", name, err)
		return
	}
	if missing := h.unresolved(t); missing != "" {
		h.r.warn("dtoverlay=%s: this model's device tree has no %s: not applied", name, missing)
		return
	}
	h.add(t)
	h.current = t
	h.overlays = append(h.overlays, Overlay{Name: real, Path: file})
	if params != "" {
		h.param(params)
	}
}

// mapped is an overlay's name for this model (device-tree.adoc, "The overlay
// map"): overlays with a variant for each chip have one name.
func (h *hardware) mapped(name string) (string, error) {
	for range 4 { // renamed may lead to renamed
		node, known := h.mapping["/"+name]
		if !known || strings.Contains(name, "/") {
			return name, nil
		}
		if to := h.mapping.texts("/"+name, "renamed"); len(to) == 1 {
			name = to[0]
			continue
		}
		if _, ok := node[h.r.model.soc]; !ok {
			return "", fmt.Errorf("not for this model")
		}
		if to := h.mapping.texts("/"+name, h.r.model.soc); len(to) == 1 {
			name = to[0]
		}
		return name, nil
	}
	return "", fmt.Errorf("renamed without end")
}

// unresolved is a label that an overlay refers to and that nothing defines.
// Fragments that lie dormant until a parameter wakes them do not count.
func (h *hardware) unresolved(t deviceTree) string {
	var missing []string
	for label := range t["/__fixups__"] {
		if h.symbols[label] {
			continue
		}
		if slices.ContainsFunc(t.texts("/__fixups__", label), func(place string) bool {
			node, _, _ := strings.Cut(place, ":")
			fragment, _, _ := strings.Cut(strings.TrimPrefix(node, "/"), "/")
			if !strings.HasPrefix(fragment, "fragment@") {
				return false // of a parameter
			}
			_, dormant := t["/"+path.Join(fragment, "__dormant__")]
			return !dormant
		}) {
			missing = append(missing, label)
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return slices.Min(missing)
}

// param takes name=value pairs with commas between them: the overlay before
// has them, or the base.
func (h *hardware) param(list string) {
	for p := range strings.SplitSeq(list, ",") {
		name, _, _ := strings.Cut(p, "=")
		switch {
		case p == "":
		case h.current.has("/__overrides__", name):
			o := &h.overlays[len(h.overlays)-1]
			o.Params = append(o.Params, p)
		case h.base.has("/__overrides__", name):
			h.params = append(h.params, p)
		default:
			h.r.warn("unknown parameter %q", name)
		}
	}
}
